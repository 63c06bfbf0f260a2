//! What waits to be sent on the session, in two lanes.
//!
//! Small frames go ahead of payloads that have not begun, so that a keystroke or a Tread never
//! waits behind megabytes of somebody's upload; frames are never torn. A payload is sent from the
//! buffer that it was received into. All that a turn of the loop produced leaves in one send.
//!
//! Overtaking is safe between fids only. Whoever has a payload of a fid in the slow lane puts
//! what must stay behind it into the slow lane as well ([`Lane::Behind`]).

use std::collections::VecDeque;
use std::io::IoSlice;

use super::buffers::{Buffer, Pool};
use super::stream::{Moved, Stream};

/// Slices given to one send. The kernel takes 1024; with frames of 256 KiB, 64 of them are more
/// than any socket's buffer.
const SLICES: usize = 64;

/// Where a small frame waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lane {
    /// Ahead of every payload that has not begun.
    Ahead,
    /// Behind everything that waits.
    Behind,
}

/// The send queue of a session.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    small: Vec<u8>,
    slow: VecDeque<Piece>,
    /// Bytes of `slow`'s first piece that are gone.
    begun: usize,
    waiting: usize,
}

#[derive(Debug)]
enum Piece {
    Small(Vec<u8>),
    Payload { buffer: Buffer, head: usize, len: usize, owner: usize },
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Small(bytes) => bytes,
            Self::Payload { buffer, head, len, .. } => buffer.frame(*head, *len),
        }
    }
}

impl Outbound {
    /// Bytes that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Queues one whole frame that `write` appends; what `write` says of it is handed back.
    pub(crate) fn frame<T>(&mut self, lane: Lane, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        if lane == Lane::Ahead {
            let before = self.small.len();
            let said = write(&mut self.small);
            self.waiting += self.small.len() - before;
            return said;
        }
        let mut bytes = Vec::new();
        let said = write(&mut bytes);
        if !bytes.is_empty() {
            self.waiting += bytes.len();
            self.slow.push_back(Piece::Small(bytes));
        }
        said
    }

    /// Queues a frame of `head` and the first `len` payload bytes of `buffer`; `owner` is told
    /// when it is gone.
    pub(crate) fn payload(&mut self, mut buffer: Buffer, head: &[u8], len: usize, owner: usize) {
        buffer.set_head(head);
        self.waiting += head.len() + len;
        self.slow.push_back(Piece::Payload { buffer, head: head.len(), len, owner });
    }

    /// Sends what the kernel takes. `gone` is called with the owner of each payload that left.
    pub(crate) fn send(
        &mut self,
        stream: &Stream,
        pool: &mut Pool,
        mut gone: impl FnMut(usize),
    ) -> Moved {
        let mut slices: Vec<IoSlice<'_>> = Vec::with_capacity(SLICES.min(self.slow.len() + 1));
        let mut rest = self.slow.iter();
        if self.begun > 0 {
            let first = rest.next().map(Piece::bytes).unwrap_or_default();
            slices.push(IoSlice::new(first.get(self.begun..).unwrap_or_default()));
        }
        if !self.small.is_empty() {
            slices.push(IoSlice::new(&self.small));
        }
        slices.extend(rest.take(SLICES - slices.len()).map(|piece| IoSlice::new(piece.bytes())));
        let moved = stream.send_all_of(&slices);
        if let Moved::Bytes(bytes) = moved {
            self.sent(bytes, pool, &mut gone);
        }
        moved
    }

    fn sent(&mut self, mut bytes: usize, pool: &mut Pool, gone: &mut impl FnMut(usize)) {
        self.waiting -= bytes;
        if self.begun > 0 {
            bytes = self.take_first(bytes, pool, gone);
        }
        // Within a frame torn by the kernel the rest of the small lane is next, whatever joins
        // it: `begun` counts only the slow lane, and the small one is cut from its front.
        let small = bytes.min(self.small.len());
        if self.begun == 0 {
            self.small.drain(..small);
            bytes -= small;
        }
        while bytes > 0 {
            bytes = self.take_first(bytes, pool, gone);
        }
    }

    /// Takes up to `bytes` off the first piece of the slow lane; answers what is left of them.
    fn take_first(&mut self, bytes: usize, pool: &mut Pool, gone: &mut impl FnMut(usize)) -> usize {
        let left = self.slow.front().map_or(0, |piece| piece.bytes().len() - self.begun);
        if bytes < left {
            self.begun += bytes;
            return 0;
        }
        self.begun = 0;
        if let Some(Piece::Payload { buffer, owner, .. }) = self.slow.pop_front() {
            pool.give(buffer);
            gone(owner);
        }
        bytes - left
    }
}
