//! The mount table by nodes: what is seen at a file instead of it (docs/namespaces.md).
//!
//! Made once for a name space and never changed: another name space is another table. It only says
//! what is on what; [`super::walk`] says how names lead through it. A fid may be of a directory that
//! another name space had: it is empty now, and the root holds it.

use std::collections::HashMap;

use super::qid::{Branch, DirId, Key, MAX_CONVERSATIONS, Node, StackId};
use super::{Facts, NETWORK, Standing};
use crate::config::{Namespace, Spot, Tree};

/// What is mounted where in one name space.
#[derive(Debug, Default)]
pub(crate) struct Mounts {
    directories: Vec<Directory>,
    /// Of each file that something is mounted on, what; never nothing.
    on: HashMap<Node, Box<[Node]>>,
    /// The directory of the root's own where a stack is seen.
    homes: HashMap<StackId, DirId>,
}

/// One of the root's own.
#[derive(Debug)]
struct Directory {
    name: Box<str>,
    above: DirId,
    below: Vec<DirId>,
}

impl Mounts {
    /// The table of `namespace` for so many stacks, with so many interfaces in the first.
    ///
    /// # Errors
    /// A spot that no file can be at.
    pub(crate) fn new(namespace: &Namespace, stacks: usize, ethers: u8) -> Result<Self, String> {
        let mut made = Self::default();
        let ids = made.make(&namespace.directories)?;
        let there = There { ids, stacks, ethers, none: Self::default() };
        for (spot, members) in &namespace.mounts {
            let at = there.node(spot)?;
            let members: Box<[_]> =
                members.iter().map(|member| there.node(member)).collect::<Result<_, _>>()?;
            let Some(first) = members.first() else { continue };
            if let (Node::Dir(home), Node::Net(stack)) = (at, *first) {
                made.homes.entry(stack).or_insert(home);
            }
            made.on.insert(at, members);
        }
        Ok(made)
    }

    /// What there is without a name space: a stack a directory.
    pub(crate) fn of_stacks(names: &[Box<str>]) -> Namespace {
        let mut made = Namespace { directories: vec![Vec::new()], mounts: Vec::new() };
        for (number, name) in (0..).zip(names) {
            let name = if name.is_empty() { "net".to_owned() } else { format!("net.{name}") };
            made.directories.push(vec![name.clone()]);
            let at = Spot { tree: Tree::Root, names: vec![name] };
            made.mounts.push((at, vec![Spot { tree: Tree::Stack(number), names: Vec::new() }]));
        }
        made
    }

    /// What is mounted on a file, in the order of the union; nothing, or one at least.
    pub(crate) fn on(&self, node: Node) -> &[Node] {
        self.on.get(&node).map_or(&[], |members| members)
    }

    /// What is seen at a directory, in the order of the union: what is mounted on it, or itself.
    pub(crate) fn members(&self, node: Node) -> impl Iterator<Item = Node> + use<'_> {
        let on = self.on(node);
        on.is_empty().then_some(node).into_iter().chain(on.iter().copied())
    }

    /// What is seen at a file: what is mounted on it, of a union the first, or the file.
    pub(crate) fn seen(&self, node: Node) -> Node {
        self.on(node).first().copied().unwrap_or(node)
    }

    /// The directory of the root's own where a stack is seen, if there is one.
    pub(crate) fn home(&self, stack: StackId) -> Option<DirId> {
        self.homes.get(&stack).copied()
    }

    /// The directories in one of the root's own, in the order in which they were made.
    pub(crate) fn below(&self, directory: DirId) -> &[DirId] {
        self.directory(directory).map_or(&[], |directory| &directory.below)
    }

    /// The directory that holds one of the root's own; the root holds itself.
    pub(crate) fn above(&self, directory: DirId) -> DirId {
        self.directory(directory).map_or(DirId(0), |directory| directory.above)
    }

    /// The name of one of the root's own.
    pub(crate) fn name(&self, directory: DirId) -> &str {
        self.directory(directory).map_or("", |directory| &directory.name)
    }

    fn directory(&self, id: DirId) -> Option<&Directory> {
        self.directories.get(usize::try_from(id.0).ok()?)
    }

    fn make<'a>(
        &mut self,
        directories: &'a [Vec<String>],
    ) -> Result<HashMap<&'a [String], DirId>, String> {
        let mut ids: HashMap<&[String], DirId> = HashMap::new();
        for (number, names) in (0..).zip(directories) {
            let id = DirId(number);
            let (name, above) = match names.split_last() {
                None => ("/", id),
                Some((name, above)) => {
                    let above = ids.get(above).ok_or_else(|| lacking("#/", names))?;
                    (name.as_str(), *above)
                }
            };
            if above != id
                && let Some(holder) = self.directories.get_mut(above.0 as usize)
            {
                holder.below.push(id);
            }
            self.directories.push(Directory { name: name.into(), above, below: Vec::new() });
            ids.insert(names, id);
        }
        Ok(ids)
    }
}

/// Every file that there can be, with the root's own directories by their names.
struct There<'a> {
    ids: HashMap<&'a [String], DirId>,
    stacks: usize,
    ethers: u8,
    none: Mounts,
}

impl There<'_> {
    fn node(&self, spot: &Spot) -> Result<Node, String> {
        let names = spot.names.as_slice();
        let (node, tree) = match spot.tree {
            Tree::Root => (self.ids.get(names).copied().map(Node::Dir), "#/".to_owned()),
            Tree::Stack(number) => {
                let there = usize::from(number) < self.stacks;
                let top = there.then_some(Node::Net(StackId(number)));
                (
                    names.iter().fold(top, |node, name| node?.child(name, self)),
                    format!("#I{number}"),
                )
            }
        };
        node.ok_or_else(|| lacking(&tree, names))
    }
}

impl Facts for There<'_> {
    fn stacks(&self) -> &[Box<str>] {
        &[]
    }

    fn mounts(&self) -> &Mounts {
        &self.none
    }

    fn conversations(&self, _: Branch) -> u32 {
        MAX_CONVERSATIONS
    }

    fn ethers(&self, stack: StackId) -> u8 {
        if stack == StackId(0) { self.ethers } else { 0 }
    }

    fn standing(&self, _: Key) -> Standing {
        Standing::idle()
    }

    fn ndb(&self, _: StackId) -> (u64, u32) {
        (0, 0)
    }

    fn host_owner(&self) -> &str {
        NETWORK
    }

    fn started(&self) -> u32 {
        0
    }
}

/// What is said of a spot that no file can be at.
fn lacking(tree: &str, names: &[String]) -> String {
    let spot = names.iter().fold(tree.to_owned(), |path, name| path + "/" + name);
    format!("the name space has no file {spot}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::fixture::{ALT, TCP};
    use crate::tree::qid::{Common, File};

    fn names(path: &str) -> Vec<String> {
        path.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    fn spot(tree: Tree, path: &str) -> Spot {
        Spot { tree, names: names(path) }
    }

    fn table(directories: &[&str], mounts: &[(Spot, Vec<Spot>)]) -> Result<Mounts, String> {
        let directories = directories.iter().map(|path| names(path)).collect();
        Mounts::new(&Namespace { directories, mounts: mounts.to_vec() }, 2, 1)
    }

    #[test]
    fn spots_are_the_files_that_there_can_be() {
        let of = |tree, path: &str| {
            let made = table(&["", "n", "n/a"], &[(spot(Tree::Root, ""), vec![spot(tree, path)])]);
            made.map(|made| made.seen(Node::ROOT))
        };
        let conversation = TCP.key(MAX_CONVERSATIONS - 1);
        assert_eq!(of(Tree::Root, "n/a"), Ok(Node::Dir(DirId(2))));
        assert_eq!(of(Tree::Stack(1), ""), Ok(Node::Net(ALT)));
        assert_eq!(of(Tree::Stack(1), "cs"), Ok(Node::Common(ALT, Common::Cs)));
        assert_eq!(of(Tree::Stack(0), "tcp/1048575/ctl"), Ok(Node::File(conversation, File::Ctl)));
        assert!(of(Tree::Stack(0), "ether0/type").is_err());
        assert!(of(Tree::Stack(0), "ether0/1/type").is_ok());
        for (tree, path, shown) in [
            (Tree::Root, "n/b", "#//n/b"),
            (Tree::Stack(2), "", "#I2"),
            (Tree::Stack(1), "ether0", "#I1/ether0"),
            (Tree::Stack(0), "tcp/1048576", "#I0/tcp/1048576"),
            (Tree::Stack(0), "tcp/01", "#I0/tcp/01"),
            (Tree::Stack(0), "cs/x", "#I0/cs/x"),
        ] {
            assert_eq!(of(tree, path), Err(format!("the name space has no file {shown}")));
        }
    }

    #[test]
    fn directories_know_who_holds_them_and_strangers_are_empty() {
        let made = table(&["", "n", "n/a", "m", "n/b"], &[]).unwrap();
        assert_eq!(made.below(DirId(0)), [DirId(1), DirId(3)]);
        assert_eq!(made.below(DirId(1)), [DirId(2), DirId(4)]);
        assert_eq!((made.above(DirId(4)), made.name(DirId(4))), (DirId(1), "b"));
        assert_eq!((made.above(DirId(0)), made.name(DirId(0))), (DirId(0), "/"));
        assert_eq!((made.above(DirId(9)), made.name(DirId(9))), (DirId(0), ""));
        assert!(made.below(DirId(9)).is_empty());
        assert!(table(&["", "n/a"], &[]).is_err());
    }

    #[test]
    fn a_stack_is_at_home_where_it_is_seen_first() {
        let stack = |number| spot(Tree::Stack(number), "");
        let mounts = [
            (spot(Tree::Root, "a"), vec![stack(1), stack(0)]),
            (spot(Tree::Root, "b"), vec![stack(0)]),
            (spot(Tree::Root, "c"), vec![stack(0)]),
        ];
        let made = table(&["", "a", "b", "c"], &mounts).unwrap();
        assert_eq!(made.home(StackId(0)), Some(DirId(2)));
        assert_eq!(made.home(ALT), Some(DirId(1)));
        assert_eq!(made.members(Node::Dir(DirId(1))).count(), 2);
        assert_eq!(made.members(Node::ROOT).collect::<Vec<_>>(), [Node::ROOT]);
    }
}
