//! Reading directories: whole stat records (read(5)), and the entries of 9P2000.L.
//!
//! A listing is not stored. How many entries there are is fixed when it is read from its begin, so
//! that it does not tear while conversations are added; each entry is described when it is read. So
//! an open directory costs a fid some 50 bytes, where a stored listing of a busy gateway would let
//! an importer make it hold megabytes for each of its fids.
//!
//! Clamping `count` to msize is the session's business.

use netrelay_proto::dialect::Dialect;
use netrelay_proto::dir::{Dirent, put_dirent, put_stat};
use netrelay_proto::error::Refusal;

use super::Facts;
use super::position::Position;
use super::qid::Node;
use super::stat::Description;

/// How far a fid has read its directory.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Listing {
    /// The members of the union, and how many entries each had, when it was read from its begin.
    members: Box<[(Node, u32)]>,
    /// The entry that a read at `offset` begins with.
    next: u32,
    /// Where the last read ended, in bytes.
    offset: u64,
}

impl Listing {
    /// Appends to `out` the records at `offset` that fit `count` bytes; none is the end, or that
    /// the next one does not fit. A union has what its members have, one after the other.
    ///
    /// # Errors
    /// `bad offset in directory read`: neither 0 nor the end of the last read.
    pub(crate) fn read(
        &mut self,
        position: &Position,
        (offset, count): (u64, u32),
        dialect: Dialect,
        facts: &dyn Facts,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        if offset == 0 {
            *self = Self::of(position, facts);
        } else if offset != self.offset {
            return Err(Refusal::BAD_DIRECTORY_OFFSET);
        }
        let start = out.len();
        while let Some(entry) = self.entry(self.next, facts) {
            let before = out.len();
            // Our names and a uname that came in a 16-bit string; were a record too big after all,
            // the listing would end before it.
            let fits = put_stat(&Description::seen(entry, facts).stat(), dialect, out).is_ok();
            if !fits || out.len() - start > count as usize {
                out.truncate(before);
                break;
            }
            self.next += 1;
        }
        self.offset += (out.len() - start) as u64;
        Ok(())
    }

    /// Appends to `out` the entries of 9P2000.L behind `cookie` that fit `count` bytes, in an
    /// attach whose root is `root`. Entries begin with `.` and `..`; any cookie that was given out
    /// may be used again, and one beyond the end reads as nothing.
    pub(crate) fn read_entries(
        &mut self,
        (root, position): (&Position, &Position),
        (cookie, count): (u64, u32),
        facts: &dyn Facts,
        out: &mut Vec<u8>,
    ) {
        if cookie == 0 {
            *self = Self::of(position, facts);
        }
        let start = out.len();
        for index in cookie..u64::MAX {
            let (file, name) = match index {
                0 => (position.node, ".".into()),
                1 if position == root => (position.node, "..".into()),
                1 => (position.above(facts).node, "..".into()),
                _ => {
                    let entry = u32::try_from(index - 2).ok();
                    let Some(entry) = entry.and_then(|entry| self.entry(entry, facts)) else {
                        return;
                    };
                    (entry, entry.name(facts))
                }
            };
            let file = facts.mounts().seen(file);
            let kind = if file.directory() { DT_DIR } else { DT_REG };
            let qid = file.qid(facts);
            let before = out.len();
            let entry = Dirent { qid, offset: index + 1, kind, name: &name };
            if put_dirent(&entry, out).is_err() || out.len() - start > count as usize {
                out.truncate(before);
                return;
            }
        }
    }

    /// At its begin, of what is there now.
    fn of(position: &Position, facts: &dyn Facts) -> Self {
        let members = position.members(facts).map(|member| (member, member.entries(facts)));
        Self { members: members.collect(), ..Self::default() }
    }

    /// Entry `index`; none from the end on.
    fn entry(&self, index: u32, facts: &dyn Facts) -> Option<Node> {
        let mut index = index;
        for (member, entries) in &self.members {
            if index < *entries {
                return member.entry(index, *entries, facts);
            }
            index -= entries;
        }
        None
    }
}

/// readdir(3)'s type of a directory.
const DT_DIR: u8 = 4;
/// readdir(3)'s type of a plain file.
const DT_REG: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::fixture::{self, World};
    use crate::tree::qid::StackId;
    use netrelay_proto::dir::{dirents, stats};

    const TCP: Node = Node::Protocol(fixture::TCP);

    fn at_rest(node: Node, world: &World) -> Position {
        Position::natural(node, world)
    }

    fn read(listing: &mut Listing, world: &World, at: (u64, u32)) -> Result<Vec<u8>, Refusal> {
        let mut out = Vec::new();
        listing.read(&at_rest(TCP, world), at, Dialect::P2000, world, &mut out).map(|()| out)
    }

    fn names(bytes: &[u8]) -> Vec<String> {
        stats(bytes, Dialect::P2000).map(|stat| stat.unwrap().name.to_owned()).collect()
    }

    #[test]
    fn a_read_gives_whole_records_only() {
        let world = World { conversations: 2, ..World::default() };
        let mut listing = Listing::default();
        let whole = read(&mut listing, &world, (0, 8192)).unwrap();
        assert_eq!(names(&whole), ["0", "1", "clone", "stats"]);
        let end = whole.len() as u64;
        assert_eq!(read(&mut listing, &world, (end, 8192)).unwrap(), b"");
        let cut = u32::try_from(whole.len() - 1).unwrap();
        let most = read(&mut listing, &world, (0, cut)).unwrap();
        assert_eq!(names(&most), ["0", "1", "clone"]);
        assert_eq!(
            names(&read(&mut listing, &world, (most.len() as u64, cut)).unwrap()),
            ["stats"]
        );
    }

    #[test]
    fn a_count_too_small_reads_as_nothing_and_loses_nothing() {
        let world = World { conversations: 1, ..World::default() };
        let mut listing = Listing::default();
        for count in [0, 1, 60] {
            assert_eq!(read(&mut listing, &world, (0, count)).unwrap(), b"");
        }
        assert_eq!(names(&read(&mut listing, &world, (0, 70)).unwrap()), ["0"]);
    }

    #[test]
    fn an_offset_within_a_read_is_refused_and_the_place_is_kept() {
        let world = World { conversations: 2, ..World::default() };
        let mut listing = Listing::default();
        let bad = Err(Refusal::BAD_DIRECTORY_OFFSET);
        assert_eq!(read(&mut listing, &world, (1, 8192)), bad);
        let first = read(&mut listing, &world, (0, 80)).unwrap();
        let end = first.len() as u64;
        assert_eq!(read(&mut listing, &world, (end - 1, 8192)), bad);
        assert_eq!(read(&mut listing, &world, (end + 1, 8192)), bad);
        let rest = read(&mut listing, &world, (end, 8192)).unwrap();
        assert_eq!(names(&rest), ["1", "clone", "stats"]);
    }

    #[test]
    fn conversations_made_during_a_listing_do_not_shift_it() {
        let mut world = World { conversations: 2, ..World::default() };
        let mut listing = Listing::default();
        let first = read(&mut listing, &world, (0, 150)).unwrap();
        assert_eq!(names(&first), ["0", "1"]);
        world.conversations = 5;
        let rest = read(&mut listing, &world, (first.len() as u64, 8192)).unwrap();
        assert_eq!(names(&rest), ["clone", "stats"]);
        let again = read(&mut listing, &world, (0, 8192)).unwrap();
        assert_eq!(names(&again).len(), 7);
    }

    #[test]
    fn records_have_the_tail_of_the_unix_dialect() {
        let world = World::default();
        let mut out = Vec::new();
        Listing::default()
            .read(&at_rest(Node::Net(StackId(0)), &world), (0, 8192), Dialect::U, &world, &mut out)
            .unwrap();
        let names: Vec<_> =
            stats(&out, Dialect::U).map(|stat| stat.unwrap().name.to_owned()).collect();
        assert_eq!(names[..3], ["tcp", "udp", "ipifc"]);
    }

    fn entries(listing: &mut Listing, root: Node, at: (u64, u32)) -> Vec<(String, u64, u64)> {
        let world = World { conversations: 1, ..World::default() };
        let mut out = Vec::new();
        let (root, tcp) = (at_rest(root, &world), at_rest(TCP, &world));
        listing.read_entries((&root, &tcp), at, &world, &mut out);
        let each = dirents(&out).map(Result::unwrap);
        each.map(|entry| (entry.name.to_owned(), entry.qid.path, entry.offset)).collect()
    }

    #[test]
    fn entries_go_on_behind_their_cookie() {
        let mut listing = Listing::default();
        let all = entries(&mut listing, Node::ROOT, (0, 4096));
        let expected = [(".", 8, 1), ("..", 1, 2), ("0", 11, 3), ("clone", 9, 4), ("stats", 10, 5)];
        assert_eq!(all, expected.map(|(name, path, cookie)| (name.to_owned(), path, cookie)));
        for (index, (_, _, cookie)) in all.iter().enumerate() {
            assert_eq!(entries(&mut listing, Node::ROOT, (*cookie, 4096)), all[index + 1..]);
        }
        assert!(entries(&mut listing, Node::ROOT, (u64::MAX, 4096)).is_empty());
        assert!(entries(&mut listing, Node::ROOT, (0, 24)).is_empty());
        assert_eq!(entries(&mut listing, Node::ROOT, (0, 25)).len(), 1);
    }

    #[test]
    fn the_parent_of_an_attach_root_is_itself() {
        let all = entries(&mut Listing::default(), TCP, (0, 4096));
        assert_eq!(all[1], ("..".to_owned(), 8, 2));
    }
}
