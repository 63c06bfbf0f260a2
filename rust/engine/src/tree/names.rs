//! Names of files and the order of directories.
//!
//! A directory is a list that is counted and indexed but never built: `/net/tcp` may have a hundred
//! thousand entries, and a read wants a few of them (docs/tree.md, section 2).

use std::borrow::Cow;

use super::Facts;
use super::qid::{File, Node, Protocol};

impl Node {
    /// The last element of its path; that of `/` is `/`.
    pub(crate) fn name(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Root => "/",
            Self::Net => "net",
            Self::Ndb => "ndb",
            Self::Log => "log",
            Self::Cs => "cs",
            Self::Dns => "dns",
            Self::Protocol(protocol) => protocol.name(),
            Self::Clone(_) => "clone",
            Self::Stats(_) => "stats",
            Self::Conversation(_, number) => return number.to_string().into(),
            Self::File(_, _, file) => file.name(),
        })
    }

    /// The directory it is in; `/` is in itself.
    pub(crate) fn parent(self) -> Self {
        match self {
            Self::Root | Self::Net => Self::Root,
            Self::Ndb | Self::Log | Self::Cs | Self::Dns | Self::Protocol(_) => Self::Net,
            Self::Clone(protocol) | Self::Stats(protocol) | Self::Conversation(protocol, _) => {
                Self::Protocol(protocol)
            }
            Self::File(protocol, number, _) => Self::Conversation(protocol, number),
        }
    }

    /// The file called `name` in this directory.
    pub(crate) fn child(self, name: &str, facts: &dyn Facts) -> Option<Self> {
        if let Self::Protocol(protocol) = self
            && let Some(number) = number(name)
        {
            let there = number < facts.conversations(protocol);
            return there.then_some(Self::Conversation(protocol, number));
        }
        // Only numbers are many; what else a directory holds is looked through.
        self.named().find(|child| child.name() == name)
    }

    /// How many entries this directory has; 0 for what is none.
    pub(crate) fn entries(self, facts: &dyn Facts) -> u32 {
        let numbers = match self {
            Self::Protocol(protocol) => facts.conversations(protocol),
            _ => 0,
        };
        // Ten at most, beside numbers that fit 20 bits.
        numbers + u32::try_from(self.named().count()).unwrap_or(u32::MAX)
    }

    /// Entry `index` of this directory when it had `entries` of them; none from there on.
    ///
    /// With `entries` fixed a listing does not shift while conversations are added.
    pub(crate) fn entry(self, index: u32, entries: u32) -> Option<Self> {
        let named = u32::try_from(self.named().count()).ok()?;
        let numbers = entries.checked_sub(named)?;
        match self {
            Self::Protocol(protocol) if index < numbers => {
                Some(Self::Conversation(protocol, index))
            }
            _ => self.named().nth(usize::try_from(index.checked_sub(numbers)?).ok()?),
        }
    }

    /// The entries that are always there, in order, without the conversations before them.
    fn named(self) -> impl Iterator<Item = Self> {
        let (fixed, files): (&'static [Self], _) = match self {
            Self::Root => (&[Self::Net], None),
            Self::Net => (&NET, None),
            Self::Protocol(Protocol::Tcp) => (&TCP, None),
            Self::Conversation(protocol, number) => (&[], Some((protocol, number))),
            _ => (&[], None),
        };
        let files = files.into_iter().flat_map(|(protocol, number)| {
            File::ALL.into_iter().map(move |file| Self::File(protocol, number, file))
        });
        fixed.iter().copied().chain(files)
    }
}

const NET: [Node; 5] = [Node::Protocol(Protocol::Tcp), Node::Ndb, Node::Log, Node::Cs, Node::Dns];
const TCP: [Node; 2] = [Node::Clone(Protocol::Tcp), Node::Stats(Protocol::Tcp)];

/// A conversation's number from its name: decimal, and no other spelling of the same number.
fn number(name: &str) -> Option<u32> {
    let canonical = name == "0" || !name.starts_with('0');
    let digits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    if canonical && digits { name.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::fixture::World;

    fn listing(node: Node, world: &World) -> Vec<String> {
        let entries = node.entries(world);
        (0..).map_while(|index| node.entry(index, entries)).map(|e| e.name().into()).collect()
    }

    #[test]
    fn directories_are_in_the_order_of_the_page() {
        let world = World { conversations: 3, ..World::default() };
        let tcp = Node::Protocol(Protocol::Tcp);
        assert_eq!(listing(Node::Root, &world), ["net"]);
        assert_eq!(listing(Node::Net, &world), ["tcp", "ndb", "log", "cs", "dns"]);
        assert_eq!(listing(tcp, &world), ["0", "1", "2", "clone", "stats"]);
        let files = ["ctl", "data", "err", "listen", "local", "remote", "status"];
        assert_eq!(listing(Node::Conversation(Protocol::Tcp, 2), &world), files);
        assert!(listing(Node::Cs, &world).is_empty());
    }

    #[test]
    fn every_entry_is_found_by_its_name_and_knows_its_parent() {
        let world = World { conversations: 2, ..World::default() };
        let tcp = Node::Protocol(Protocol::Tcp);
        for node in [Node::Root, Node::Net, tcp, Node::Conversation(Protocol::Tcp, 1)] {
            let entries = node.entries(&world);
            for entry in (0..).map_while(|index| node.entry(index, entries)) {
                assert_eq!(node.child(&entry.name(), &world), Some(entry));
                assert_eq!(entry.parent(), node);
            }
        }
        assert_eq!(Node::Root.parent(), Node::Root);
    }

    #[test]
    fn a_conversation_has_one_name() {
        let world = World { conversations: 3, ..World::default() };
        let tcp = Node::Protocol(Protocol::Tcp);
        for name in ["3", "00", "01", "+1", "-1", " 1", "1 ", "", "1x", "99999999999", "\u{661}"] {
            assert_eq!(tcp.child(name, &world), None, "{name:?}");
        }
        assert_eq!(tcp.child("2", &world), Some(Node::Conversation(Protocol::Tcp, 2)));
    }
}
