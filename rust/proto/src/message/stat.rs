//! What a file says of itself: stat(5).

use super::{Sink, Source, messages};
use crate::ids::{Fid, NONUNAME, Qid};

/// A stat record; `extension` and the numbers are on the wire in 9P2000.u only.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "stat(5) describes the fields")]
pub struct Stat<'a> {
    /// The kind of server device: `type` on the wire.
    pub kind: u16,
    pub dev: u32,
    pub qid: Qid,
    pub mode: u32,
    pub atime: u32,
    pub mtime: u32,
    pub length: u64,
    pub name: &'a str,
    pub uid: &'a str,
    pub gid: &'a str,
    pub muid: &'a str,
    pub extension: &'a str,
    pub n_uid: u32,
    pub n_gid: u32,
    pub n_muid: u32,
}

impl Stat<'_> {
    /// The record of a Twstat that changes nothing: every field "don't touch".
    pub const DONT_TOUCH: Stat<'static> = Stat {
        kind: u16::MAX,
        dev: u32::MAX,
        qid: Qid { kind: u8::MAX, vers: u32::MAX, path: u64::MAX },
        mode: u32::MAX,
        atime: u32::MAX,
        mtime: u32::MAX,
        length: u64::MAX,
        name: "",
        uid: "",
        gid: "",
        muid: "",
        extension: "",
        n_uid: NONUNAME,
        n_gid: NONUNAME,
        n_muid: NONUNAME,
    };
}

messages! {
    /// Ask for the stat record.
    124 Tstat { fid: Fid, }
    /// The stat record.
    125 Rstat<'a> { stat: Stat<'a>, }
    /// Change what the record says.
    126 Twstat<'a> { fid: Fid, stat: Stat<'a>, }
    /// Changed.
    127 Rwstat {}
}

impl<'a> Stat<'a> {
    /// Hands the record's fields to `sink` in wire order, those of 9P2000.u too.
    ///
    /// # Errors
    /// The sink's.
    pub fn write_fields<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        sink.u16("type", self.kind)?;
        sink.u32("dev", self.dev)?;
        sink.qid("qid", self.qid)?;
        sink.u32("mode", self.mode)?;
        sink.u32("atime", self.atime)?;
        sink.u32("mtime", self.mtime)?;
        sink.u64("length", self.length)?;
        sink.text("name", self.name)?;
        sink.text("uid", self.uid)?;
        sink.text("gid", self.gid)?;
        sink.text("muid", self.muid)?;
        sink.text("extension", self.extension)?;
        sink.u32("n_uid", self.n_uid)?;
        sink.u32("n_gid", self.n_gid)?;
        sink.u32("n_muid", self.n_muid)
    }

    /// The record with the fields that `source` gives.
    ///
    /// # Errors
    /// The source's.
    pub fn read_fields<S: Source<'a>>(source: &mut S) -> Result<Self, S::Error> {
        Ok(Self {
            kind: source.u16("type")?,
            dev: source.u32("dev")?,
            qid: source.qid("qid")?,
            mode: source.u32("mode")?,
            atime: source.u32("atime")?,
            mtime: source.u32("mtime")?,
            length: source.u64("length")?,
            name: source.text("name")?,
            uid: source.text("uid")?,
            gid: source.text("gid")?,
            muid: source.text("muid")?,
            extension: source.text("extension")?,
            n_uid: source.u32("n_uid")?,
            n_gid: source.u32("n_gid")?,
            n_muid: source.u32("n_muid")?,
        })
    }
}
