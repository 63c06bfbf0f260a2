//! What a file says of itself: stat(5), and getattr of 9P2000.L (docs/tree.md, section 3).
//!
//! A [`Description`] owns its strings, because a conversation may change hands while the reply is
//! being packed. A fid that is open is described by the qid it was opened as: an opened clone is the
//! ctl it became.

use std::borrow::Cow;
use std::sync::Arc;

use netrelay_proto::ids::{NONUNAME, Qid};
use netrelay_proto::message::{Rgetattr, Stat};

use super::qid::{Common, File, Node, StackId};
use super::{Facts, NETWORK};

/// A file's stat record, owned.
#[derive(Clone, Debug)]
pub(crate) struct Description {
    qid: Qid,
    mode: u32,
    started: u32,
    length: u64,
    name: Cow<'static, str>,
    stack: StackId,
    owner: Arc<str>,
    host_owner: Arc<str>,
}

impl Description {
    /// Describes what is seen at `node`, by the name that `node` has.
    pub(crate) fn seen(node: Node, facts: &dyn Facts) -> Self {
        Self { name: node.name(facts), ..Self::of(facts.mounts().seen(node), facts) }
    }

    /// Describes `node` itself as it is now.
    pub(crate) fn of(node: Node, facts: &dyn Facts) -> Self {
        let (owner, mode) = match node {
            Node::Conversation(key) => (facts.standing(key).owner, 0o555),
            Node::File(key, File::Ctl) if key.branch.protocol.of_host() => (NETWORK.into(), 0o664),
            Node::File(_, File::Type) | Node::Stats(_) | Node::Told(..) => (NETWORK.into(), 0o444),
            Node::File(key, file) => {
                let standing = facts.standing(key);
                let free = key.branch.protocol.frames() && !standing.busy;
                let mode = if free { 0o666 } else { standing.mode };
                (standing.owner, file_mode(file, mode))
            }
            Node::Dir(_) | Node::Net(_) | Node::Protocol(_) => (NETWORK.into(), 0o555),
            Node::Clone(_) => (NETWORK.into(), 0o666),
            Node::Common(_, file) => (NETWORK.into(), common_mode(file)),
        };
        let ndb = if let Node::Common(stack, Common::Ndb) = node { Some(stack) } else { None };
        Self {
            qid: node.qid(facts),
            mode: if node.directory() { DMDIR | mode } else { mode },
            started: facts.started(),
            length: ndb.map_or(0, |stack| facts.ndb(stack).0),
            name: node.name(facts),
            stack: node.stack(),
            owner,
            host_owner: facts.host_owner().into(),
        }
    }

    /// The stat record.
    pub(crate) fn stat(&self) -> Stat<'_> {
        Stat {
            kind: DEVICE,
            dev: self.stack.0.into(),
            qid: self.qid,
            mode: self.mode,
            atime: self.started,
            mtime: self.started,
            length: self.length,
            name: &self.name,
            uid: &self.owner,
            gid: &self.host_owner,
            muid: &self.owner,
            extension: "",
            n_uid: number(&self.owner),
            n_gid: NOBODY,
            n_muid: number(&self.owner),
        }
    }

    /// The attributes, which are always the basic ones whatever was asked for.
    pub(crate) fn attributes(&self) -> Rgetattr {
        let kind = if self.mode & DMDIR == 0 { S_IFREG } else { S_IFDIR };
        let started = u64::from(self.started);
        Rgetattr {
            valid: GETATTR_BASIC,
            qid: self.qid,
            mode: kind | self.mode & 0o777,
            uid: number(&self.owner),
            gid: NOBODY,
            nlink: 1,
            rdev: 0,
            size: self.length,
            blksize: 4096,
            blocks: 0,
            atime_sec: started,
            atime_nsec: 0,
            mtime_sec: started,
            mtime_nsec: 0,
            ctime_sec: started,
            ctime_nsec: 0,
            btime_sec: 0,
            btime_nsec: 0,
            generation: 0,
            data_version: 0,
        }
    }
}

/// The number of a user who attached by number alone, as Linux does for each of its users.
fn number(user: &str) -> u32 {
    let number = user.parse().ok().filter(|number| *number != NONUNAME);
    number.filter(|number: &u32| number.to_string() == user).unwrap_or(NOBODY)
}

fn file_mode(file: File, conversation: u32) -> u32 {
    match file {
        File::Ctl | File::Data | File::Err | File::Listen => conversation,
        File::Local | File::Remote | File::Status | File::Type => 0o444,
        File::Snoop => 0o400,
    }
}

fn common_mode(file: Common) -> u32 {
    match file {
        Common::Ndb | Common::Log | Common::Cs | Common::Dns => 0o666,
        Common::Arp | Common::Iproute => 0o664,
        Common::Bootp | Common::Ipselftab => 0o444,
    }
}

/// A directory's bit in a mode (stat(5)).
const DMDIR: u32 = 0x8000_0000;
/// The device letter of ip(3), `I`.
const DEVICE: u16 = 73;
/// `P9_GETATTR_BASIC`: what stat(2) needs.
const GETATTR_BASIC: u64 = 0x7ff;
const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
/// Linux's overflow uid: the number of an owner who is a name.
const NOBODY: u32 = 65_534;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::fixture::{ALT, TCP, World, tcp};
    use crate::tree::protocol::Protocol;
    use crate::tree::qid::{Branch, Told};

    const NET: Node = Node::Net(StackId(0));
    const NDB: Node = common(Common::Ndb);

    const fn common(file: Common) -> Node {
        Node::Common(StackId(0), file)
    }

    #[test]
    fn modes_and_owners_are_those_of_the_page() {
        let mut world = World::with(2, 0o640);
        world.ndb = (17, 3);
        let interface = Branch { protocol: Protocol::Ipifc, ..TCP }.key(1);
        let ether = Branch { protocol: Protocol::Ether(0), ..TCP };
        let table = [
            (Node::ROOT, "/", DMDIR | 0o555, "network"),
            (NET, "net", DMDIR | 0o555, "network"),
            (Node::Protocol(TCP), "tcp", DMDIR | 0o555, "network"),
            (NDB, "ndb", 0o666, "network"),
            (common(Common::Log), "log", 0o666, "network"),
            (Node::Clone(TCP), "clone", 0o666, "network"),
            (common(Common::Cs), "cs", 0o666, "network"),
            (common(Common::Dns), "dns", 0o666, "network"),
            (common(Common::Arp), "arp", 0o664, "network"),
            (common(Common::Iproute), "iproute", 0o664, "network"),
            (common(Common::Bootp), "bootp", 0o444, "network"),
            (common(Common::Ipselftab), "ipselftab", 0o444, "network"),
            (Node::File(interface, File::Ctl), "ctl", 0o664, "network"),
            (Node::File(interface, File::Snoop), "snoop", 0o400, "network"),
            (Node::Stats(TCP), "stats", 0o444, "network"),
            (Node::Told(ether, Told::Addr), "addr", 0o444, "network"),
            (Node::File(ether.key(0), File::Data), "data", 0o640, "glenda"),
            (Node::File(ether.key(0), File::Type), "type", 0o444, "network"),
            (Node::File(ether.key(1), File::Data), "data", 0o666, "network"),
            (Node::Conversation(tcp(0)), "0", DMDIR | 0o555, "glenda"),
            (Node::File(tcp(0), File::Ctl), "ctl", 0o640, "glenda"),
            (Node::File(tcp(0), File::Data), "data", 0o640, "glenda"),
            (Node::File(tcp(0), File::Err), "err", 0o640, "glenda"),
            (Node::File(tcp(0), File::Listen), "listen", 0o640, "glenda"),
            (Node::File(tcp(0), File::Local), "local", 0o444, "glenda"),
            (Node::File(tcp(0), File::Remote), "remote", 0o444, "glenda"),
            (Node::File(tcp(0), File::Status), "status", 0o444, "glenda"),
            (Node::Conversation(tcp(1)), "1", DMDIR | 0o555, "network"),
            (Node::File(tcp(1), File::Ctl), "ctl", 0o660, "network"),
        ];
        for (node, name, mode, owner) in table {
            let description = Description::of(node, &world);
            let stat = description.stat();
            assert_eq!((stat.name, stat.mode, stat.uid), (name, mode, owner), "{node:?}");
            assert_eq!((stat.gid, stat.muid, stat.kind, stat.dev), ("gate", owner, 73, 0));
            assert_eq!((stat.atime, stat.mtime, stat.qid), (1000, 1000, node.qid(&world)));
            assert_eq!(stat.length, if node == NDB { 17 } else { 0 });
        }
    }

    #[test]
    fn a_stack_has_its_name_and_its_number_as_device() {
        let world = World::default();
        let alt = Description::of(Node::Net(ALT), &world);
        assert_eq!((alt.stat().name, alt.stat().dev), ("net.alt", 1));
        let arp = Description::of(Node::Common(ALT, Common::Arp), &world);
        assert_eq!((arp.stat().name, arp.stat().dev), ("arp", 1));
    }

    #[test]
    fn attributes_say_what_the_record_says() {
        let mut world = World::with(1, 0o600);
        world.ndb = (17, 3);
        let ctl = Description::of(Node::File(tcp(0), File::Ctl), &world).attributes();
        assert_eq!((ctl.mode, ctl.valid, ctl.size), (0o100_600, 0x7ff, 0));
        let net = Description::of(NET, &world).attributes();
        assert_eq!((net.mode, net.uid, net.mtime_sec), (0o040_555, 65_534, 1000));
        let ndb = Description::of(NDB, &world).attributes();
        assert_eq!((ndb.size, ndb.qid.vers), (17, 3));
    }
}
