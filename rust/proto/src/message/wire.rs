//! Messages to bytes and back: the [`Source`] and the [`Sink`] of frames.
//!
//! Decoding borrows and allocates nothing. Encoding appends to the caller's buffer, and leaves it as it
//! was when the frame would not fit.

use super::{Message, Names, Qids, Sink, Source, Stat, name_of};
use crate::cursor::Cursor;
use crate::deframe::Head;
use crate::dialect::Dialect;
use crate::dir;
use crate::error::{DecodeError, FrameTooBig, Reason};
use crate::ids::{NONUNAME, Qid, Tag};

/// The tag and message of one whole frame; strings and payloads borrow from it.
///
/// # Errors
/// The body does not fit the type, or the frame's size is not that of `frame`.
#[inline]
pub fn decode(frame: &[u8], dialect: Dialect) -> Result<(Tag, Message<'_>), DecodeError> {
    let (head, body) = split(frame)?;
    if !has(dialect, head.kind) {
        return Err(unknown(head.kind));
    }
    let mut wire = Wire { cursor: Cursor::new(body, name_of(head.kind)), dialect };
    let Some(message) = Message::read(head.kind, &mut wire)? else {
        return Err(unknown(head.kind));
    };
    wire.cursor.end()?;
    Ok((head.tag, message))
}

/// Appends one whole frame of at most `msize` bytes to `out`.
///
/// # Errors
/// It does not fit, or a string of it does not fit its length field; `out` is left as it was.
#[inline]
pub fn encode(
    tag: Tag,
    message: &Message<'_>,
    dialect: Dialect,
    msize: u32,
    out: &mut Vec<u8>,
) -> Result<(), FrameTooBig> {
    let start = out.len();
    let [low, high] = tag.0.to_le_bytes();
    out.extend_from_slice(&[0, 0, 0, 0, message.kind(), low, high]);
    let mut frame = Frame { out, dialect, start, msize };
    let written = message.write(&mut frame).and_then(|()| frame.finish());
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// Whether a dialect has a message type.
pub(crate) fn has(dialect: Dialect, kind: u8) -> bool {
    match dialect {
        Dialect::L => !matches!(kind, 107 | 112..=115 | 124..=127),
        Dialect::P2000 | Dialect::U => kind >= 100,
    }
}

fn split(frame: &[u8]) -> Result<(Head, &[u8]), DecodeError> {
    let short = DecodeError { reason: Reason::Short, message: "frame", field: "size".into() };
    let whole = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    match (Head::parse(frame, whole), frame.get(Head::SIZE..)) {
        (Ok(Some(head)), Some(body)) if head.size == whole => Ok((head, body)),
        _ => Err(short),
    }
}

#[cold]
fn unknown(kind: u8) -> DecodeError {
    DecodeError { reason: Reason::Type, message: "frame", field: kind.to_string().into() }
}

/// Reads fields from a frame's body.
struct Wire<'a> {
    cursor: Cursor<'a>,
    dialect: Dialect,
}

impl Wire<'_> {
    #[inline]
    fn count(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        let count = self.cursor.u16(field)?;
        if count > 16 { Err(self.cursor.error(Reason::Count, field)) } else { Ok(count) }
    }
}

impl<'a> Source<'a> for Wire<'a> {
    type Error = DecodeError;

    #[inline]
    fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.cursor.u8(field)
    }

    #[inline]
    fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.cursor.u16(field)
    }

    #[inline]
    fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.cursor.u32(field)
    }

    #[inline]
    fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.cursor.u64(field)
    }

    #[inline]
    fn qid(&mut self, field: &'static str) -> Result<Qid, DecodeError> {
        self.cursor.qid(field)
    }

    #[inline]
    fn text(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        self.cursor.string(field)
    }

    #[inline]
    fn data(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let count = self.cursor.u32(field)?;
        // A count that usize can't hold is beyond any frame.
        self.cursor.bytes(usize::try_from(count).unwrap_or(usize::MAX), field)
    }

    fn names(&mut self, field: &'static str) -> Result<Names<'a>, DecodeError> {
        let mut names = Names::default();
        for _ in 0..self.count(field)? {
            let name = self.cursor.string(field)?;
            names.push(name).map_err(|_| self.cursor.error(Reason::Count, field))?;
        }
        Ok(names)
    }

    fn qids(&mut self, field: &'static str) -> Result<Qids, DecodeError> {
        let mut qids = Qids::default();
        for _ in 0..self.count(field)? {
            let qid = self.cursor.qid(field)?;
            qids.push(qid).map_err(|_| self.cursor.error(Reason::Count, field))?;
        }
        Ok(qids)
    }

    fn stat(&mut self, field: &'static str) -> Result<Stat<'a>, DecodeError> {
        let size = self.cursor.u16(field)?;
        let record = self.cursor.bytes(usize::from(size), field)?;
        dir::take_stat(record, self.dialect).map_err(|reason| self.cursor.error(reason, field))
    }

    fn n_uname(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        if self.dialect == Dialect::P2000 { Ok(NONUNAME) } else { self.u32(field) }
    }

    fn errno(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        if self.dialect == Dialect::U { self.u32(field) } else { Ok(0) }
    }

    fn extension(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        if self.dialect == Dialect::U { self.text(field) } else { Ok("") }
    }

    /// Old clients send the fid alone.
    fn datasync(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        if self.cursor.left() == 0 { Ok(0) } else { self.u32(field) }
    }
}

/// Writes fields behind a frame's header.
struct Frame<'o> {
    out: &'o mut Vec<u8>,
    dialect: Dialect,
    start: usize,
    msize: u32,
}

impl Frame<'_> {
    #[inline]
    fn finish(&mut self) -> Result<(), FrameTooBig> {
        let size = self.out.len() - self.start;
        let fitting = u32::try_from(size).ok().filter(|size| *size <= self.msize);
        let room = self.out.get_mut(self.start..).and_then(|frame| frame.first_chunk_mut());
        let (Some(fitting), Some(room)) = (fitting, room) else {
            return Err(FrameTooBig { size, limit: self.msize });
        };
        *room = fitting.to_le_bytes();
        Ok(())
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }
}

impl Sink for Frame<'_> {
    type Error = FrameTooBig;

    #[inline]
    fn u8(&mut self, _: &'static str, value: u8) -> Result<(), FrameTooBig> {
        self.out.push(value);
        Ok(())
    }

    #[inline]
    fn u16(&mut self, _: &'static str, value: u16) -> Result<(), FrameTooBig> {
        self.put(&value.to_le_bytes());
        Ok(())
    }

    #[inline]
    fn u32(&mut self, _: &'static str, value: u32) -> Result<(), FrameTooBig> {
        self.put(&value.to_le_bytes());
        Ok(())
    }

    #[inline]
    fn u64(&mut self, _: &'static str, value: u64) -> Result<(), FrameTooBig> {
        self.put(&value.to_le_bytes());
        Ok(())
    }

    #[inline]
    fn qid(&mut self, _: &'static str, value: Qid) -> Result<(), FrameTooBig> {
        dir::put_qid(value, self.out);
        Ok(())
    }

    #[inline]
    fn text(&mut self, _: &'static str, value: &str) -> Result<(), FrameTooBig> {
        dir::put_string(value, self.out)
    }

    #[inline]
    fn data(&mut self, _: &'static str, value: &[u8]) -> Result<(), FrameTooBig> {
        // Looked at before it is copied: a payload may be larger than any frame.
        let count = u32::try_from(value.len()).ok().filter(|count| *count <= self.msize);
        let too_big = FrameTooBig { size: value.len(), limit: self.msize };
        self.put(&count.ok_or(too_big)?.to_le_bytes());
        self.put(value);
        Ok(())
    }

    fn names(&mut self, field: &'static str, value: &Names<'_>) -> Result<(), FrameTooBig> {
        self.u16(field, u16::try_from(value.len()).unwrap_or(16))?;
        value.iter().try_for_each(|name| self.text(field, name))
    }

    fn qids(&mut self, field: &'static str, value: &Qids) -> Result<(), FrameTooBig> {
        self.u16(field, u16::try_from(value.len()).unwrap_or(16))?;
        value.iter().try_for_each(|qid| self.qid(field, *qid))
    }

    fn stat(&mut self, _: &'static str, value: &Stat<'_>) -> Result<(), FrameTooBig> {
        let before = self.out.len();
        self.put(&[0, 0]);
        dir::put_stat(value, self.dialect, self.out)?;
        dir::put_size(before, self.out)
    }

    fn n_uname(&mut self, field: &'static str, value: u32) -> Result<(), FrameTooBig> {
        if self.dialect == Dialect::P2000 { Ok(()) } else { self.u32(field, value) }
    }

    fn errno(&mut self, field: &'static str, value: u32) -> Result<(), FrameTooBig> {
        if self.dialect == Dialect::U { self.u32(field, value) } else { Ok(()) }
    }

    fn extension(&mut self, field: &'static str, value: &str) -> Result<(), FrameTooBig> {
        if self.dialect == Dialect::U { self.text(field, value) } else { Ok(()) }
    }
}
