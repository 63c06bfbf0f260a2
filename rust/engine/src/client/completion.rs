//! What an importer reports to the program that embeds it.
//!
//! Every id that a call returned is ended by exactly one [`Completion`] (a dial with a pump has
//! another one before it), and the session's beginning and end come as ids of their own (0). The queue is bounded by what may be under way
//! at once ([`MOST`]), so none is ever dropped; a program that does not collect is refused new
//! requests and nothing else. An eventfd is readable while completions wait.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use netrelay_proto::error::Refusal;
use netrelay_proto::ids::Fid;
use rustix::event::{EventfdFlags, eventfd};

use super::link::Agreed;

/// Requests under way or uncollected: as many as there are tags in half of a session.
pub(crate) const MOST: usize = 32_768;

/// One thing that came about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Completion {
    /// The id of the call that this ends; 0 for the session itself.
    pub id: u64,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a call ended.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// The session speaks: requests may be made.
    Ready(Agreed),
    /// The reply to an rpc: a whole frame, an Rerror or Rlerror among them.
    Reply(Vec<u8>),
    /// The request was withdrawn by a flush and left nothing behind.
    Flushed,
    /// A call is up: the conversation's number and its open ctl and data.
    Dialed {
        /// Number of the conversation's directory.
        number: u32,
        /// Its ctl, open for reading and writing.
        ctl: Fid,
        /// Its data, open for reading and writing.
        data: Fid,
    },
    /// A call came in for an announced conversation.
    Called {
        /// Number of the new conversation's directory.
        number: u32,
        /// Its ctl, open for reading and writing.
        ctl: Fid,
        /// Its data, open for reading and writing.
        data: Fid,
        /// The caller, `addr!port`.
        remote: String,
    },
    /// A pump has come to its end; its fids are clunked and its local socket is closed.
    Pumped {
        /// Bytes from the local socket to the conversation.
        up: u64,
        /// Bytes from the conversation to the local socket.
        down: u64,
        /// Why, if it was not the end of both directions.
        error: Option<String>,
    },
    /// An rpc that has no reply: the session ended first, or has too much outstanding.
    Refused(Refusal),
    /// No call came about, and no fid of it is left.
    NotDialed(Refusal),
    /// The listen is over without a call, and no fid of it is left.
    NotCalled(Refusal),
    /// The session is over, for this reason; without one the embedding program closed it.
    /// Everything under way was completed before.
    Ended(Option<String>),
}

/// Completions on their way to the embedding program.
#[derive(Debug)]
pub(crate) struct Completions {
    queue: Mutex<Queue>,
    event: OwnedFd,
}

#[derive(Debug, Default)]
struct Queue {
    /// Completions, and whether each ends its call.
    done: VecDeque<(Completion, bool)>,
    under_way: usize,
}

impl Completions {
    pub(crate) fn new() -> std::io::Result<Self> {
        let event = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Self { queue: Mutex::default(), event })
    }

    /// Counts one more request; false when there are too many.
    pub(crate) fn begin(&self) -> bool {
        let mut queue = self.queue();
        let room = queue.under_way < MOST;
        queue.under_way += usize::from(room);
        room
    }

    /// Reports the end of call `id`.
    pub(crate) fn push(&self, id: u64, outcome: Outcome) {
        self.report(id, outcome, id != 0);
    }

    /// Reports of call `id` what is not its end yet.
    pub(crate) fn push_early(&self, id: u64, outcome: Outcome) {
        self.report(id, outcome, false);
    }

    fn report(&self, id: u64, outcome: Outcome, last: bool) {
        let mut queue = self.queue();
        queue.done.push_back((Completion { id, outcome }, last));
        if queue.done.len() == 1 {
            // It can't be full: it counts to 2^64 and is emptied at each collection.
            let _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
        }
    }

    pub(crate) fn take(&self) -> Vec<Completion> {
        let mut queue = self.queue();
        // Read under the lock, so that a push either is taken here or signals anew.
        let _ = rustix::io::read(&self.event, &mut [0; 8]);
        let done = std::mem::take(&mut queue.done);
        queue.under_way -= done.iter().filter(|(_, last)| *last).count();
        done.into_iter().map(|(completion, _)| completion).collect()
    }

    pub(crate) fn event(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // A panic elsewhere can't leave a queue of whole values torn.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
