//! Names of files and the order of directories.
//!
//! A directory is a list that is counted and indexed but never built: `/net/tcp` may have a hundred
//! thousand entries, and a read wants a few of them (docs/tree.md, section 2).

use std::borrow::Cow;

use super::Facts;
use super::protocol::Protocol;
use super::qid::{Branch, Common, File, Node, StackId, Told};

impl Node {
    /// The last element of its path; that of `/` is `/`.
    pub(crate) fn name(self, facts: &dyn Facts) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Dir(directory) => return facts.mounts().name(directory).to_owned().into(),
            Self::Net(stack) => return net_name(stack, facts),
            Self::Common(_, file) => file.name(),
            Self::Protocol(branch) => return branch.protocol.name(),
            Self::Clone(_) => "clone",
            Self::Stats(_) => "stats",
            Self::Told(_, told) => told.name(),
            Self::Conversation(key) => return key.number.to_string().into(),
            Self::File(_, file) => file.name(),
        })
    }

    /// The directory of its own tree that it is in; the top of a tree is in itself.
    pub(crate) fn parent(self, facts: &dyn Facts) -> Self {
        match self {
            Self::Dir(directory) => Self::Dir(facts.mounts().above(directory)),
            Self::Net(_) => self,
            Self::Common(stack, _) | Self::Protocol(Branch { stack, .. }) => Self::Net(stack),
            Self::Clone(branch) | Self::Stats(branch) | Self::Told(branch, _) => {
                Self::Protocol(branch)
            }
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
        // Conversations alone are many; what else a directory holds is looked through.
        let few = if let Self::Protocol(_) = self { 0 } else { self.numbers(facts) };
        let numbered = (0..few).filter_map(|index| self.numbered(index, facts));
        self.first().chain(numbered).chain(self.last()).find(|child| child.name(facts) == name)
    }

    /// How many entries this directory has; 0 for what is none.
    pub(crate) fn entries(self, facts: &dyn Facts) -> u32 {
        // Twenty at most, beside numbers that fit 20 bits.
        let named = self.first().count() + self.last().count();
        self.numbers(facts) + u32::try_from(named).unwrap_or(u32::MAX)
    }

    /// Entry `index` of this directory when it had `entries` of them; none from there on.
    ///
    /// With `entries` fixed a listing does not shift while conversations are added.
    pub(crate) fn entry(self, index: u32, entries: u32, facts: &dyn Facts) -> Option<Self> {
        let (index, entries) = (usize::try_from(index).ok()?, usize::try_from(entries).ok()?);
        let first = self.first().count();
        let numbers = entries.checked_sub(first + self.last().count())?;
        match index.checked_sub(first) {
            None => self.first().nth(index),
            Some(number) if number < numbers => self.numbered(u32::try_from(number).ok()?, facts),
            Some(number) => self.last().nth(number - numbers),
        }
    }

    /// How many entries are not always there: stacks, interfaces, conversations.
    fn numbers(self, facts: &dyn Facts) -> u32 {
        match self {
            Self::Dir(directory) => {
                facts.mounts().below(directory).len().try_into().unwrap_or(u32::MAX)
            }
            Self::Net(stack) => facts.ethers(stack).into(),
            Self::Protocol(branch) => facts.conversations(branch),
            _ => 0,
        }
    }

    /// The one of that number.
    fn numbered(self, number: u32, facts: &dyn Facts) -> Option<Self> {
        match self {
            Self::Dir(directory) => {
                let below = facts.mounts().below(directory);
                below.get(usize::try_from(number).ok()?).map(|directory| Self::Dir(*directory))
            }
            Self::Net(stack) => {
                let protocol = Protocol::Ether(number.try_into().ok()?);
                Some(Self::Protocol(Branch { stack, protocol }))
            }
            Self::Protocol(branch) => Some(Self::Conversation(branch.key(number))),
            _ => None,
        }
    }

    /// The entries that are always there and before the others, in order.
    fn first(self) -> impl Iterator<Item = Self> {
        let net = if let Self::Net(stack) = self { Some(stack) } else { None };
        let ether = self.branch().filter(|branch| branch.protocol.frames());
        let (slot, key) = match self {
            Self::Conversation(key) if key.branch.protocol.frames() => (Some(key), None),
            Self::Conversation(key) => (None, Some(key)),
            _ => (None, None),
        };
        let protocols = net.into_iter().flat_map(|stack| {
            let protocols = Protocol::ALL.into_iter();
            protocols.map(move |protocol| Self::Protocol(Branch { stack, protocol }))
        });
        let of_ether = ether.into_iter().flat_map(|branch| {
            let told = |told| Self::Told(branch, told);
            [Self::Clone(branch), told(Told::Addr), Self::Stats(branch), told(Told::Ifstats)]
        });
        let of_slot = slot.into_iter().flat_map(|key| {
            let file = |file| Self::File(key, file);
            // What it has in common with the others is the interface's.
            let (stats, ifstats) = (Self::Stats(key.branch), Self::Told(key.branch, Told::Ifstats));
            [file(File::Data), file(File::Ctl), stats, file(File::Type), ifstats]
        });
        let of_conversation = key.into_iter().flat_map(|key| {
            let files = key.branch.protocol.files().iter();
            files.map(move |file| Self::File(key, *file))
        });
        protocols.chain(of_ether).chain(of_slot).chain(of_conversation)
    }

    /// Those that are always there and behind the others, in order.
    fn last(self) -> impl Iterator<Item = Self> {
        let net = if let Self::Net(stack) = self { Some(stack) } else { None };
        let branch = self.branch().filter(|branch| !branch.protocol.frames());
        let common = net
            .into_iter()
            .flat_map(|stack| Common::ALL.into_iter().map(move |file| Self::Common(stack, file)));
        let of_protocol =
            branch.into_iter().flat_map(|branch| [Self::Clone(branch), Self::Stats(branch)]);
        common.chain(of_protocol)
    }

    /// The protocol whose directory it is.
    fn branch(self) -> Option<Branch> {
        if let Self::Protocol(branch) = self { Some(branch) } else { None }
    }
}

fn net_name(stack: StackId, facts: &dyn Facts) -> Cow<'static, str> {
    if let Some(home) = facts.mounts().home(stack) {
        return facts.mounts().name(home).to_owned().into();
    }
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
    use crate::tree::qid::DirId;

    const NET: Node = Node::Net(StackId(0));

    fn listing(node: Node, world: &World) -> Vec<String> {
        let entries = node.entries(world);
        let all = (0..).map_while(|index| node.entry(index, entries, world));
        all.map(|entry| entry.name(world).into()).collect()
    }

    #[test]
    fn directories_are_in_the_order_of_the_page() {
        let world = World { conversations: 3, ..World::default() };
        assert_eq!(listing(Node::ROOT, &world), ["net", "net.alt"]);
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
    fn interfaces_come_behind_the_protocols_of_the_first_stack() {
        let world = World { conversations: 1, ethers: 2, ..World::default() };
        assert_eq!(listing(NET, &world)[8..12], ["il", "ether0", "ether1", "arp"]);
        assert_eq!(listing(Node::Net(ALT), &world)[8..10], ["il", "arp"]);
        let ether = Branch { protocol: Protocol::Ether(1), ..TCP };
        let files = ["clone", "addr", "stats", "ifstats", "0"];
        assert_eq!(listing(Node::Protocol(ether), &world), files);
        let files = ["data", "ctl", "stats", "type", "ifstats"];
        assert_eq!(listing(Node::Conversation(ether.key(0)), &world), files);
        let stats = Node::Conversation(ether.key(0)).child("stats", &world);
        assert_eq!(stats, Some(Node::Stats(ether)));
        assert_eq!(NET.child("ether2", &world), None);
        assert_eq!(Node::Net(ALT).child("ether0", &world), None);
    }

    #[test]
    fn every_entry_is_found_by_its_name_and_knows_its_parent() {
        let world = World { conversations: 2, ..World::default() };
        let directories = [Node::ROOT, NET, Node::Net(ALT), Node::Protocol(TCP)];
        assert_eq!(Node::ROOT.child("net", &world), Some(Node::Dir(DirId(1))));
        for node in directories.into_iter().chain([Node::Conversation(tcp(1))]) {
            let entries = node.entries(&world);
            for entry in (0..).map_while(|index| node.entry(index, entries, &world)) {
                assert_eq!(node.child(&entry.name(&world), &world), Some(entry));
                assert_eq!(entry.parent(&world), node);
            }
        }
        assert_eq!(Node::ROOT.parent(&world), Node::ROOT);
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
