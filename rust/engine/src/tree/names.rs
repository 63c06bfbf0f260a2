//! Names of files and the order of directories.
//!
//! A directory is a list that is counted and indexed but never built: `/net/tcp` may have a hundred
//! thousand entries, and a read wants a few of them (docs/tree.md, section 2).

use std::borrow::Cow;

use super::Facts;
use super::protocol::Protocol;
use super::qid::{Branch, Common, Node, StackId};

impl Node {
    /// The last element of its path; that of `/` is `/`.
    pub(crate) fn name(self, facts: &dyn Facts) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Root => "/",
            Self::Net(stack) => return net_name(stack, facts),
            Self::Common(_, file) => file.name(),
            Self::Protocol(branch) => branch.protocol.name(),
            Self::Clone(_) => "clone",
            Self::Stats(_) => "stats",
            Self::Conversation(key) => return key.number.to_string().into(),
            Self::File(_, file) => file.name(),
        })
    }

    /// The directory it is in; `/` is in itself.
    pub(crate) fn parent(self) -> Self {
        match self {
            Self::Root | Self::Net(_) => Self::Root,
            Self::Common(stack, _) | Self::Protocol(Branch { stack, .. }) => Self::Net(stack),
            Self::Clone(branch) | Self::Stats(branch) => Self::Protocol(branch),
            Self::Conversation(key) => Self::Protocol(key.branch),
            Self::File(key, _) => Self::Conversation(key),
        }
    }

    /// The file called `name` in this directory.
    pub(crate) fn child(self, name: &str, facts: &dyn Facts) -> Option<Self> {
        if let Self::Protocol(branch) = self
            && let Some(number) = number(name)
        {
            let there = number < facts.conversations(branch);
            return there.then_some(Self::Conversation(branch.key(number)));
        }
        let numbers = self.numbers(facts);
        // Conversations alone are many; what else a directory holds is looked through.
        let fixed = if self == Self::Root { 0..numbers } else { 0..0 };
        let stacks = fixed.filter_map(|index| self.numbered(index));
        stacks.chain(self.named()).find(|child| child.name(facts) == name)
    }

    /// How many entries this directory has; 0 for what is none.
    pub(crate) fn entries(self, facts: &dyn Facts) -> u32 {
        // Twenty at most, beside numbers that fit 20 bits.
        self.numbers(facts) + u32::try_from(self.named().count()).unwrap_or(u32::MAX)
    }

    /// Entry `index` of this directory when it had `entries` of them; none from there on.
    ///
    /// With `entries` fixed a listing does not shift while conversations are added.
    pub(crate) fn entry(self, index: u32, entries: u32) -> Option<Self> {
        let named = u32::try_from(self.named().count()).ok()?;
        let numbers = entries.checked_sub(named)?;
        if index < numbers {
            return self.numbered(index);
        }
        self.named().nth(usize::try_from(index - numbers).ok()?)
    }

    /// How many entries come before those that are always there: stacks, conversations.
    fn numbers(self, facts: &dyn Facts) -> u32 {
        match self {
            Self::Root => u32::try_from(facts.stacks().len()).unwrap_or(u32::MAX),
            Self::Protocol(branch) => facts.conversations(branch),
            _ => 0,
        }
    }

    /// The one of that number.
    fn numbered(self, number: u32) -> Option<Self> {
        match self {
            Self::Root => u8::try_from(number).ok().map(|stack| Self::Net(StackId(stack))),
            Self::Protocol(branch) => Some(Self::Conversation(branch.key(number))),
            _ => None,
        }
    }

    /// The entries that are always there, in order.
    fn named(self) -> impl Iterator<Item = Self> {
        let net = if let Self::Net(stack) = self { Some(stack) } else { None };
        let branch = if let Self::Protocol(branch) = self { Some(branch) } else { None };
        let key = if let Self::Conversation(key) = self { Some(key) } else { None };
        let of_net = net.into_iter().flat_map(|stack| {
            let protocols = Protocol::ALL.into_iter();
            let protocols = protocols.map(move |protocol| Branch { stack, protocol });
            let common = Common::ALL.into_iter().map(move |file| Self::Common(stack, file));
            protocols.map(Self::Protocol).chain(common)
        });
        let of_protocol =
            branch.into_iter().flat_map(|branch| [Self::Clone(branch), Self::Stats(branch)]);
        let of_conversation = key.into_iter().flat_map(|key| {
            key.branch.protocol.files().iter().map(move |file| Self::File(key, *file))
        });
        of_net.chain(of_protocol).chain(of_conversation)
    }
}

fn net_name(stack: StackId, facts: &dyn Facts) -> Cow<'static, str> {
    match facts.stacks().get(usize::from(stack.0)) {
        Some(name) if !name.is_empty() => format!("net.{name}").into(),
        _ => "net".into(),
    }
}

/// A conversation's number from its name: decimal, and no other spelling of the same number.
fn number(name: &str) -> Option<u32> {
    let canonical = name == "0" || !name.starts_with('0');
    let digits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    if canonical && digits { name.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::fixture::{ALT, TCP, World, tcp};

    const NET: Node = Node::Net(StackId(0));

    fn listing(node: Node, world: &World) -> Vec<String> {
        let entries = node.entries(world);
        let all = (0..).map_while(|index| node.entry(index, entries));
        all.map(|entry| entry.name(world).into()).collect()
    }

    #[test]
    fn directories_are_in_the_order_of_the_page() {
        let world = World { conversations: 3, ..World::default() };
        assert_eq!(listing(Node::Root, &world), ["net", "net.alt"]);
        let net = [
            "tcp",
            "udp",
            "ipifc",
            "icmp",
            "icmpv6",
            "gre",
            "ipmux",
            "esp",
            "il",
            "arp",
            "bootp",
            "ndb",
            "iproute",
            "ipselftab",
            "log",
            "cs",
            "dns",
        ];
        assert_eq!(listing(NET, &world), net);
        assert_eq!(listing(Node::Net(ALT), &world), net);
        assert_eq!(listing(Node::Protocol(TCP), &world), ["0", "1", "2", "clone", "stats"]);
        let files = ["ctl", "data", "err", "listen", "local", "remote", "status"];
        assert_eq!(listing(Node::Conversation(tcp(2)), &world), files);
        let interface = Branch { protocol: Protocol::Ipifc, ..TCP }.key(0);
        assert_eq!(listing(Node::Conversation(interface), &world)[7..], ["snoop"]);
        assert!(listing(Node::Common(StackId(0), Common::Cs), &world).is_empty());
    }

    #[test]
    fn every_entry_is_found_by_its_name_and_knows_its_parent() {
        let world = World { conversations: 2, ..World::default() };
        let directories = [Node::Root, NET, Node::Net(ALT), Node::Protocol(TCP)];
        for node in directories.into_iter().chain([Node::Conversation(tcp(1))]) {
            let entries = node.entries(&world);
            for entry in (0..).map_while(|index| node.entry(index, entries)) {
                assert_eq!(node.child(&entry.name(&world), &world), Some(entry));
                assert_eq!(entry.parent(), node);
            }
        }
        assert_eq!(Node::Root.parent(), Node::Root);
    }

    #[test]
    fn a_conversation_has_one_name() {
        let world = World { conversations: 3, ..World::default() };
        let tcps = Node::Protocol(TCP);
        for name in ["3", "00", "01", "+1", "-1", " 1", "1 ", "", "1x", "99999999999", "\u{661}"] {
            assert_eq!(tcps.child(name, &world), None, "{name:?}");
        }
        assert_eq!(tcps.child("2", &world), Some(Node::Conversation(tcp(2))));
    }
}
