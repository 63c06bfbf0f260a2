//! Messages that came: sorted, once each, bounded, until they are read.
//!
//! What comes ahead of its turn is held up to the window; what is in order waits to be read. A message
//! that arrives while [`MAX_UNREAD`] bytes wait is dropped, as IL has no flow control; the sender sends it
//! again.

use std::collections::VecDeque;

use super::packet::HEADER;
use super::{MAX_UNREAD, WINDOW};

/// The receiving half of a conversation.
#[derive(Clone, Debug)]
pub(super) struct Received {
    /// The last message that came in order.
    pub(super) last: u32,
    /// Bytes that wait to be read, without headers.
    pub(super) bytes: usize,
    ready: VecDeque<Vec<u8>>,
    /// Place `i` is for the message `i + 1` behind `last`, and place 0 is empty.
    ahead: VecDeque<Option<Vec<u8>>>,
    /// Something was not taken for lack of room.
    stalled: bool,
    /// Nobody will read: messages are acknowledged and forgotten.
    deaf: bool,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Placed {
    /// It came before.
    Duplicate,
    /// It is too far ahead.
    Outside,
    /// One before it is missing.
    Early,
    /// That many are in order now that were not.
    Ready(u32),
}

impl Received {
    pub(super) fn new() -> Self {
        let ahead = VecDeque::with_capacity(WINDOW);
        Self { last: 0, bytes: 0, ready: VecDeque::new(), ahead, stalled: false, deaf: false }
    }

    /// Whether there is room for another message; if not, the other side is owed word once there is.
    pub(super) fn admits(&mut self) -> bool {
        let full = self.cost() >= MAX_UNREAD;
        self.stalled |= full;
        !full
    }

    /// Whether that word is due: so much was read that it is worth it.
    pub(super) fn relieved(&mut self) -> bool {
        let relieved = self.stalled && self.cost() <= MAX_UNREAD / 2;
        self.stalled &= !relieved;
        relieved
    }

    /// With the headers: a message without bytes takes room too.
    fn cost(&self) -> usize {
        self.bytes + self.ready.len() * HEADER
    }

    /// Takes a message unless it is there or too far ahead.
    pub(super) fn place(&mut self, id: u32, message: &[u8]) -> Placed {
        let behind = id.wrapping_sub(self.last).cast_signed();
        let place = match usize::try_from(behind) {
            Err(_) | Ok(0) => return Placed::Duplicate,
            Ok(behind) if behind > WINDOW => return Placed::Outside,
            Ok(behind) => behind - 1,
        };
        if self.ahead.len() <= place {
            self.ahead.resize_with(place + 1, || None);
        }
        match self.ahead.get_mut(place) {
            Some(Some(_)) => return Placed::Duplicate,
            Some(free) => *free = Some(message.to_vec()),
            None => return Placed::Outside,
        }
        let mut count = 0;
        while let Some(Some(_)) = self.ahead.front()
            && let Some(message) = self.ahead.pop_front().flatten()
        {
            self.last = self.last.wrapping_add(1);
            count += 1;
            if !self.deaf {
                self.bytes += message.len();
                self.ready.push_back(message);
            }
        }
        if count > 0 { Placed::Ready(count) } else { Placed::Early }
    }

    /// The next message to read.
    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        let message = self.ready.pop_front()?;
        self.bytes -= message.len();
        Some(message)
    }

    /// What has not come in order will not come.
    pub(super) fn cut(&mut self) {
        self.ahead.clear();
    }

    /// Nobody reads any more.
    pub(super) fn deafen(&mut self) {
        self.deaf = true;
        self.ready.clear();
        self.bytes = 0;
    }
}
