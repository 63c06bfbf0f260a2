//! A pump's way down: Treads to the conversation, payloads to the local socket.
//!
//! A payload goes to the socket straight from the receive buffer. What the socket won't take is
//! kept, and while anything is kept no Tread is sent: the outstanding ones bound it.

use std::collections::VecDeque;

use netrelay_proto::ids::{Fid, Tag};

use crate::client::link::Link;
use crate::client::stream::{Moved, Stream};
use crate::client::window::ReadWindow;

/// How far the way down has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    Open,
    /// The remote ended; what is kept is still to be delivered.
    Draining,
    Ended,
}

#[derive(Debug)]
pub(super) struct Down {
    pub(super) state: State,
    /// Treads outstanding, in the order sent.
    pub(super) asked: VecDeque<Tag>,
    pub(super) bytes: u64,
    window: ReadWindow,
    kept: Vec<u8>,
    gone: usize,
}

impl Down {
    pub(super) fn new(window: ReadWindow) -> Self {
        let asked = VecDeque::new();
        Self { state: State::Open, asked, bytes: 0, window, kept: Vec::new(), gone: 0 }
    }

    /// Delivers a piece; false when the local socket is broken.
    pub(super) fn arrived(&mut self, mut piece: &[u8], local: &Stream) -> bool {
        if self.state != State::Open {
            return true;
        }
        self.bytes += piece.len() as u64;
        while self.kept.is_empty() && !piece.is_empty() {
            match local.send(piece) {
                Moved::Bytes(bytes) => piece = piece.get(bytes..).unwrap_or_default(),
                Moved::Blocked => break,
                Moved::End | Moved::Broken => return false,
            }
        }
        self.kept.extend_from_slice(piece);
        true
    }

    /// Notes that the reply to `tag` is whole; 0 bytes are the remote's end.
    ///
    /// # Errors
    /// The server answers out of order: the stream can't be trusted any more.
    pub(super) fn replied(&mut self, tag: Tag, total: u32) -> Result<(), String> {
        if self.state != State::Open {
            self.forget(tag);
            return Ok(());
        }
        if self.asked.pop_front() != Some(tag) {
            return Err("reads of a stream answered out of order".into());
        }
        if total == 0 {
            self.state = State::Draining;
        } else {
            self.window.replied(total);
        }
        Ok(())
    }

    /// Strikes a Tread that will bring nothing.
    pub(super) fn forget(&mut self, tag: Tag) {
        self.asked.retain(|asked| *asked != tag);
    }

    /// Delivers what is kept; false when the local socket is broken.
    pub(super) fn deliver(&mut self, local: &Stream) -> bool {
        while let Some(rest) = self.kept.get(self.gone..).filter(|rest| !rest.is_empty()) {
            match local.send(rest) {
                Moved::Bytes(bytes) => self.gone += bytes,
                Moved::Blocked => return true,
                Moved::End | Moved::Broken => return false,
            }
        }
        self.gone = 0;
        self.kept = Vec::new();
        true
    }

    /// Whether everything that came has been delivered.
    pub(super) fn delivered(&self) -> bool {
        self.kept.is_empty()
    }

    /// Sends the Treads that are missing. `alone` says that nothing else of this pump is being
    /// sent now; then a Tread that may wait does.
    ///
    /// # Errors
    /// No Tread could be sent, and none is outstanding.
    pub(super) fn refill(
        &mut self,
        fid: Fid,
        owner: usize,
        link: &mut Link,
        alone: bool,
    ) -> Result<(), String> {
        let outstanding = self.asked.len();
        if self.state != State::Open || !self.delivered() {
            return Ok(());
        }
        if outstanding > 0 && (link.calls.crowded() || alone && self.window.may_wait(outstanding)) {
            return Ok(());
        }
        for _ in 0..self.window.missing(outstanding) {
            match link.read(fid, self.bytes, self.window.count(), owner) {
                Some(tag) => self.asked.push_back(tag),
                None if self.asked.is_empty() => return Err("too many requests".into()),
                None => break,
            }
        }
        Ok(())
    }
}
