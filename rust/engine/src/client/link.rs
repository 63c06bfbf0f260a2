//! The session as dials and pumps use it: requests in, tags out.
//!
//! It owns the table of outstanding requests, the send queue and the buffers, and knows what the
//! server agreed to. It neither sends nor receives: the worker does, once a turn.

use netrelay_proto::dialect::Dialect;
use netrelay_proto::ids::{Fid, Tag};
use netrelay_proto::message::{Message, Tclunk, Tflush, Tread, encode};

use super::buffers::{Buffer, Pool};
use super::calls::{Calls, Purpose};
use super::outbound::{Lane, Outbound};
use crate::pipe::Pipe;

/// What client and server agreed on at the start of the session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Agreed {
    /// What the bytes mean.
    pub dialect: Dialect,
    /// Largest frame, header included.
    pub msize: u32,
    /// Whether the server promised the window of protocol.md, section 6.
    pub windowed: bool,
}

impl Agreed {
    /// Most payload bytes of one request or reply.
    pub(crate) const fn iounit(self) -> u32 {
        self.msize.saturating_sub(24)
    }
}

/// A Twrite's header and fixed part.
pub(crate) const TWRITE_HEAD: usize = 23;
const TWRITE: u8 = 118;
const TFLUSH: u8 = 108;
const TCLUNK: u8 = 120;

/// Payloads up to this are copied next to the other small frames; more is sent from the buffer
/// it was received into. Below a page the copy costs less than a slice of its own.
const SMALL_PAYLOAD: usize = 4096;

/// The session's requests and what they need.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) agreed: Agreed,
    pub(crate) calls: Calls,
    pub(crate) out: Outbound,
    pub(crate) pool: Pool,
    /// Payload bytes in unanswered Twrites of all pumps.
    pub(crate) unanswered: usize,
    scratch: Vec<u8>,
}

impl Link {
    pub(crate) fn new(agreed: Agreed) -> Self {
        Self {
            agreed,
            calls: Calls::default(),
            out: Outbound::default(),
            pool: Pool::default(),
            unanswered: 0,
            scratch: Vec::new(),
        }
    }

    /// Queues a request; none when no tag is free or it does not fit msize.
    pub(crate) fn request(
        &mut self,
        message: &Message<'_>,
        purpose: Purpose,
        lane: Lane,
    ) -> Option<Tag> {
        let Agreed { dialect, msize, .. } = self.agreed;
        self.scratch.clear();
        encode(Tag(0), message, dialect, msize, &mut self.scratch).ok()?;
        let asked = if let Message::Tread(read) = message { read.count } else { 0 };
        let kind = self.scratch.get(4).copied()?;
        let tag = self.calls.begin(kind, asked, purpose)?;
        self.queue(tag, lane);
        Some(tag)
    }

    /// Queues a whole frame of the embedding program's; its tag becomes ours.
    pub(crate) fn raw(&mut self, frame: &[u8], purpose: Purpose) -> Option<Tag> {
        let kind = frame.get(4).copied()?;
        let tag = self.calls.begin(kind, u32::MAX, purpose)?;
        self.scratch.clear();
        self.scratch.extend_from_slice(frame);
        self.queue(tag, Lane::Ahead);
        Some(tag)
    }

    /// Queues the Tread of a pump.
    pub(crate) fn read(&mut self, fid: Fid, offset: u64, count: u32, owner: usize) -> Option<Tag> {
        let read = Message::Tread(Tread { fid, offset, count });
        self.request(&read, Purpose::Read(owner), Lane::Ahead)
    }

    /// Queues a Twrite of the first `len` bytes of `buffer`, and says whether the payload waits
    /// in the slow lane. The buffer comes back by the pool.
    pub(crate) fn write(
        &mut self,
        fid: Fid,
        offset: u64,
        (buffer, len): (Buffer, usize),
        lane: Lane,
        owner: usize,
    ) -> Option<(Tag, bool)> {
        let (tag, head) = self.begin_write(fid, offset, len, owner)?;
        if len > SMALL_PAYLOAD || lane == Lane::Behind {
            self.out.payload(buffer, &head, len, owner);
            return Some((tag, true));
        }
        self.out.frame(Lane::Ahead, |out| {
            out.extend_from_slice(&head);
            out.extend_from_slice(buffer.payload(0, len));
        });
        self.pool.give(buffer);
        Some((tag, false))
    }

    /// Queues a Twrite of what `pipe` holds, in the slow lane. The pipe comes back by the pool.
    pub(crate) fn write_piped(
        &mut self,
        fid: Fid,
        offset: u64,
        pipe: Pipe,
        owner: usize,
    ) -> Option<Tag> {
        let (tag, head) = self.begin_write(fid, offset, pipe.len(), owner)?;
        self.out.piped(&head, pipe, owner);
        Some(tag)
    }

    /// The tag and header of a Twrite of `len` bytes; none when no tag is free.
    fn begin_write(
        &mut self,
        fid: Fid,
        offset: u64,
        len: usize,
        owner: usize,
    ) -> Option<(Tag, [u8; TWRITE_HEAD])> {
        let count = u32::try_from(len).ok()?;
        let tag = self.calls.begin(TWRITE, count, Purpose::Write(owner))?;
        let mut head = [0; TWRITE_HEAD];
        let size = count + 23;
        let fields: [&[u8]; 6] = [
            &size.to_le_bytes(),
            &[TWRITE],
            &tag.0.to_le_bytes(),
            &fid.0.to_le_bytes(),
            &offset.to_le_bytes(),
            &count.to_le_bytes(),
        ];
        head.iter_mut().zip(fields.iter().copied().flatten()).for_each(|(to, from)| *to = *from);
        self.unanswered += len;
        Some((tag, head))
    }

    /// Queues the Tflush of `oldtag`, unless it is answered or flushed already.
    pub(crate) fn flush(&mut self, oldtag: Tag, lane: Lane) {
        let Some(tag) = self.calls.flush(oldtag, TFLUSH) else { return };
        self.plain(&Message::Tflush(Tflush { oldtag }), tag, lane);
    }

    /// Queues a Tclunk.
    pub(crate) fn clunk(&mut self, fid: Fid, purpose: Purpose) -> bool {
        let Some(tag) = self.calls.begin(TCLUNK, 0, purpose) else { return false };
        self.plain(&Message::Tclunk(Tclunk { fid }), tag, Lane::Ahead);
        true
    }

    fn plain(&mut self, message: &Message<'_>, tag: Tag, lane: Lane) {
        let Agreed { dialect, msize, .. } = self.agreed;
        self.scratch.clear();
        // Two of the smallest messages there are; every msize holds them.
        if encode(tag, message, dialect, msize, &mut self.scratch).is_ok() {
            self.queue(tag, lane);
        }
    }

    /// Sends what is in `scratch` off under `tag`.
    fn queue(&mut self, tag: Tag, lane: Lane) {
        if let Some(place) = self.scratch.get_mut(5..7) {
            place.copy_from_slice(&tag.0.to_le_bytes());
        }
        let scratch = &self.scratch;
        self.out.frame(lane, |out| out.extend_from_slice(scratch));
    }
}
