//! What a worker's loop runs: the sources it watches and the units of its ready queue.

use crate::tree::qid::Key;

/// What an event is about, packed into mio's token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    /// The mailbox.
    Mail,
    /// A listener for sessions, by slot.
    Listener(u32),
    /// A session's transport, by slot.
    Session(u32),
    /// A conversation's socket.
    Conversation(Key),
    /// A connection being closed in the background, by slot.
    Closing(u32),
}

impl Source {
    /// The token to watch with.
    pub(crate) fn token(self) -> usize {
        let (kind, index) = match self {
            Self::Mail => (0, 0),
            Self::Listener(slot) => (1, slot.into()),
            Self::Session(slot) => (2, slot.into()),
            Self::Conversation(key) => (3, key.packed()),
            Self::Closing(slot) => (4, slot.into()),
        };
        // A packed key has 35 bits, and a token has room for it.
        usize::try_from(index << 3 | kind).unwrap_or_default()
    }

    /// What was watched with `token`.
    pub(crate) fn of(token: usize) -> Self {
        let index = u32::try_from(token >> 3).unwrap_or(u32::MAX);
        match token & 7 {
            1 => Self::Listener(index),
            2 => Self::Session(index),
            3 => Key::of((token >> 3) as u64).map_or(Self::Mail, Self::Conversation),
            4 => Self::Closing(index),
            _ => Self::Mail,
        }
    }
}

const _: () = assert!(usize::BITS >= 38, "a token holds a key and its kind");

/// One unit of work; run for a bounded time, then queued again if there is more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Work {
    /// Read from a session and serve it.
    Session(u32),
    /// Serve what waits at a conversation.
    Conversation(Key),
    /// Take new sessions from a listener.
    Listener(u32),
    /// Go on closing a connection.
    Closing(u32),
}

/// What has a deadline.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Timer {
    /// A connection being closed in the background, by slot.
    Closing(u32),
    /// A conversation that may lie unused.
    Conversation(Key),
    /// A session that has not attached yet, by slot.
    Attach(u32),
    /// A listener that found no room, by slot.
    Listener(u32),
    /// All sessions of a gateway that is shutting down.
    Drain,
}
