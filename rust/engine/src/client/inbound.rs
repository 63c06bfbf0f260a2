//! The receive side of the session: frames found in the buffer they arrived in.
//!
//! A small frame is handed on whole. The payload of an Rread that belongs to a pump is handed on
//! in the pieces it arrives in, so it goes to the local socket straight from the receive buffer:
//! no copy, no waiting for a mebibyte to be complete. What is still to come of a large one may be
//! spliced by its pump; while large ones follow one another little is received at a time, so that
//! most of the next is still in the kernel when its head is known. A large frame that somebody
//! wants whole is gathered apart; its length was checked against msize before.
//!
//! Between bursts no buffer is held.

use netrelay_proto::deframe::Head;
use netrelay_proto::ids::Tag;

use super::buffers::{Buffer, CAPACITY, Pool};
use super::stream::{Moved, Stream};
use crate::pipe::WORTH;

/// Header and count of an Rread.
const RREAD_HEAD: usize = 11;
const RREAD: u8 = 117;

/// What is received at a time while large Rreads follow one another: a head and little more.
const HEADS: usize = 4 << 10;

/// What was found in the buffer.
#[derive(Debug)]
pub(crate) enum Arrival<'a> {
    /// A whole frame.
    Frame(Tag, u8, &'a [u8]),
    /// A piece of the payload of an Rread of `total` bytes; the last one if `last`. A payload of
    /// no bytes is one empty, last piece.
    Piece { tag: Tag, bytes: &'a [u8], total: u32, last: bool },
}

/// The receive buffer of a session.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    buffer: Option<Buffer>,
    start: usize,
    end: usize,
    /// Payload that is still to come, of which reply.
    streaming: Option<(Tag, u32, usize)>,
    /// A payload was spliced and no other frame has come since.
    bulk: bool,
    /// A frame too large for the buffer, and its size.
    gathered: Vec<u8>,
    size: usize,
    /// Bytes that the last receive asked for and got.
    asked: usize,
    got: usize,
}

impl Inbound {
    /// Receives once. Everything received before must have been taken.
    pub(crate) fn recv(&mut self, stream: &Stream, pool: &mut Pool) -> Moved {
        let buffer = self.buffer.get_or_insert_with(|| pool.take());
        if self.start > 0 {
            buffer.compact(self.start, self.end - self.start);
            self.end -= self.start;
            self.start = 0;
        }
        let most = match self.streaming {
            Some((_, _, left)) if self.bulk => left + HEADS,
            None if self.bulk && self.size == 0 => HEADS,
            _ => CAPACITY,
        };
        let room = buffer.room(self.end, most.min(CAPACITY));
        self.asked = room.len();
        let moved = stream.recv(room);
        self.got = if let Moved::Bytes(bytes) = moved { bytes } else { 0 };
        if let Moved::Bytes(bytes) = moved {
            self.end += bytes;
        }
        moved
    }

    /// Whether the last receive got all that it asked for, so that there may be more.
    pub(crate) fn filled(&self) -> bool {
        self.got == self.asked
    }

    /// The Rread of which a payload is to come, and how much of it, if it may be spliced: nothing
    /// that was received waits before it.
    pub(crate) fn owed(&self) -> Option<(Tag, usize)> {
        let (tag, _, left) = self.streaming?;
        (self.start == self.end && left >= WORTH).then_some((tag, left))
    }

    /// So many bytes of what is owed were spliced.
    pub(crate) fn spliced(&mut self, bytes: usize) -> Option<Arrival<'static>> {
        let (tag, total, left) = self.streaming?;
        let left = left.saturating_sub(bytes);
        self.streaming = (left > 0).then_some((tag, total, left));
        self.bulk = true;
        Some(Arrival::Piece { tag, bytes: &[], total, last: left == 0 })
    }

    /// Gives the buffer back if nothing is in it.
    pub(crate) fn rest(&mut self, pool: &mut Pool) {
        if self.size == 0 {
            self.gathered = Vec::new();
        }
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            if let Some(buffer) = self.buffer.take() {
                pool.give(buffer);
            }
        }
    }

    /// The next frame or piece; none when more must be received first.
    ///
    /// `streamed` says whether the Rread with this tag is wanted in pieces.
    ///
    /// # Errors
    /// The bytes are not 9P: the session is over.
    pub(crate) fn next(
        &mut self,
        msize: u32,
        streamed: impl Fn(Tag) -> bool,
    ) -> Result<Option<Arrival<'_>>, String> {
        if self.size > 0 {
            return self.gather(msize);
        }
        let Some(buffer) = self.buffer.as_ref() else { return Ok(None) };
        let bytes = buffer.payload(self.start, self.end - self.start);
        if let Some((tag, total, left)) = self.streaming {
            if bytes.is_empty() {
                return Ok(None);
            }
            let here = bytes.len().min(left);
            self.start += here;
            self.streaming = (here < left).then_some((tag, total, left - here));
            let bytes = bytes.get(..here).unwrap_or_default();
            return Ok(Some(Arrival::Piece { tag, bytes, total, last: here == left }));
        }
        let Some(head) = Head::parse(bytes, msize).map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        let size = head.size as usize;
        if head.kind == RREAD && streamed(head.tag) {
            let Some(count) = bytes.get(7..RREAD_HEAD) else {
                // A frame that ends before its count would never bring it.
                return if size < RREAD_HEAD {
                    Err("short in Rread.data".into())
                } else {
                    Ok(None)
                };
            };
            let count = count.iter().rev().fold(0, |sum: u32, byte| sum << 8 | u32::from(*byte));
            if count as usize != size - RREAD_HEAD {
                return Err("short in Rread.data".into());
            }
            let here = (bytes.len() - RREAD_HEAD).min(count as usize);
            self.start += RREAD_HEAD + here;
            let left = count as usize - here;
            self.streaming = (left > 0).then_some((head.tag, count, left));
            let bytes = bytes.get(RREAD_HEAD..RREAD_HEAD + here).unwrap_or_default();
            return Ok(Some(Arrival::Piece {
                tag: head.tag,
                bytes,
                total: count,
                last: left == 0,
            }));
        }
        if let Some(frame) = bytes.get(..size) {
            self.bulk = false;
            self.start += size;
            return Ok(Some(Arrival::Frame(head.tag, head.kind, frame)));
        }
        if size > CAPACITY / 2 {
            self.gathered = Vec::with_capacity(size);
            self.gathered.extend_from_slice(bytes);
            self.size = size;
            self.start = self.end;
        }
        Ok(None)
    }

    fn gather(&mut self, msize: u32) -> Result<Option<Arrival<'_>>, String> {
        let missing = self.size - self.gathered.len();
        let here = missing.min(self.end - self.start);
        let bytes = self.buffer.as_ref().map(|buffer| buffer.payload(self.start, here));
        self.gathered.extend_from_slice(bytes.unwrap_or_default());
        self.start += here;
        if self.gathered.len() < self.size {
            return Ok(None);
        }
        self.size = 0;
        let head = Head::parse(&self.gathered, msize).map_err(|error| error.to_string())?;
        Ok(head.map(|head| Arrival::Frame(head.tag, head.kind, &self.gathered)))
    }
}
