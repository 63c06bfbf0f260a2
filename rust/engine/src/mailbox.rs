//! What workers tell each other, and what the handle tells them.
//!
//! A mailbox is a queue under a mutex and the waker of its owner's loop. Mail is rare by design:
//! sessions and their conversations live on one worker, and only a conversation opened by number
//! from elsewhere, a verdict from Python and orders from the handle travel so. From one sender to
//! one worker mail keeps its order, which withdrawals and clunks rely on.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use netrelay_proto::ids::{Fid, Tag};

use crate::net::operation::{Operation, Outcome};
use crate::tree::qid::Key;
use crate::upcall::Verdict;

/// Who waits for an answer: a request of a session of a worker.
///
/// `serial` tells requests apart that used the same tag at different times, so an answer that
/// comes after its request was given up meets nobody.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Waiter {
    pub(crate) worker: u16,
    pub(crate) session: SessionKey,
    pub(crate) tag: Tag,
    pub(crate) fid: Fid,
    pub(crate) serial: u32,
}

impl Waiter {
    /// Whom no answer can reach: for what is told and not asked.
    pub(crate) const NOBODY: Self = Self {
        worker: u16::MAX,
        session: SessionKey { slot: u32::MAX, serial: u32::MAX },
        tag: Tag::NOTAG,
        fid: Fid::NOFID,
        serial: 0,
    };
}

/// A session of a worker. Slots are used again, `serial` is not (but for the wrap).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct SessionKey {
    pub(crate) slot: u32,
    pub(crate) serial: u32,
}

/// A session that is to be served.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) transport: OwnedFd,
    /// The subtree of what is exported that its attaches see; empty for all.
    pub(crate) root: Box<str>,
}

impl From<OwnedFd> for Arrival {
    fn from(transport: OwnedFd) -> Self {
        Self { transport, root: Box::default() }
    }
}

/// One message to a worker.
#[derive(Debug)]
pub(crate) enum Mail {
    /// Serve this.
    Session(Arrival),
    /// Give this, which no listener of ours has accepted, to whose turn it is.
    Arrival(Arrival),
    /// Accept sessions from this listener.
    Listener(OwnedFd),
    /// Do this on a conversation of yours for a request of another worker.
    Operation { waiter: Waiter, key: Key, operation: Operation },
    /// What came of it.
    Outcome { waiter: Waiter, outcome: Outcome },
    /// Python's answer to a request of yours.
    Verdict { waiter: Waiter, verdict: Verdict },
    /// There is room for the question that this session holds back.
    Room(Waiter),
    /// The log has lines for readers of yours.
    Log,
    /// Accept no more sessions.
    StopListening,
    /// Close sessions as their conversations finish, and all of them at the deadline.
    Drain(Instant),
    /// End now.
    Abort,
}

/// The mail of one worker.
#[derive(Debug)]
pub(crate) struct Mailbox {
    /// None once its owner has ended.
    queue: Mutex<Option<VecDeque<Mail>>>,
    waker: mio::Waker,
}

impl Mailbox {
    pub(crate) fn new(waker: mio::Waker) -> Self {
        Self { queue: Mutex::new(Some(VecDeque::new())), waker }
    }

    /// Puts `mail` in; wakes the owner unless it has been woken for earlier mail. Mail to one that
    /// has ended is dropped.
    pub(crate) fn send(&self, mail: Mail) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_mut() else { return };
        queue.push_back(mail);
        if queue.len() == 1 {
            // Fails only when the loop's descriptors are gone, and then nobody reads mail.
            let _ = self.waker.wake();
        }
    }

    /// Takes all mail.
    pub(crate) fn take(&self) -> VecDeque<Mail> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The owner has ended: what is there and what still comes is dropped.
    pub(crate) fn close(&self) {
        *self.queue.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
