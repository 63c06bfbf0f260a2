//! A pump's way down: Treads to the conversation, payloads to the local socket.
//!
//! A payload goes to the socket straight from the receive buffer, or is spliced to it. What the
//! socket won't take is kept, and while anything is kept no Tread is sent: the outstanding ones
//! bound it.

use std::collections::VecDeque;

use netrelay_proto::ids::{Fid, Tag};

use crate::client::buffers::Pool;
use crate::client::link::Link;
use crate::client::stream::{Moved, Stream};
use crate::client::window::ReadWindow;
use crate::pipe::{Pipe, ROOM};

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
    /// What the socket would not take, before what is kept in memory.
    piped: Option<Pipe>,
    kept: Vec<u8>,
    gone: usize,
}

impl Down {
    pub(super) fn new(window: ReadWindow) -> Self {
        let asked = VecDeque::new();
        let (piped, kept) = (None, Vec::new());
        Self { state: State::Open, asked, bytes: 0, window, piped, kept, gone: 0 }
    }

    /// Delivers a piece; false when the local socket is broken.
    pub(super) fn arrived(&mut self, mut piece: &[u8], local: &Stream) -> bool {
        if self.state != State::Open {
            return true;
        }
        self.bytes += piece.len() as u64;
        while self.delivered() && !piece.is_empty() {
            match local.send(piece) {
                Moved::Bytes(bytes) => piece = piece.get(bytes..).unwrap_or_default(),
                Moved::Blocked => break,
                Moved::End | Moved::Broken => return false,
            }
        }
        self.kept.extend_from_slice(piece);
        true
    }

    /// Takes at most `most` bytes of a payload from the session's own socket: what came of it, and
    /// whether the local socket is whole. `None` when it can't be done and the bytes must be
    /// received.
    pub(super) fn splice(
        &mut self,
        session: &Stream,
        most: usize,
        local: &Stream,
        pool: &mut Pool,
    ) -> Option<(Moved, bool)> {
        if self.state != State::Open || !self.kept.is_empty() {
            return None;
        }
        let empty = self.piped.is_none();
        let mut pipe = self.piped.take().or_else(|| pool.pipe())?;
        let moved = session.fill(&mut pipe, most.min(ROOM));
        if let Moved::Bytes(bytes) = moved {
            self.bytes += bytes as u64;
        }
        let whole = !matches!(local.drain(&mut pipe), Moved::Broken | Moved::End);
        if pipe.is_empty() {
            pool.give_pipe(pipe);
        } else {
            self.piped = Some(pipe);
        }
        // A pipe that holds something may be full, which says nothing of the session.
        let unsure = moved == Moved::Blocked && !empty;
        (!unsure || !whole).then_some((moved, whole))
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
    pub(super) fn deliver(&mut self, local: &Stream, pool: &mut Pool) -> bool {
        if let Some(mut pipe) = self.piped.take() {
            let moved = local.drain(&mut pipe);
            if !pipe.is_empty() {
                self.piped = Some(pipe);
                return !matches!(moved, Moved::End | Moved::Broken);
            }
            pool.give_pipe(pipe);
        }
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
        self.kept.is_empty() && self.piped.is_none()
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
