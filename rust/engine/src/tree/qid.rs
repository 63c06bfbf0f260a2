//! What a qid's path says: which file of which conversation of which protocol.
//!
//! `stack << 32 | protocol << 25 | conversation << 5 | kind` (docs/tree.md, section 1). Unpacking
//! refuses whatever packing does not make, so a [`Node`] is always a file that can exist; whether a
//! conversation's number has been used yet is [`super::Facts`]' to say.

use netrelay_proto::ids::Qid;

use super::Facts;

/// A file of the tree.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Node {
    /// `/`
    Root,
    /// `/net`
    Net,
    /// `/net/ndb`
    Ndb,
    /// `/net/log`
    Log,
    /// `/net/cs`
    Cs,
    /// `/net/dns`
    Dns,
    /// `/net/tcp`
    Protocol(Protocol),
    /// `/net/tcp/clone`
    Clone(Protocol),
    /// `/net/tcp/stats`
    Stats(Protocol),
    /// `/net/tcp/N`
    Conversation(Protocol, u32),
    /// `/net/tcp/N/ctl` and its siblings
    File(Protocol, u32, File),
}

/// A protocol; its number is the qid's.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Protocol {
    /// Protocol 0.
    Tcp,
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
}

/// Conversations that the qid has numbers for.
pub(crate) const MAX_CONVERSATIONS: u32 = 1 << (PROTOCOL_SHIFT - NUMBER_SHIFT);

impl Node {
    /// The file that `path` names; none for a path that is not of this tree.
    pub(crate) fn of(path: u64) -> Option<Self> {
        let kind = path & KIND_MASK;
        let number = u32::try_from(path >> NUMBER_SHIFT).ok()? & (MAX_CONVERSATIONS - 1);
        let protocol = Protocol::of(path >> PROTOCOL_SHIFT)?;
        let node = match kind {
            0 => Self::Root,
            1 => Self::Net,
            4 => Self::Ndb,
            7 => Self::Log,
            8 => Self::Protocol(protocol),
            9 => Self::Clone(protocol),
            10 => Self::Stats(protocol),
            11 => Self::Conversation(protocol, number),
            20 => Self::Cs,
            21 => Self::Dns,
            _ => Self::File(protocol, number, File::of(kind)?),
        };
        (node.path() == path).then_some(node)
    }

    /// The path that names this file.
    pub(crate) fn path(self) -> u64 {
        let (protocol, number, kind) = match self {
            Self::Root => (None, 0, 0),
            Self::Net => (None, 0, 1),
            Self::Ndb => (None, 0, 4),
            Self::Log => (None, 0, 7),
            Self::Cs => (None, 0, 20),
            Self::Dns => (None, 0, 21),
            Self::Protocol(protocol) => (Some(protocol), 0, 8),
            Self::Clone(protocol) => (Some(protocol), 0, 9),
            Self::Stats(protocol) => (Some(protocol), 0, 10),
            Self::Conversation(protocol, number) => (Some(protocol), number, 11),
            Self::File(protocol, number, file) => (Some(protocol), number, file.kind()),
        };
        protocol.map_or(0, Protocol::number) << PROTOCOL_SHIFT
            | u64::from(number) << NUMBER_SHIFT
            | kind
    }

    /// The whole qid, as `facts` has it now.
    pub(crate) fn qid(self, facts: &dyn Facts) -> Qid {
        match self {
            Self::Ndb => Qid { vers: facts.ndb().1, ..Qid::file(self.path()) },
            _ if self.directory() => Qid::dir(self.path()),
            _ => Qid::file(self.path()),
        }
    }

    /// Whether it is a directory.
    pub(crate) fn directory(self) -> bool {
        matches!(self, Self::Root | Self::Net | Self::Protocol(_) | Self::Conversation(..))
    }
}

impl Protocol {
    /// The protocols, in directory order.
    pub(crate) const ALL: [Self; 1] = [Self::Tcp];

    fn of(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.number() == number)
    }

    fn number(self) -> u64 {
        match self {
            Self::Tcp => 0,
        }
    }

    /// Its directory's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
        }
    }
}

impl File {
    /// A conversation's files, in directory order.
    pub(crate) const ALL: [Self; 7] =
        [Self::Ctl, Self::Data, Self::Err, Self::Listen, Self::Local, Self::Remote, Self::Status];

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
        }
    }

    /// Whether an open of it keeps the conversation alive.
    pub(crate) fn holds(self) -> bool {
        matches!(self, Self::Ctl | Self::Data | Self::Err)
    }
}

const NUMBER_SHIFT: u32 = 5;
const PROTOCOL_SHIFT: u32 = 25;
const KIND_MASK: u64 = (1 << NUMBER_SHIFT) - 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::fixture::World;

    const TCP: Protocol = Protocol::Tcp;

    #[test]
    fn paths_are_those_of_the_page() {
        let table = [
            (Node::Root, 0),
            (Node::Net, 1),
            (Node::Ndb, 4),
            (Node::Log, 7),
            (Node::Protocol(TCP), 8),
            (Node::Clone(TCP), 9),
            (Node::Stats(TCP), 10),
            (Node::Conversation(TCP, 0), 11),
            (Node::File(TCP, 5, File::Ctl), 0xac),
            (Node::File(TCP, 0, File::Status), 18),
            (Node::Cs, 20),
            (Node::Dns, 21),
            (Node::File(TCP, MAX_CONVERSATIONS - 1, File::Data), 0x1ff_ffed),
        ];
        for (node, path) in table {
            assert_eq!(node.path(), path, "{node:?}");
            assert_eq!(Node::of(path), Some(node), "{path:#x}");
        }
    }

    #[test]
    fn paths_of_no_file_are_none() {
        let kinds = [2, 3, 5, 6, 19, 22, 31];
        // A number where none belongs, protocol 1, stack 1, and the top bit.
        let others = [0x20, 0x28, 0x34, 0x200_0008, 0x200_0000, 1 << 32, 1 << 63];
        for path in kinds.into_iter().chain(others) {
            assert_eq!(Node::of(path), None, "{path:#x}");
        }
    }

    #[test]
    fn only_directories_have_the_directory_bit_and_only_ndb_has_a_version() {
        let world = World { ndb: (3, 9), ..World::default() };
        assert_eq!(Node::Net.qid(&world), Qid { kind: 0x80, vers: 0, path: 1 });
        assert_eq!(Node::Ndb.qid(&world), Qid { kind: 0, vers: 9, path: 4 });
        assert_eq!(Node::Conversation(TCP, 1).qid(&world).kind, 0x80);
        assert_eq!(Node::File(TCP, 1, File::Listen).qid(&world).kind, 0);
    }
}
