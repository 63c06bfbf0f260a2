//! Sessions that get no more bytes of conversations until their clients have read what there is.
//!
//! What a conversation has for such a session stays in the kernel, where it costs the network's
//! sender its window and nobody else anything. A conversation that stopped for it is run again when
//! the session is let go, in the order in which they stopped, so that each has its turn.

use std::collections::{HashMap, HashSet};

use crate::mailbox::SessionKey;
use crate::tree::qid::Key;

/// Held sessions of one worker, and who stopped for each.
#[derive(Debug, Default)]
pub(super) struct Held {
    sessions: HashMap<SessionKey, Vec<Key>>,
    /// The same pairs: a conversation may be run many times while it is stopped.
    stopped: HashSet<(SessionKey, Key)>,
}

impl Held {
    /// Holds a session from now on.
    pub(super) fn hold(&mut self, session: SessionKey) {
        self.sessions.entry(session).or_default();
    }

    /// Whether `session` is held; the conversation `key` has then stopped for it.
    pub(super) fn stops(&mut self, session: SessionKey, key: Key) -> bool {
        let Some(waiting) = self.sessions.get_mut(&session) else { return false };
        if self.stopped.insert((session, key)) {
            waiting.push(key);
        }
        true
    }

    /// Lets a session go: the conversations that stopped for it.
    pub(super) fn release(&mut self, session: SessionKey) -> Vec<Key> {
        let waiting = self.sessions.remove(&session).unwrap_or_default();
        for key in &waiting {
            self.stopped.remove(&(session, *key));
        }
        waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::fixture::tcp;

    const ONE: SessionKey = SessionKey { slot: 1, serial: 1 };
    const OTHER: SessionKey = SessionKey { slot: 2, serial: 2 };

    #[test]
    fn conversations_that_stopped_go_on_once_each_and_in_order() {
        let mut held = Held::default();
        assert!(!held.stops(ONE, tcp(7)));
        held.hold(ONE);
        held.hold(OTHER);
        assert!(held.stops(ONE, tcp(9)) && held.stops(ONE, tcp(7)) && held.stops(ONE, tcp(9)));
        assert!(held.stops(OTHER, tcp(7)));
        held.hold(ONE);
        assert_eq!(held.release(ONE), [tcp(9), tcp(7)]);
        assert!(!held.stops(ONE, tcp(7)));
        assert_eq!(held.release(OTHER), [tcp(7)]);
        assert!(held.sessions.is_empty() && held.stopped.is_empty());
    }
}
