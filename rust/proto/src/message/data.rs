//! Bytes to and from files: read(5).
//!
//! Payloads are borrowed from the frame, so that a pump can hand the same slice to a socket.

use super::messages;
use crate::ids::Fid;

messages! {
    /// Ask for bytes.
    116 Tread { fid: Fid, offset: u64, count: u32, }
    /// Bytes; none is the end of the file.
    117 Rread<'a> { data: &'a [u8], }
    /// Bytes for the file.
    118 Twrite<'a> { fid: Fid, offset: u64, data: &'a [u8], }
    /// How many were taken.
    119 Rwrite { count: u32, }
}

impl Rread<'_> {
    /// Bytes ahead of the payload.
    pub const HEAD: usize = 11;
}

impl Twrite<'_> {
    /// Bytes ahead of the payload.
    pub const HEAD: usize = 23;
}
