//! Questions to Python: a bounded queue behind an eventfd, and the verdicts that come back.
//!
//! What needs a decision that the engine can't take (queries written to cs and dns) or a look at the
//! host that it does not have (its addresses, routes, neighbours) is parked here. The embedding program watches the eventfd, takes the questions and answers each by
//! its id; the verdict goes to the asking session's worker by mail. No engine thread ever calls
//! into Python, and none waits for it.
//!
//! The bound counts questions without an answer, taken or not, so a program that stops answering
//! can't make the gateway grow. A session that meets it is told when there is room again. A
//! question that was flushed is forgotten: its id is unknown from then on and a late verdict is
//! dropped.

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use netrelay_proto::error::Refusal;
use rustix::event::{EventfdFlags, eventfd};

use crate::error::EngineError;
use crate::mailbox::Waiter;

/// Where the original cuts an error.
const ERRMAX: usize = 127;

/// A question, as the embedding program gets it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Upcall {
    /// What the answer must name.
    pub id: u64,
    /// Which file asks.
    pub kind: Kind,
    /// The uname of the attach that asks.
    pub user: String,
    /// What is asked: for a name, what was written; for a file of the host's, `read PATH`, or
    /// `write PATH`, a newline and the data. PATH is below the stack's directory.
    pub query: Vec<u8>,
    /// The stack that it is about; empty for `/net`.
    pub stack: String,
}

/// What questions are about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// The connection server.
    Cs,
    /// The resolver.
    Dns,
    /// The host's own network.
    Host,
}

impl Kind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cs => "cs",
            Self::Dns => "dns",
            Self::Host => "host",
        }
    }
}

/// A question before it has an id.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) kind: Kind,
    pub(crate) user: Box<str>,
    pub(crate) query: Vec<u8>,
    pub(crate) stack: Box<str>,
}

impl Question {
    fn upcall(self, id: u64) -> Upcall {
        let Self { kind, user, query, stack } = self;
        Upcall { id, kind, user: user.into(), query, stack: stack.into() }
    }
}

/// The answer to an [`Upcall`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The lines that reads of the file will return, one a read; of a file of the host's, its text,
    /// and nothing for a write.
    Replies(Vec<Vec<u8>>),
    /// The query is refused with this text and, in dialects that have one, this errno.
    Refused {
        /// The Rerror's text without the file's prefix.
        text: String,
        /// The errno of 9P2000.u and .L.
        errno: u32,
    },
}

/// What a client is told of a refused question: `prefix` and the text up to a NUL, which no string
/// of 9P holds, [`ERRMAX`] bytes at most. The text may have the query in it, and that is anybody's.
pub(crate) fn refusal(prefix: &str, text: &str, errno: u32) -> Refusal {
    let text = text.split('\0').next().unwrap_or_default();
    let before = if text.starts_with(prefix) { "" } else { prefix };
    let mut words = format!("{before}{text}");
    let whole = (0..=ERRMAX.min(words.len())).rev().find(|at| words.is_char_boundary(*at));
    words.truncate(whole.unwrap_or_default());
    Refusal::new(words, errno)
}

/// The questions of one gateway.
#[derive(Debug)]
pub(crate) struct Upcalls {
    bound: usize,
    bell: OwnedFd,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    untaken: VecDeque<Upcall>,
    unanswered: HashMap<u64, Waiter>,
    /// Sessions that met the bound, in order of arrival.
    waiting: VecDeque<Waiter>,
}

impl Upcalls {
    pub(crate) fn new(bound: usize) -> Result<Self, EngineError> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let bell = eventfd(0, flags).map_err(|error| EngineError::new("eventfd", error))?;
        Ok(Self { bound, bell, state: Mutex::default() })
    }

    /// Becomes readable when questions wait.
    pub(crate) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// Queues a question for `waiter`; its id, or none at the bound, and then `waiter` is handed
    /// back by [`Self::answer`] or [`Self::forget`] once there is room.
    pub(crate) fn ask(&self, waiter: Waiter, question: &Question) -> Option<u64> {
        let mut state = self.lock();
        if state.unanswered.len() >= self.bound {
            state.waiting.push_back(waiter);
            return None;
        }
        let id = state.next;
        state.next += 1;
        state.unanswered.insert(id, waiter);
        let ring = state.untaken.is_empty();
        state.untaken.push_back(question.clone().upcall(id));
        drop(state);
        if ring {
            // A full eventfd counter is readable, which is all that is asked of it.
            let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        }
        Some(id)
    }

    /// Takes all questions that wait and quiets the eventfd.
    pub(crate) fn take(&self) -> Vec<Upcall> {
        let mut state = self.lock();
        // Nothing to read is fine: the bell may have been quieted by an earlier call.
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
        state.untaken.drain(..).collect()
    }

    /// Takes question `id` off: who asked it, and a session that there is room for now.
    pub(crate) fn answer(&self, id: u64) -> (Option<Waiter>, Option<Waiter>) {
        let mut state = self.lock();
        let asker = state.unanswered.remove(&id);
        let next = if asker.is_some() { state.waiting.pop_front() } else { None };
        (asker, next)
    }

    /// Forgets question `id`, which was flushed; a session that there is room for now.
    pub(crate) fn forget(&self, id: u64) -> Option<Waiter> {
        let mut state = self.lock();
        state.untaken.retain(|upcall| upcall.id != id);
        state.unanswered.remove(&id).and_then(|_| state.waiting.pop_front())
    }

    /// A session that there is room for, when the one that was told is gone.
    pub(crate) fn next_waiting(&self) -> Option<Waiter> {
        self.lock().waiting.pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is a single call on a collection, so a panic leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
