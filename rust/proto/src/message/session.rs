//! What begins, guards and ends a session: version(5), attach(5), error(5), flush(5).
//!
//! `n_uname` and `errno` are in memory in every dialect and on the wire where the dialect has them.

use super::messages;
use crate::ids::{Fid, Qid, Tag};

messages! {
    /// Offer a dialect and the largest frame.
    100 Tversion<'a> { msize: u32, version: &'a str, }
    /// The dialect and msize agreed, or `unknown`.
    101 Rversion<'a> { msize: u32, version: &'a str, }
    /// Begin to authenticate on `afid`.
    102 Tauth<'a> { afid: Fid, uname: &'a str, aname: &'a str, n_uname: u32 as n_uname, }
    /// The afid is open.
    103 Rauth { aqid: Qid, }
    /// Enter the tree named `aname` as `uname`.
    104 Tattach<'a> { fid: Fid, afid: Fid, uname: &'a str, aname: &'a str, n_uname: u32 as n_uname, }
    /// The root of the tree.
    105 Rattach { qid: Qid, }
    /// Refused, and why.
    107 Rerror<'a> { ename: &'a str, errno: u32 as errno, }
    /// Take a request back.
    108 Tflush { oldtag: Tag, }
    /// Nothing more will come for it.
    109 Rflush {}
}
