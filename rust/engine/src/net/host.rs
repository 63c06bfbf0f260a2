//! What a conversation needs of the worker that owns it.
//!
//! A conversation never knows sessions: it is asked with a [`Waiter`] and leaves what came of it in
//! [`Host::done`], from where the worker hands it to the session or mails it. The one thing it asks
//! back is whether a waiter's client reads its replies ([`Host::congested`]); a conversation that
//! stopped for that is run again when the session has drained.

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Interest, Token};
use rustix::io::Errno;

use super::operation::Outcome;
use crate::buffers::Pool;
use crate::mailbox::{SessionKey, Waiter};
use crate::shared::Shared;
use crate::work::{Source, Work};

/// One worker's surroundings, lent to whatever it runs.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) worker: u16,
    pub(crate) shared: Arc<Shared>,
    pub(crate) pool: Pool,
    /// What came of requests and has not been handed on yet.
    pub(crate) done: VecDeque<(Waiter, Outcome)>,
    /// What is to be run in this turn or the next, in order.
    pub(crate) ready: VecDeque<Work>,
    /// When this turn began.
    pub(crate) now: Instant,
    registry: mio::Registry,
    congested: Vec<SessionKey>,
    stalled: Vec<(SessionKey, u32)>,
}

impl Host {
    pub(crate) fn new(worker: u16, shared: Arc<Shared>, registry: mio::Registry) -> Self {
        Self {
            worker,
            pool: Pool::new(Arc::clone(&shared.stats)),
            shared,
            done: VecDeque::new(),
            ready: VecDeque::new(),
            now: Instant::now(),
            registry,
            congested: Vec::new(),
            stalled: Vec::new(),
        }
    }

    /// Has the loop watch `fd` for `source`, edge by edge, both ways.
    ///
    /// # Errors
    /// The host has no memory or watches left.
    pub(crate) fn watch(&self, fd: BorrowedFd<'_>, source: Source) -> Result<(), Errno> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        let result =
            self.registry.register(&mut SourceFd(&fd.as_raw_fd()), Token(source.token()), interest);
        result.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::NOMEM))
    }

    /// Has the loop report `fd`, which it watches, for another source.
    pub(crate) fn rewatch(&self, fd: BorrowedFd<'_>, source: Source) -> Result<(), Errno> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        let token = Token(source.token());
        let result = self.registry.reregister(&mut SourceFd(&fd.as_raw_fd()), token, interest);
        result.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::NOMEM))
    }

    /// Leaves what came of `waiter`'s request.
    pub(crate) fn finish(&mut self, waiter: Waiter, outcome: Outcome) {
        self.done.push_back((waiter, outcome));
    }

    /// Whether the client behind `waiter` leaves so many replies unread that it gets no more.
    /// The conversation `number` is then run again once it has read them.
    pub(crate) fn congested(&mut self, waiter: &Waiter, number: u32) -> bool {
        if self.congested.is_empty()
            || waiter.worker != self.worker
            || !self.congested.contains(&waiter.session)
        {
            return false;
        }
        self.stalled.push((waiter.session, number));
        true
    }

    /// Notes that a session's client leaves too many replies unread.
    pub(crate) fn hold(&mut self, session: SessionKey) {
        if !self.congested.contains(&session) {
            self.congested.push(session);
        }
    }

    /// Notes that it has read them, or is gone; what stopped for it is run again.
    pub(crate) fn relieve(&mut self, session: SessionKey) {
        self.congested.retain(|key| *key != session);
        let ready = &mut self.ready;
        self.stalled.retain(|(key, number)| {
            if *key == session {
                ready.push_back(Work::Conversation(*number));
            }
            *key != session
        });
    }
}
