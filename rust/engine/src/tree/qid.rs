//! What a qid's path says: which file of which conversation of which protocol of which stack.
//!
//! `stack << 32 | protocol << 25 | conversation << 5 | kind` (docs/tree.md, section 1). Unpacking
//! refuses whatever packing does not make, so a [`Node`] is always a file that can exist; whether a
//! stack is configured and a conversation's number has been used yet is [`super::Facts`]' to say.

use netrelay_proto::ids::Qid;

use super::Facts;
use super::protocol::Protocol;

/// A file of the tree.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Node {
    /// `/` and the other directories of the root's own
    Dir(DirId),
    /// The top of a stack: `/net`, `/net.alt`
    Net(StackId),
    /// `/net/ndb` and its siblings
    Common(StackId, Common),
    /// `/net/tcp`
    Protocol(Branch),
    /// `/net/tcp/clone`
    Clone(Branch),
    /// `/net/tcp/stats`
    Stats(Branch),
    /// `/net/ether0/addr` and its sibling
    Told(Branch, Told),
    /// `/net/tcp/N`
    Conversation(Key),
    /// `/net/tcp/N/ctl` and its siblings
    File(Key, File),
}

/// The number of one of the root's own directories, in the order in which they were made: 0 is `/`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct DirId(pub(crate) u32);

/// The number of a stack: 0 is `/net`, the others are in the order of the configuration.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct StackId(pub(crate) u8);

/// One protocol of one stack.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Branch {
    pub(crate) stack: StackId,
    pub(crate) protocol: Protocol,
}

/// One conversation.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Key {
    pub(crate) branch: Branch,
    pub(crate) number: u32,
}

/// A file of a stack beside its protocols, in directory order.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Common {
    /// Neighbours.
    Arp,
    /// What a DHCP server said.
    Bootp,
    /// What the machine knows of its network.
    Ndb,
    /// Routes.
    Iproute,
    /// The machine's own addresses.
    Ipselftab,
    /// What conversations do.
    Log,
    /// The connection server.
    Cs,
    /// The resolver.
    Dns,
}

/// A file of an interface that gives its frames away.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Told {
    /// Its address.
    Addr,
    /// What its driver counts.
    Ifstats,
}

/// A file of a conversation, in directory order.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum File {
    /// Commands, and the conversation's number.
    Ctl,
    /// The bytes.
    Data,
    /// Out-of-band errors: none ever come.
    Err,
    /// Its open waits for a call.
    Listen,
    /// Our end's address.
    Local,
    /// The other end's.
    Remote,
    /// State and measurements.
    Status,
    /// Packets of an interface.
    Snoop,
    /// What frames a slot takes.
    Type,
}

/// Conversations that the qid has numbers for.
pub(crate) const MAX_CONVERSATIONS: u32 = 1 << (PROTOCOL_SHIFT - NUMBER_SHIFT);

impl Node {
    /// `/`
    pub(crate) const ROOT: Self = Self::Dir(DirId(0));

    /// The file that `path` names; none for a path that is not of this tree.
    pub(crate) fn of(path: u64) -> Option<Self> {
        let kind = path & KIND_MASK;
        let key = Key::of(path >> NUMBER_SHIFT)?;
        let Key { branch, .. } = key;
        let node = match kind {
            0 => Self::Dir(DirId(key.number)),
            1 => Self::Net(branch.stack),
            8 => Self::Protocol(branch),
            9 => Self::Clone(branch),
            10 => Self::Stats(branch),
            11 => Self::Conversation(key),
            22 | 23 if !branch.protocol.frames() => return None,
            22 => Self::Told(branch, Told::Addr),
            23 => Self::Told(branch, Told::Ifstats),
            _ => match Common::of(kind) {
                Some(file) => Self::Common(branch.stack, file),
                None => Self::File(key, branch.protocol.file(File::of(kind)?)?),
            },
        };
        (node.path() == path).then_some(node)
    }

    /// The path that names this file.
    pub(crate) fn path(self) -> u64 {
        let (place, kind) = match self {
            Self::Dir(DirId(number)) => (number.into(), 0),
            Self::Net(stack) => (stack.packed(), 1),
            Self::Common(stack, file) => (stack.packed(), file.kind()),
            Self::Protocol(branch) => (branch.key(0).packed(), 8),
            Self::Clone(branch) => (branch.key(0).packed(), 9),
            Self::Stats(branch) => (branch.key(0).packed(), 10),
            Self::Told(branch, told) => (branch.key(0).packed(), told.kind()),
            Self::Conversation(key) => (key.packed(), 11),
            Self::File(key, file) => (key.packed(), file.kind()),
        };
        place << NUMBER_SHIFT | kind
    }

    /// The whole qid, as `facts` has it now.
    pub(crate) fn qid(self, facts: &dyn Facts) -> Qid {
        match self {
            Self::Common(stack, Common::Ndb) => {
                Qid { vers: facts.ndb(stack).1, ..Qid::file(self.path()) }
            }
            _ if self.directory() => Qid::dir(self.path()),
            _ => Qid::file(self.path()),
        }
    }

    /// Whether it is a directory.
    pub(crate) fn directory(self) -> bool {
        matches!(self, Self::Dir(_) | Self::Net(_) | Self::Protocol(_) | Self::Conversation(_))
    }

    /// The stack it is in; `/` is in the first.
    pub(crate) fn stack(self) -> StackId {
        match self {
            Self::Dir(_) => StackId::default(),
            Self::Net(stack) | Self::Common(stack, _) => stack,
            Self::Protocol(branch)
            | Self::Clone(branch)
            | Self::Stats(branch)
            | Self::Told(branch, _) => branch.stack,
            Self::Conversation(key) | Self::File(key, _) => key.branch.stack,
        }
    }
}

impl StackId {
    fn packed(self) -> u64 {
        u64::from(self.0) << STACK_AT
    }
}

impl Branch {
    /// A conversation of this protocol.
    pub(crate) fn key(self, number: u32) -> Key {
        Key { branch: self, number }
    }
}

impl Key {
    /// The conversation whose files' paths are `packed << 5` and their kind; none if there can be
    /// none.
    pub(crate) fn of(packed: u64) -> Option<Self> {
        let number = u32::try_from(packed & u64::from(MAX_CONVERSATIONS - 1)).ok()?;
        let protocol = Protocol::of(u8::try_from((packed >> PROTOCOL_AT) & PROTOCOL_MASK).ok()?)?;
        let stack = StackId(u8::try_from(packed >> STACK_AT).ok()?);
        Some(Self { branch: Branch { stack, protocol }, number })
    }

    /// Stack, protocol and number in the lowest 35 bits.
    pub(crate) fn packed(self) -> u64 {
        let Branch { stack, protocol } = self.branch;
        stack.packed() | u64::from(protocol.number()) << PROTOCOL_AT | u64::from(self.number)
    }
}

impl Common {
    /// They, in directory order.
    pub(crate) const ALL: [Self; 8] = [
        Self::Arp,
        Self::Bootp,
        Self::Ndb,
        Self::Iproute,
        Self::Ipselftab,
        Self::Log,
        Self::Cs,
        Self::Dns,
    ];

    fn of(kind: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|file| file.kind() == kind)
    }

    fn kind(self) -> u64 {
        match self {
            Self::Arp => 2,
            Self::Bootp => 3,
            Self::Ndb => 4,
            Self::Iproute => 5,
            Self::Ipselftab => 6,
            Self::Log => 7,
            Self::Cs => 20,
            Self::Dns => 21,
        }
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Arp => "arp",
            Self::Bootp => "bootp",
            Self::Ndb => "ndb",
            Self::Iproute => "iproute",
            Self::Ipselftab => "ipselftab",
            Self::Log => "log",
            Self::Cs => "cs",
            Self::Dns => "dns",
        }
    }

    /// Whether its text is the host's, which Python knows.
    pub(crate) fn of_host(self) -> bool {
        matches!(self, Self::Arp | Self::Bootp | Self::Iproute | Self::Ipselftab)
    }
}

impl Told {
    fn kind(self) -> u64 {
        match self {
            Self::Addr => 22,
            Self::Ifstats => 23,
        }
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Addr => "addr",
            Self::Ifstats => "ifstats",
        }
    }
}

impl File {
    const ALL: [Self; 9] = [
        Self::Ctl,
        Self::Data,
        Self::Err,
        Self::Listen,
        Self::Local,
        Self::Remote,
        Self::Status,
        Self::Snoop,
        Self::Type,
    ];

    fn of(kind: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|file| file.kind() == kind)
    }

    fn kind(self) -> u64 {
        match self {
            Self::Ctl => 12,
            Self::Data => 13,
            Self::Err => 14,
            Self::Listen => 15,
            Self::Local => 16,
            Self::Remote => 17,
            Self::Status => 18,
            Self::Snoop => 19,
            Self::Type => 24,
        }
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ctl => "ctl",
            Self::Data => "data",
            Self::Err => "err",
            Self::Listen => "listen",
            Self::Local => "local",
            Self::Remote => "remote",
            Self::Status => "status",
            Self::Snoop => "snoop",
            Self::Type => "type",
        }
    }

    /// Whether an open of it keeps the conversation alive.
    pub(crate) fn holds(self) -> bool {
        matches!(self, Self::Ctl | Self::Data | Self::Err)
    }
}

const NUMBER_SHIFT: u32 = 5;
const PROTOCOL_SHIFT: u32 = 25;
const STACK_SHIFT: u32 = 32;
const KIND_MASK: u64 = (1 << NUMBER_SHIFT) - 1;
const PROTOCOL_MASK: u64 = (1 << (STACK_SHIFT - PROTOCOL_SHIFT)) - 1;
/// Where protocol and stack begin in a packed [`Key`].
const PROTOCOL_AT: u32 = PROTOCOL_SHIFT - NUMBER_SHIFT;
const STACK_AT: u32 = STACK_SHIFT - NUMBER_SHIFT;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::fixture::{ALT, TCP, World, tcp};

    #[test]
    fn paths_are_those_of_the_page() {
        let ipifc = Branch { stack: StackId(3), protocol: Protocol::Ipifc };
        let ether = Branch { protocol: Protocol::Ether(1), ..TCP };
        let table = [
            (Node::ROOT, 0),
            (Node::Dir(DirId(3)), 0x60),
            (Node::Net(StackId(0)), 1),
            (Node::Net(ALT), 1 << 32 | 1),
            (Node::Common(StackId(0), Common::Arp), 2),
            (Node::Common(StackId(0), Common::Ndb), 4),
            (Node::Common(ALT, Common::Log), 1 << 32 | 7),
            (Node::Protocol(TCP), 8),
            (Node::Clone(TCP), 9),
            (Node::Stats(TCP), 10),
            (Node::Conversation(tcp(0)), 11),
            (Node::File(tcp(5), File::Ctl), 0xac),
            (Node::File(tcp(0), File::Status), 18),
            (Node::Common(StackId(0), Common::Cs), 20),
            (Node::Common(StackId(0), Common::Dns), 21),
            (Node::File(tcp(MAX_CONVERSATIONS - 1), File::Data), 0x1ff_ffed),
            (Node::File(ipifc.key(1), File::Snoop), 0x3_0400_0033),
            (Node::Stats(ether), 0x8200_000a),
            (Node::Told(ether, Told::Addr), 0x8200_0016),
            (Node::Told(ether, Told::Ifstats), 0x8200_0017),
            (Node::File(ether.key(2), File::Type), 0x8200_0058),
        ];
        for (node, path) in table {
            assert_eq!(node.path(), path, "{node:?}");
            assert_eq!(Node::of(path), Some(node), "{path:#x}");
        }
    }

    #[test]
    fn paths_of_no_file_are_none() {
        // Kinds of nothing.
        let kinds = [22, 23, 24, 31];
        // A number where none belongs, a protocol that is none, and the top bit.
        let others = [0x21, 0x28, 0x34, 0x3f << 25 | 8, 0x200_0000, 1 << 32, 1 << 63];
        for path in kinds.into_iter().chain(others) {
            assert_eq!(Node::of(path), None, "{path:#x}");
        }
    }

    #[test]
    fn only_directories_have_the_directory_bit_and_only_ndb_has_a_version() {
        let world = World { ndb: (3, 9), ..World::default() };
        assert_eq!(Node::Net(StackId(0)).qid(&world), Qid { kind: 0x80, vers: 0, path: 1 });
        let ndb = Node::Common(StackId(0), Common::Ndb);
        assert_eq!(ndb.qid(&world), Qid { kind: 0, vers: 9, path: 4 });
        assert_eq!(Node::Conversation(tcp(1)).qid(&world).kind, 0x80);
        assert_eq!(Node::File(tcp(1), File::Listen).qid(&world).kind, 0);
    }

    #[test]
    fn a_packed_key_comes_apart_again() {
        let key =
            Branch { stack: StackId(32), protocol: Protocol::Ipifc }.key(MAX_CONVERSATIONS - 1);
        assert_eq!(Key::of(key.packed()), Some(key));
        assert!(key.packed() < 1 << 35);
    }
}
