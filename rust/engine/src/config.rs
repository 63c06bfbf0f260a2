//! What a gateway is told when it starts.
//!
//! Everything that is decided later comes through the handle or as the answer to an upcall; there
//! is no global state and nothing here changes while the gateway runs. Rules for who may dial what
//! are compiled from these fields once.

use crate::limits::Limits;

/// The settings of one gateway.
#[derive(Clone, Debug)]
pub struct Config {
    /// The user the gateway runs as: gid of every file, and allowed everything.
    pub host_owner: String,
    /// The subtree that becomes every attach's root, `/` for all.
    pub root: String,
    /// Worker threads; 0 is one for each core.
    pub workers: usize,
    /// CIDRs that may be dialled although a guard refuses them by default.
    pub allow_dial: Vec<String>,
    /// What every stack's ndb holds at first.
    pub ndb: Vec<u8>,
    /// When the gateway started, in seconds since 1970: atime and mtime of every file.
    pub started: u32,
    /// The bounds.
    pub limits: Limits,
    /// What the operator has granted, by name (docs/tree.md, section 8).
    pub grant: Vec<String>,
    /// Stacks besides the process's own.
    pub stacks: Vec<StackConfig>,
    /// Interfaces whose frames are served, as `/net/ether0` on.
    pub ethers: Vec<String>,
    /// What is mounted where; without it the stacks are at `/net` and `/net.NAME`.
    pub namespace: Option<Namespace>,
}

/// What is mounted where (docs/namespaces.md).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Namespace {
    /// The root's own directories by their names, each behind the one that holds it; the first is
    /// the root.
    pub directories: Vec<Vec<String>>,
    /// Files, and what is mounted on each, in the order of the union.
    pub mounts: Vec<(Spot, Vec<Spot>)>,
}

/// A file apart from any name space: a tree, and the names from its root.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Spot {
    /// Which tree.
    pub tree: Tree,
    /// The way from its root.
    pub names: Vec<String>,
}

/// A tree of files.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Tree {
    /// The root's own directories.
    Root,
    /// A stack, by its number.
    Stack(u8),
}

/// A stack besides the process's own, served as `/net.NAME`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StackConfig {
    /// What it is called.
    pub name: String,
    /// What its sockets have in common.
    pub kind: StackKind,
    /// Which one of that kind.
    pub value: String,
}

/// What the sockets of a stack have in common.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum StackKind {
    /// A network namespace, by name or path.
    Namespace,
    /// An interface.
    Device,
    /// A local address.
    Address,
}

impl StackKind {
    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Namespace, Self::Device, Self::Address].into_iter().find(|kind| kind.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Namespace => "netns",
            Self::Device => "dev",
            Self::Address => "addr",
        }
    }
}

impl Config {
    /// A gateway of `host_owner` with everything else at its default.
    pub fn new(host_owner: impl Into<String>) -> Self {
        Self {
            host_owner: host_owner.into(),
            root: "/".into(),
            workers: 0,
            allow_dial: Vec::new(),
            ndb: Vec::new(),
            started: 0,
            limits: Limits::default(),
            grant: Vec::new(),
            stacks: Vec::new(),
            ethers: Vec::new(),
            namespace: None,
        }
    }
}
