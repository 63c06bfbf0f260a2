//! Moving and dropping fids: walk(5), clunk(5), remove(5).

use super::{Names, Qids, messages};
use crate::ids::Fid;

messages! {
    /// Walk from `fid` by names to `newfid`.
    110 Twalk<'a> { fid: Fid, newfid: Fid, wname: Names<'a>, }
    /// A qid a name walked.
    111 Rwalk { wqid: Qids, }
    /// Give the fid back.
    120 Tclunk { fid: Fid, }
    /// It is gone.
    121 Rclunk {}
    /// Remove the file and give the fid back.
    122 Tremove { fid: Fid, }
    /// Both are gone.
    123 Rremove {}
}
