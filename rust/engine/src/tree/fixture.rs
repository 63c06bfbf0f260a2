//! The facts of a made-up gateway, for the tests of the tree.

use std::collections::HashMap;

use super::qid::Protocol;
use super::{Facts, Standing};

#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) conversations: u32,
    pub(crate) standings: HashMap<u32, Standing>,
    pub(crate) ndb: (u64, u32),
}

impl World {
    /// `count` conversations, of which 0 is glenda's with `mode`.
    pub(crate) fn with(count: u32, mode: u32) -> Self {
        let standing = Standing { owner: "glenda".into(), mode, busy: true };
        Self { conversations: count, standings: HashMap::from([(0, standing)]), ..Self::default() }
    }
}

impl Facts for World {
    fn conversations(&self, _: Protocol) -> u32 {
        self.conversations
    }

    fn standing(&self, _: Protocol, number: u32) -> Standing {
        self.standings.get(&number).cloned().unwrap_or_else(Standing::idle)
    }

    fn ndb(&self) -> (u64, u32) {
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
