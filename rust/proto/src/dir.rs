//! Stat records (stat(5)) and the entries of Rreaddir: what directories are read as.
//!
//! A record carries its own size and, inside an Rstat or Twstat, stands behind another; the two must
//! agree. Entries are whole or not there: the packers say when one does not fit, and leave the
//! output as it was.

use crate::cursor::Cursor;
use crate::dialect::Dialect;
use crate::error::{DecodeError, FrameTooBig, Reason};
use crate::ids::{NONUNAME, Qid};
use crate::message::Stat;

/// An entry of Rreaddir (9P2000.L).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Dirent<'a> {
    /// The file's qid.
    pub qid: Qid,
    /// The offset to ask for the next entry with.
    pub offset: u64,
    /// readdir(3)'s `d_type`; `type` on the wire.
    pub kind: u8,
    /// The file's name.
    pub name: &'a str,
}

/// Appends one record with its own size in front.
///
/// # Errors
/// A string or the record does not fit its length field; `out` is left as it was.
pub fn put_stat(stat: &Stat<'_>, dialect: Dialect, out: &mut Vec<u8>) -> Result<(), FrameTooBig> {
    let before = out.len();
    let done = put_fields(stat, dialect, out).and_then(|()| put_size(before, out));
    if done.is_err() {
        out.truncate(before);
    }
    done
}

fn put_fields(stat: &Stat<'_>, dialect: Dialect, out: &mut Vec<u8>) -> Result<(), FrameTooBig> {
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&stat.kind.to_le_bytes());
    out.extend_from_slice(&stat.dev.to_le_bytes());
    put_qid(stat.qid, out);
    for number in [stat.mode, stat.atime, stat.mtime] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&stat.length.to_le_bytes());
    for name in [stat.name, stat.uid, stat.gid, stat.muid] {
        put_string(name, out)?;
    }
    if dialect == Dialect::U {
        put_string(stat.extension, out)?;
        for number in [stat.n_uid, stat.n_gid, stat.n_muid] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
    Ok(())
}

/// The one record that fills `data`. Its caller knows what to call the place.
pub(crate) fn take_stat(data: &[u8], dialect: Dialect) -> Result<Stat<'_>, Reason> {
    let mut cursor = Cursor::new(data, "stat");
    match take_fields(&mut cursor, dialect) {
        Ok(stat) if cursor.left() == 0 => Ok(stat),
        Err(DecodeError { reason: reason @ (Reason::Utf8 | Reason::Nul), .. }) => Err(reason),
        _ => Err(Reason::Stat),
    }
}

fn take_fields<'a>(cursor: &mut Cursor<'a>, dialect: Dialect) -> Result<Stat<'a>, DecodeError> {
    if usize::from(cursor.u16("size")?) != cursor.left() {
        return Err(cursor.error(Reason::Stat, "size"));
    }
    let mut stat = Stat {
        kind: cursor.u16("type")?,
        dev: cursor.u32("dev")?,
        qid: cursor.qid("qid")?,
        mode: cursor.u32("mode")?,
        atime: cursor.u32("atime")?,
        mtime: cursor.u32("mtime")?,
        length: cursor.u64("length")?,
        name: cursor.string("name")?,
        uid: cursor.string("uid")?,
        gid: cursor.string("gid")?,
        muid: cursor.string("muid")?,
        extension: "",
        n_uid: NONUNAME,
        n_gid: NONUNAME,
        n_muid: NONUNAME,
    };
    if dialect == Dialect::U {
        stat.extension = cursor.string("extension")?;
        stat.n_uid = cursor.u32("n_uid")?;
        stat.n_gid = cursor.u32("n_gid")?;
        stat.n_muid = cursor.u32("n_muid")?;
    }
    Ok(stat)
}

/// The records of a directory read, first to last.
pub fn stats(data: &[u8], dialect: Dialect) -> Stats<'_> {
    Stats { left: data, dialect }
}

/// Iterates over the records of a directory read; ends behind the first that is none.
#[derive(Clone, Debug)]
pub struct Stats<'a> {
    left: &'a [u8],
    dialect: Dialect,
}

impl<'a> Iterator for Stats<'a> {
    type Item = Result<Stat<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let whole = std::mem::take(&mut self.left);
        let error = |reason, field: &'static str| {
            Some(Err(DecodeError { reason, message: "stat", field: field.into() }))
        };
        if whole.is_empty() {
            return None;
        }
        let size = whole.first_chunk().map(|size| usize::from(u16::from_le_bytes(*size)) + 2);
        let Some((record, left)) = size.and_then(|size| whole.split_at_checked(size)) else {
            return error(Reason::Short, "size");
        };
        match take_stat(record, self.dialect) {
            Ok(stat) => {
                self.left = left;
                Some(Ok(stat))
            }
            Err(reason) => error(reason, "record"),
        }
    }
}

/// Appends one entry.
///
/// # Errors
/// The name does not fit its length field; `out` is left as it was.
pub fn put_dirent(entry: &Dirent<'_>, out: &mut Vec<u8>) -> Result<(), FrameTooBig> {
    let before = out.len();
    put_qid(entry.qid, out);
    out.extend_from_slice(&entry.offset.to_le_bytes());
    out.push(entry.kind);
    let done = put_string(entry.name, out);
    if done.is_err() {
        out.truncate(before);
    }
    done
}

/// The entries in the data of an Rreaddir, first to last.
pub fn dirents(data: &[u8]) -> Dirents<'_> {
    Dirents { cursor: Cursor::new(data, "Rreaddir") }
}

/// Iterates over directory entries; ends behind the first that is none.
#[derive(Clone, Debug)]
pub struct Dirents<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Iterator for Dirents<'a> {
    type Item = Result<Dirent<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.cursor.left() == 0 {
            return None;
        }
        let entry = take_dirent(&mut self.cursor);
        if entry.is_err() {
            self.cursor = Cursor::new(&[], "Rreaddir");
        }
        Some(entry)
    }
}

fn take_dirent<'a>(cursor: &mut Cursor<'a>) -> Result<Dirent<'a>, DecodeError> {
    Ok(Dirent {
        qid: cursor.qid("qid")?,
        offset: cursor.u64("offset")?,
        kind: cursor.u8("type")?,
        name: cursor.string("name")?,
    })
}

#[inline]
pub(crate) fn put_qid(qid: Qid, out: &mut Vec<u8>) {
    let mut wire = [qid.kind; 13];
    let (vers, path) = wire[1..].split_at_mut(4);
    vers.copy_from_slice(&qid.vers.to_le_bytes());
    path.copy_from_slice(&qid.path.to_le_bytes());
    out.extend_from_slice(&wire);
}

pub(crate) fn put_string(text: &str, out: &mut Vec<u8>) -> Result<(), FrameTooBig> {
    let too_big = FrameTooBig { size: text.len(), limit: u32::from(u16::MAX) };
    let size = u16::try_from(text.len()).map_err(|_| too_big)?;
    out.extend_from_slice(&size.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Fills in the `size[2]` at `start` with what has been written behind it.
pub(crate) fn put_size(start: usize, out: &mut [u8]) -> Result<(), FrameTooBig> {
    let size = out.len() - start - 2;
    let too_big = FrameTooBig { size, limit: u32::from(u16::MAX) };
    let room = out.get_mut(start..).and_then(|record| record.first_chunk_mut()).ok_or(too_big)?;
    *room = u16::try_from(size).map_err(|_| too_big)?.to_le_bytes();
    Ok(())
}
