//! What a conversation has for itself among those of its stack and protocol: icmp's ids, gre's peers,
//! esp's indexes.
//!
//! Workers share it; a lock is taken where a conversation begins and ends, never while packets move.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::tree::protocol::Protocol;

/// What can be had once.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Item {
    pub(crate) protocol: Protocol,
    /// Whose number it is; none where it is our own.
    pub(crate) remote: Option<IpAddr>,
    pub(crate) number: u32,
}

/// What conversations of one stack have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims {
    taken: Arc<Mutex<HashSet<Item>>>,
}

/// An item that is taken for as long as this lives.
#[derive(Debug)]
pub(crate) struct Claim {
    item: Item,
    claims: Claims,
}

impl Claims {
    /// Takes an item; none if another conversation has it.
    pub(crate) fn take(&self, item: Item) -> Option<Claim> {
        self.taken().insert(item).then(|| Claim { item, claims: self.clone() })
    }

    /// Whether a conversation has it.
    pub(crate) fn holds(&self, item: Item) -> bool {
        self.taken().contains(&item)
    }

    fn taken(&self) -> MutexGuard<'_, HashSet<Item>> {
        // No call in a locked section panics but for want of memory, which aborts.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.taken().remove(&self.item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_free_again_once_it_is_dropped() {
        let claims = Claims::default();
        let item = |number| Item { protocol: Protocol::Icmp, remote: None, number };
        let claim = claims.take(item(7)).unwrap();
        assert!(claims.holds(item(7)) && claims.take(item(7)).is_none());
        assert!(claims.take(item(8)).is_some() && !claims.holds(item(8)));
        drop(claim);
        assert!(claims.take(item(7)).is_some());
    }
}
