//! The facts of a made-up gateway with two stacks, for the tests of the tree.

use std::collections::HashMap;

use super::mounts::Mounts;
use super::protocol::Protocol;
use super::qid::{Branch, Key, StackId};
use super::{Facts, Standing};

/// tcp of `/net`.
pub(crate) const TCP: Branch = Branch { stack: StackId(0), protocol: Protocol::Tcp };

/// The second stack, `/net.alt`.
pub(crate) const ALT: StackId = StackId(1);

/// A conversation of tcp of `/net`.
pub(crate) fn tcp(number: u32) -> Key {
    TCP.key(number)
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) stacks: Vec<Box<str>>,
    pub(crate) conversations: u32,
    pub(crate) standings: HashMap<u32, Standing>,
    pub(crate) ndb: (u64, u32),
    pub(crate) ethers: u8,
    pub(crate) mounts: Mounts,
}

impl Default for World {
    fn default() -> Self {
        let stacks = vec!["".into(), "alt".into()];
        let mounts = Mounts::new(&Mounts::of_stacks(&stacks), 2, 0).unwrap();
        Self { stacks, conversations: 0, standings: HashMap::new(), ndb: (0, 0), ethers: 0, mounts }
    }
}

impl World {
    /// `count` conversations, of which 0 is glenda's with `mode`.
    pub(crate) fn with(count: u32, mode: u32) -> Self {
        let standing = Standing { owner: "glenda".into(), mode, busy: true };
        Self { conversations: count, standings: HashMap::from([(0, standing)]), ..Self::default() }
    }
}

impl Facts for World {
    fn stacks(&self) -> &[Box<str>] {
        &self.stacks
    }

    fn mounts(&self) -> &Mounts {
        &self.mounts
    }

    fn conversations(&self, _: Branch) -> u32 {
        self.conversations
    }

    fn ethers(&self, stack: StackId) -> u8 {
        if stack == StackId(0) { self.ethers } else { 0 }
    }

    fn standing(&self, key: Key) -> Standing {
        self.standings.get(&key.number).cloned().unwrap_or_else(Standing::idle)
    }

    fn ndb(&self, _: StackId) -> (u64, u32) {
        self.ndb
    }

    #[allow(clippy::unnecessary_literal_bound, reason = "the trait's")]
    fn host_owner(&self) -> &str {
        "gate"
    }

    fn started(&self) -> u32 {
        1000
    }
}
