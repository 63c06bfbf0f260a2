//! What a session has yet to send: small replies batched, large payloads in their own buffers.
//!
//! Small replies are encoded behind one another into one text; an Rread's payload stays in the
//! buffer it was received into, with its header right before it, or in the kernel. One `sendmsg`
//! takes all but the latter, so the replies of a turn cost one system call. An empty queue holds no
//! buffer.
//!
//! It does not decide when to send, nor what happens when the client doesn't read: the session
//! looks at [`Replies::len`] for that.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem;
use std::os::fd::BorrowedFd;

use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

use crate::buffers::{Payload, Pool};
use crate::pipe::Pipe;

/// Slices that one `sendmsg` is given. A turn seldom has more; what is left goes with the next call.
const SLICES: usize = 32;

/// Up to here a payload is copied behind the small replies instead of travelling by itself: the
/// copy is cheaper than another slice and a buffer kept busy until the client has read it.
const COPIED: usize = 16 << 10;

/// Sent bytes at the front of the small replies that are worth moving the rest for. Without it a
/// client that always leaves one byte unread would make the text grow without end.
const RECLAIMED: usize = 64 << 10;

/// The out queue of one session.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    parts: VecDeque<Part>,
    /// Bytes in `parts`, less what of the first has been sent.
    queued: usize,
    /// Small replies behind `parts`.
    tail: Vec<u8>,
    /// Bytes at the front of the first part, or of `tail`, that have been sent.
    sent: usize,
}

impl Replies {
    /// Bytes not sent yet.
    pub(crate) fn len(&self) -> usize {
        self.queued + self.tail.len() - if self.parts.is_empty() { self.sent } else { 0 }
    }

    /// Whether everything has been sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.tail.is_empty()
    }

    /// Where small replies are appended; only appending is legal.
    pub(crate) fn text(&mut self, pool: &mut Pool) -> &mut Vec<u8> {
        if self.tail.capacity() == 0 {
            self.tail = pool.text();
        }
        &mut self.tail
    }

    /// Sends `payload`, whose header is in place, behind what is queued.
    pub(crate) fn push(&mut self, payload: Payload, pool: &mut Pool) {
        if payload.len() <= COPIED {
            self.text(pool).extend_from_slice(payload.bytes());
            pool.give(payload);
            return;
        }
        self.close_tail(pool);
        self.queued += payload.len();
        self.parts.push_back(Part::Payload(payload));
    }

    /// Sends `head` and then what `pipe` holds behind what is queued.
    pub(crate) fn push_pipe(&mut self, head: &[u8], pipe: Pipe, pool: &mut Pool) {
        self.text(pool).extend_from_slice(head);
        self.close_tail(pool);
        self.queued += pipe.len();
        self.parts.push_back(Part::Pipe(pipe));
    }

    /// What is appended from now on comes behind the next part.
    fn close_tail(&mut self, pool: &mut Pool) {
        if !self.tail.is_empty() {
            self.queued += self.tail.len() - if self.parts.is_empty() { self.sent } else { 0 };
            let text = mem::replace(&mut self.tail, pool.text());
            self.parts.push_back(Part::Text(text));
        }
    }

    /// Sends as much as the socket takes; `Ok(false)` when it would take no more.
    ///
    /// # Errors
    /// The transport is gone.
    pub(crate) fn send(&mut self, fd: BorrowedFd<'_>, pool: &mut Pool) -> io::Result<bool> {
        while !self.is_empty() {
            if let Some(Part::Pipe(pipe)) = self.parts.front_mut() {
                self.queued -= pipe.drain(fd)?;
                if !pipe.is_empty() {
                    return Ok(false);
                }
                self.parts.pop_front().into_iter().for_each(|part| part.give(pool));
                continue;
            }
            let (offered, sent) = self.send_once(fd)?;
            self.consume(sent, pool);
            if sent < offered {
                return Ok(false);
            }
        }
        pool.give_text(mem::take(&mut self.tail));
        Ok(true)
    }

    /// Gives all buffers back; what was not sent is lost.
    pub(crate) fn discard(&mut self, pool: &mut Pool) {
        for part in self.parts.drain(..) {
            part.give(pool);
        }
        pool.give_text(mem::take(&mut self.tail));
        self.queued = 0;
        self.sent = 0;
    }

    fn send_once(&self, fd: BorrowedFd<'_>) -> io::Result<(usize, usize)> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut offered = 0;
        let mut used = 0;
        let mut skip = self.sent;
        let mut flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let parts = self.parts.iter().map(Part::bytes).chain([Some(self.tail.as_slice())]);
        for (slot, bytes) in slices.iter_mut().zip(parts) {
            let Some(bytes) = bytes else {
                // The header of what is spliced next leaves with it.
                flags |= SendFlags::MORE;
                break;
            };
            let bytes = bytes.get(skip..).unwrap_or_default();
            skip = 0;
            *slot = IoSlice::new(bytes);
            offered += bytes.len();
            used += 1;
        }
        let slices = slices.get(..used).unwrap_or_default();
        loop {
            return match sendmsg(fd, slices, &mut SendAncillaryBuffer::default(), flags) {
                Ok(sent) => Ok((offered, sent)),
                Err(rustix::io::Errno::AGAIN) => Ok((offered, 0)),
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => Err(error.into()),
            };
        }
    }

    fn consume(&mut self, mut count: usize, pool: &mut Pool) {
        while let Some(part) = self.parts.front() {
            // Nothing behind a pipe has been sent by then.
            let Some(bytes) = part.bytes() else { return };
            let left = bytes.len() - self.sent;
            if count < left {
                self.sent += count;
                self.queued -= count;
                return;
            }
            count -= left;
            self.queued -= left;
            self.sent = 0;
            if let Some(part) = self.parts.pop_front() {
                part.give(pool);
            }
        }
        self.sent += count;
        if self.sent == self.tail.len() {
            self.tail.clear();
            self.sent = 0;
        } else if self.sent > RECLAIMED && self.sent > self.tail.len() / 2 {
            self.tail.drain(..self.sent);
            self.sent = 0;
        }
    }
}

#[derive(Debug)]
enum Part {
    Text(Vec<u8>),
    Payload(Payload),
    Pipe(Pipe),
}

impl Part {
    /// What is sent of it; none of a pipe, whose bytes are the kernel's.
    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text),
            Self::Payload(payload) => Some(payload.bytes()),
            Self::Pipe(_) => None,
        }
    }

    fn give(self, pool: &mut Pool) {
        match self {
            Self::Text(text) => pool.give_text(text),
            Self::Payload(payload) => pool.give(payload),
            Self::Pipe(pipe) => pool.give_pipe(pipe),
        }
    }
}
