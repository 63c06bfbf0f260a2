//! The rest of a short Rread, for which Linux's client asks (docs/tree.md, section 12).
//!
//! read(2) on a 9P file there goes on until the buffer is full, 0 bytes come or an error does: on a
//! stream it would hang with bytes in hand. A Tread that can only be that question is therefore not
//! to wait. Everything depends on whose question it is: 0 bytes are the end of the file to whoever
//! else asks for exactly the rest, as many libraries do. So the client must have shown itself to be
//! Linux's, and a descriptor that does not ask again is left alone. Other sessions keep nothing here.

use std::collections::HashMap;

use netrelay_proto::error::Refusal;
use netrelay_proto::ids::{Fid, Tag};

use crate::tree::qid::{Common, File, Node};

/// What Linux asks for when it looks a file up (`P9_STATS_BASIC` and `GEN`). Nobody else was seen to.
const LOOKUP_MASK: u64 = 0x17ff;
/// `O_NONBLOCK` and `O_LARGEFILE` as 9P2000.L has them.
const NONBLOCK: u32 = 0o4000;
const LARGEFILE: u32 = 0o100_000;

/// What to say to who asks for the rest where there is nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Nothing {
    /// 0 bytes: an error would cost those in hand.
    Bytes,
    /// `EAGAIN`: here an error behind bytes is dropped, and who made the descriptor non-blocking
    /// after the open hears what such a read must say.
    Again,
}

impl Nothing {
    /// The refusal that it is, if it is one.
    pub(super) fn refusal(self) -> Option<Refusal> {
        (self == Self::Again).then(|| Refusal::new("resource temporarily unavailable", 11))
    }
}

/// The open files of a session whose Treads wait, where its client asks for the rest of them.
#[derive(Debug, Default)]
pub(super) struct Rests {
    of_linux: bool,
    files: HashMap<Fid, Rest>,
    /// Treads of these that are not answered yet: offset and count.
    asked: HashMap<Tag, (Fid, u64, u32)>,
}

#[derive(Debug)]
struct Rest {
    nothing: Nothing,
    /// Offset and count of what is left of the last answered Tread.
    left: Option<(u64, u32)>,
}

impl Rests {
    /// A Tgetattr: whether it is Linux that asks shows in what it asks for.
    pub(super) fn look(&mut self, request_mask: u64) {
        self.of_linux |= request_mask == LOOKUP_MASK;
    }

    /// A Tlopen of `node` with `flags`.
    pub(super) fn open(&mut self, fid: Fid, node: Node, flags: u32) {
        let waits = matches!(node, Node::File(_, File::Data) | Node::Common(_, Common::Log));
        if self.of_linux && waits && flags & NONBLOCK == 0 {
            // Linux before 6.4 says O_LARGEFILE.
            let nothing = if flags & LARGEFILE == 0 { Nothing::Bytes } else { Nothing::Again };
            self.files.insert(fid, Rest { nothing, left: None });
        }
    }

    /// Whether a Tread, the next of its file, asks for what is left. It is left only once.
    pub(super) fn wanted(&mut self, fid: Fid, at: (u64, u32)) -> bool {
        if self.files.is_empty() {
            return false;
        }
        let rest = self.files.get_mut(&fid);
        rest.is_some_and(|rest| rest.left.take() == Some(at))
    }

    /// A Tread is admitted, and will be answered or withdrawn.
    pub(super) fn admit(&mut self, tag: Tag, fid: Fid, (offset, count): (u64, u32)) {
        if self.files.contains_key(&fid) {
            self.asked.insert(tag, (fid, offset, count));
        }
    }

    /// A request is answered, with so many bytes if it is a Tread.
    pub(super) fn answered(&mut self, tag: Tag, got: usize) {
        let Some((fid, offset, count)) = self.take(tag) else { return };
        // What is read is never more than what was asked for.
        let got = u32::try_from(got).unwrap_or(u32::MAX);
        let left = count.saturating_sub(got);
        if let Some(rest) = self.files.get_mut(&fid) {
            rest.left = (got > 0 && left > 0).then(|| (offset.saturating_add(got.into()), left));
        }
    }

    /// A request is withdrawn.
    pub(super) fn withdrawn(&mut self, tag: Tag) {
        self.take(tag);
    }

    /// What who asks for the rest of this file is told when there is nothing.
    pub(super) fn nothing(&self, fid: Fid) -> Nothing {
        self.files.get(&fid).map_or(Nothing::Bytes, |rest| rest.nothing)
    }

    /// The fid is clunked.
    pub(super) fn close(&mut self, fid: Fid) {
        if !self.files.is_empty() && self.files.remove(&fid).is_some() {
            self.asked.retain(|_, (asked, ..)| *asked != fid);
        }
    }

    fn take(&mut self, tag: Tag) -> Option<(Fid, u64, u32)> {
        // Most sessions have none, and spare the hash.
        if self.asked.is_empty() { None } else { self.asked.remove(&tag) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::fixture::tcp;

    fn data() -> Node {
        Node::File(tcp(0), File::Data)
    }

    const FID: Fid = Fid(7);

    fn read(rests: &mut Rests, at: (u64, u32), got: usize) -> bool {
        let wanted = rests.wanted(FID, at);
        rests.admit(Tag(1), FID, at);
        rests.answered(Tag(1), got);
        wanted
    }

    fn linux() -> Rests {
        let mut rests = Rests::default();
        rests.look(LOOKUP_MASK);
        rests.open(FID, data(), 2);
        rests
    }

    #[test]
    fn the_rest_is_wanted_once_and_next() {
        let mut rests = linux();
        assert!(!read(&mut rests, (0, 100), 3));
        assert!(read(&mut rests, (3, 97), 0));
        assert!(!read(&mut rests, (3, 97), 5));
        assert!(!read(&mut rests, (8, 97), 5));
        assert!(!read(&mut rests, (8, 92), 92));
        assert!(!read(&mut rests, (100, 0), 0));
    }

    #[test]
    fn a_withdrawn_read_leaves_the_rest_of_the_one_before() {
        let mut rests = linux();
        rests.admit(Tag(1), FID, (0, 100));
        rests.admit(Tag(2), FID, (0, 50));
        rests.answered(Tag(1), 3);
        rests.withdrawn(Tag(2));
        assert!(rests.wanted(FID, (3, 97)));
    }

    #[test]
    fn only_linux_and_what_blocks_has_a_rest() {
        let mut other = Rests::default();
        other.look(0x3fff);
        other.open(FID, data(), 2);
        assert!(other.files.is_empty());
        let mut rests = linux();
        rests.open(Fid(8), data(), NONBLOCK);
        rests.open(Fid(9), Node::File(tcp(0), File::Ctl), 2);
        assert_eq!(rests.files.len(), 1);
        rests.open(Fid(8), data(), LARGEFILE);
        assert_eq!((rests.nothing(FID), rests.nothing(Fid(8))), (Nothing::Bytes, Nothing::Again));
    }

    #[test]
    fn a_clunked_file_leaves_nothing() {
        let mut rests = linux();
        rests.admit(Tag(1), FID, (0, 100));
        rests.close(FID);
        assert!(rests.files.is_empty() && rests.asked.is_empty());
    }
}
