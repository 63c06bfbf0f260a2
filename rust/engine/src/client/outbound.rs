//! What waits to be sent on the session, in two lanes.
//!
//! Small frames go ahead of payloads that have not begun, so that a keystroke or a Tread never
//! waits behind megabytes of somebody's upload; frames are never torn. A payload is sent from the
//! buffer that it was received into, or spliced from a pipe. All that a turn of the loop produced
//! leaves in one send, up to the first pipe.
//!
//! Overtaking is safe between fids only. Whoever has a payload of a fid in the slow lane puts
//! what must stay behind it into the slow lane as well ([`Lane::Behind`]).

use std::collections::VecDeque;
use std::io::IoSlice;

use super::buffers::{Buffer, Pool};
use super::stream::{Moved, Stream};
use crate::pipe::Pipe;

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
    Payload {
        buffer: Buffer,
        head: usize,
        len: usize,
        owner: usize,
    },
    /// A header, and its payload in a pipe.
    Piped {
        head: Box<[u8]>,
        pipe: Pipe,
        owner: usize,
    },
}

impl Piece {
    /// What is sent from memory.
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Small(bytes) => bytes,
            Self::Payload { buffer, head, len, .. } => buffer.frame(*head, *len),
            Self::Piped { head, .. } => head,
        }
    }

    fn is_piped(&self) -> bool {
        matches!(self, Self::Piped { .. })
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

    /// Queues a frame of `head` and what `pipe` holds.
    pub(crate) fn piped(&mut self, head: &[u8], pipe: Pipe, owner: usize) {
        self.waiting += head.len() + pipe.len();
        self.slow.push_back(Piece::Piped { head: head.into(), pipe, owner });
    }

    /// Sends what the kernel takes. `gone` is called with the owner of each payload that left.
    pub(crate) fn send(
        &mut self,
        stream: &Stream,
        pool: &mut Pool,
        mut gone: impl FnMut(usize),
    ) -> Moved {
        if let Some(Piece::Piped { head, pipe, .. }) = self.slow.front_mut()
            && self.begun == head.len()
        {
            let moved = stream.drain(pipe);
            if let Moved::Bytes(bytes) = moved {
                self.waiting -= bytes;
                if pipe.is_empty() {
                    self.leave_first(pool, &mut gone);
                }
            }
            return moved;
        }
        let mut slices: Vec<IoSlice<'_>> = Vec::with_capacity(SLICES.min(self.slow.len() + 1));
        // Nothing is sent behind a header whose payload is in a pipe.
        let mut piped = false;
        let mut rest = self.slow.iter();
        if self.begun > 0
            && let Some(first) = rest.next()
        {
            slices.push(IoSlice::new(first.bytes().get(self.begun..).unwrap_or_default()));
            piped = first.is_piped();
        }
        if !self.small.is_empty() && !piped {
            slices.push(IoSlice::new(&self.small));
        }
        while !piped
            && slices.len() < SLICES
            && let Some(piece) = rest.next()
        {
            slices.push(IoSlice::new(piece.bytes()));
            piped = piece.is_piped();
        }
        let moved = stream.send_all_of(&slices, piped);
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
        if bytes < left || self.slow.front().is_some_and(Piece::is_piped) {
            self.begun += bytes.min(left);
            return bytes - bytes.min(left);
        }
        self.leave_first(pool, gone);
        bytes - left
    }

    /// The first piece of the slow lane is gone.
    fn leave_first(&mut self, pool: &mut Pool, gone: &mut impl FnMut(usize)) {
        self.begun = 0;
        match self.slow.pop_front() {
            Some(Piece::Payload { buffer, owner, .. }) => {
                pool.give(buffer);
                gone(owner);
            }
            Some(Piece::Piped { pipe, owner, .. }) => {
                pool.give_pipe(pipe);
                gone(owner);
            }
            Some(Piece::Small(_)) | None => {}
        }
    }
}
