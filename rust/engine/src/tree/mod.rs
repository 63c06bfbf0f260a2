//! The tree by computation: walk, stat, permissions and directory reads as functions of qids.
//!
//! Nothing of the tree is stored. A qid's path packs what a file is, names and modes follow from
//! that, and the little that changes (who owns which conversation, how long ndb is) is asked of
//! [`Facts`]. So a walk costs no system call and no lock but the registry's, and all of it can be
//! tested without a socket. `docs/tree.md` sections 1 to 4 and 7 are the contract.
//!
//! It does not do what an open or a read of a file starts; that is the session's and the
//! conversation's business.

pub(crate) mod access;
pub(crate) mod directory;
pub(crate) mod mounts;
pub(crate) mod names;
pub(crate) mod ndb;
pub(crate) mod position;
pub(crate) mod protocol;
pub(crate) mod qid;
pub(crate) mod stat;
pub(crate) mod walk;
pub(crate) mod wstat;

#[cfg(test)]
pub(crate) mod fixture;

use std::sync::Arc;

use self::mounts::Mounts;
use self::qid::{Branch, Key, StackId};

/// What the tree must be told. No answer blocks for longer than the registry's lock.
pub(crate) trait Facts {
    /// The names of the stacks by their numbers; that of the first is empty.
    fn stacks(&self) -> &[Box<str>];

    /// What is mounted where.
    fn mounts(&self) -> &Mounts;

    /// How many conversations have ever been in use: the directories `0` up to it are there.
    fn conversations(&self, branch: Branch) -> u32;

    /// How many interfaces of a stack give their frames away: `ether0` up to it are there.
    fn ethers(&self, stack: StackId) -> u8;

    /// Whose a conversation is; [`Standing::idle`] for one that nobody uses.
    fn standing(&self, key: Key) -> Standing;

    /// Bytes in a stack's ndb, and the count of its changes.
    fn ndb(&self, stack: StackId) -> (u64, u32);

    /// The user the gateway runs as.
    fn host_owner(&self) -> &str;

    /// When the gateway started, in seconds since 1970.
    fn started(&self) -> u32;
}

/// Whose a conversation is and what others may do with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Standing {
    /// The uname of the attach that made it, or [`NETWORK`].
    pub(crate) owner: Arc<str>,
    /// The permission bits of ctl, data, err and listen.
    pub(crate) mode: u32,
    /// Whether a ctl, data or err of it is open.
    pub(crate) busy: bool,
}

impl Standing {
    /// The standing of a conversation that nobody uses.
    pub(crate) fn idle() -> Self {
        Self { owner: NETWORK.into(), mode: FIRST_MODE, busy: false }
    }
}

/// The owner of everything that no user made.
pub(crate) const NETWORK: &str = "network";

/// The mode of a new conversation's ctl, data, err and listen.
pub(crate) const FIRST_MODE: u32 = 0o660;

/// What a read at `offset` of at most `count` bytes gives of a text; nothing beyond its end.
pub(crate) fn slice(text: &[u8], offset: u64, count: u32) -> &[u8] {
    let rest = usize::try_from(offset).ok().and_then(|offset| text.get(offset..));
    let rest = rest.unwrap_or_default();
    rest.get(..count as usize).unwrap_or(rest)
}
