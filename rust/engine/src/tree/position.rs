//! A file as it was reached, through whatever is mounted (docs/namespaces.md).
//!
//! A position is the file *under* what is mounted there, as the original leaves a directory that one
//! changes to: what is mounted is looked up when the position is used. A file may be reached in
//! several ways, and `..` goes back the way that was come: each mounted tree that was entered is
//! remembered by where that was.

use std::sync::Arc;

use super::Facts;
use super::qid::Node;

/// A file as it was reached. Without a crossing it is in the root's own tree, or in a stack that was
/// entered at its home.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Position {
    pub(crate) node: Node,
    crossing: Option<Arc<Crossing>>,
}

/// Where a mounted tree was entered.
#[derive(Debug, Eq, PartialEq)]
struct Crossing {
    /// The position it is mounted on.
    at: Position,
    top: Node,
}

impl Position {
    /// `/`
    pub(crate) const ROOT: Self = Self { node: Node::ROOT, crossing: None };

    /// The position of a fid that nothing more is known of than what is seen there.
    pub(crate) fn natural(node: Node, facts: &dyn Facts) -> Self {
        let home = if let Node::Net(stack) = node { facts.mounts().home(stack) } else { None };
        Self { node: home.map_or(node, Node::Dir), crossing: None }
    }

    /// What is seen there.
    pub(crate) fn seen(&self, facts: &dyn Facts) -> Node {
        facts.mounts().seen(self.node)
    }

    /// Whether what is seen there tells the position.
    pub(crate) fn told(&self, facts: &dyn Facts) -> bool {
        *self == Self::natural(self.seen(facts), facts)
    }

    /// The directories that are seen there, in the order of the union.
    pub(crate) fn members<'a>(&self, facts: &'a dyn Facts) -> impl Iterator<Item = Node> + use<'a> {
        facts.mounts().members(self.node)
    }

    /// What is called `name` there: in a union, of the first member that has it.
    pub(crate) fn child(&self, name: &str, facts: &dyn Facts) -> Option<Self> {
        let mut found = self.members(facts).map(|member| (member, member.child(name, facts)));
        found.find_map(|(member, child)| {
            Some(Self { node: child?, crossing: self.into(member, facts) })
        })
    }

    /// The directory that it was reached through; of the root, itself.
    pub(crate) fn above(&self, facts: &dyn Facts) -> Self {
        let over = self.node.parent(facts);
        match &self.crossing {
            Some(crossing) if over == crossing.top => crossing.at.clone(),
            Some(crossing) => Self { node: over, crossing: Some(Arc::clone(crossing)) },
            // It is at home nowhere any more.
            None if matches!(self.node, Node::Net(_)) => Self::ROOT,
            None => Self::natural(over, facts),
        }
    }

    /// How what is in `member` of what is seen here is reached.
    fn into(&self, member: Node, facts: &dyn Facts) -> Option<Arc<Crossing>> {
        let home = if let Node::Net(stack) = member { facts.mounts().home(stack) } else { None };
        let at_home = self.crossing.is_none() && home.map(Node::Dir) == Some(self.node);
        if member == self.node || at_home {
            return self.crossing.clone();
        }
        Some(Arc::new(Crossing { at: self.clone(), top: member }))
    }
}
