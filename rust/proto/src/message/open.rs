//! Getting a fid ready for I/O: open(5).

use super::messages;
use crate::ids::{Fid, Qid};

messages! {
    /// Open for I/O.
    112 Topen { fid: Fid, mode: u8, }
    /// Open; `qid` is that of the file it became.
    113 Ropen { qid: Qid, iounit: u32, }
    /// Make a file and open it.
    114 Tcreate<'a> { fid: Fid, name: &'a str, perm: u32, mode: u8, extension: &'a str as extension, }
    /// Made and open.
    115 Rcreate { qid: Qid, iounit: u32, }
}
