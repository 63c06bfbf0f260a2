//! The numbers of the protocol as types of their own: a tag is no fid and neither is a count.
//!
//! They are plain values without rules; who may use which number is the session's business.

/// Names a request in flight.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Tag(pub u16);

impl Tag {
    /// The tag of Tversion.
    pub const NOTAG: Self = Self(u16::MAX);
}

/// A client's handle for a file.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Fid(pub u32);

impl Fid {
    /// "No fid", as an afid.
    pub const NOFID: Self = Self(u32::MAX);
}

/// The server's identity of a file (intro(5)).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Qid {
    /// Type bits: `Qid::DIR` and its siblings.
    pub kind: u8,
    /// Changes when the file does; 0 for files whose content is not kept.
    pub vers: u32,
    /// Unique among the files of a server.
    pub path: u64,
}

impl Qid {
    /// A directory.
    pub const DIR: u8 = 0x80;
    /// A file that is being authenticated on.
    pub const AUTH: u8 = 0x08;
    /// Any other file.
    pub const FILE: u8 = 0;

    /// A file's qid with version 0.
    pub const fn file(path: u64) -> Self {
        Self { kind: Self::FILE, vers: 0, path }
    }

    /// A directory's qid with version 0.
    pub const fn dir(path: u64) -> Self {
        Self { kind: Self::DIR, vers: 0, path }
    }

    /// Whether this is a directory.
    pub const fn is_dir(self) -> bool {
        self.kind & Self::DIR != 0
    }
}

/// The number that says "no numeric user".
pub const NONUNAME: u32 = u32::MAX;
/// The most names of one walk.
pub const MAXWELEM: usize = 16;
/// What msize exceeds a payload by (intro(5)).
pub const IOHDRSZ: u32 = 24;
/// The smallest msize that is served.
pub const MIN_MSIZE: u32 = 4096;
/// The largest msize that is served.
pub const MAX_MSIZE: u32 = 8 << 20;
/// What a client offers unless told otherwise.
pub const DEFAULT_MSIZE: u32 = 1 << 20;
/// The largest frame before a version is negotiated.
pub const FIRST_MSIZE: u32 = 8192 + IOHDRSZ;

/// Open modes: the low two bits, and the flags above them (open(5)).
pub mod mode {
    /// For reading.
    pub const OREAD: u8 = 0;
    /// For writing.
    pub const OWRITE: u8 = 1;
    /// For both.
    pub const ORDWR: u8 = 2;
    /// For execution, which reads.
    pub const OEXEC: u8 = 3;
    /// Truncate first.
    pub const OTRUNC: u8 = 0x10;
    /// Remove at the clunk.
    pub const ORCLOSE: u8 = 0x40;
}
