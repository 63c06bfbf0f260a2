//! What a conversation needs of the worker that owns it.
//!
//! A conversation never knows sessions: it is asked with a [`Waiter`] and leaves what came of it in
//! [`Host::done`], from where the worker hands it to the session or mails it. The one thing it asks
//! back is whether a waiter's client reads its replies ([`Host::holds`]); a conversation that
//! stopped for that is run again when the session has drained.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Interest, Token};
use rustix::io::Errno;
use slab::Slab;

use super::conversation::Event as SocketEvent;
use super::held::Held;
use super::operation::Outcome;
use super::retiring::{Progress, Retiring};
use super::stack::Stack;
use crate::buffers::Pool;
use crate::log::Event;
use crate::mailbox::{Mail, SessionKey, Waiter};
use crate::shared::{Now, Shared};
use crate::tree::mounts::Mounts;
use crate::tree::qid::Key;
use crate::work::{Source, Timer, Work};

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
    /// What is mounted where, as of so many changes.
    mounts: Arc<Mounts>,
    changes: u64,
    registry: mio::Registry,
    /// Connections that nobody holds any more.
    closing: Slab<Closing>,
    timers: BinaryHeap<Reverse<(Instant, Timer)>>,
    held: Held,
}

impl Host {
    pub(crate) fn new(worker: u16, shared: Arc<Shared>, registry: mio::Registry) -> Self {
        let changes = shared.changes();
        Self {
            worker,
            mounts: shared.mounts(),
            changes,
            pool: Pool::new(Arc::clone(&shared.stats)),
            shared,
            done: VecDeque::new(),
            ready: VecDeque::new(),
            now: Instant::now(),
            registry,
            closing: Slab::new(),
            timers: BinaryHeap::new(),
            held: Held::default(),
        }
    }

    /// Has the loop watch `fd` for `source`, edge by edge, both ways.
    ///
    /// # Errors
    /// The host has no memory or watches left.
    pub(crate) fn watch(&self, fd: BorrowedFd<'_>, source: Source) -> Result<(), Errno> {
        let token = Token(source.token());
        let result = self.registry.register(&mut SourceFd(&fd.as_raw_fd()), token, INTEREST);
        result.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::NOMEM))
    }

    /// Has `timer` run at `when` or a little later.
    pub(crate) fn schedule(&mut self, when: Instant, timer: Timer) {
        self.timers.push(Reverse((when, timer)));
    }

    /// When the next timer is due.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((when, _))| *when)
    }

    /// Drops the timers next in line that are for nothing any more; `idle` says so of those that
    /// are not this host's own.
    pub(crate) fn forget_timers(&mut self, idle: impl Fn(&Timer) -> bool) {
        while let Some(Reverse((_, timer))) = self.timers.peek() {
            let over = match timer {
                Timer::Closing(slot) => !self.closing.contains(*slot as usize),
                timer => idle(timer),
            };
            if !over {
                return;
            }
            self.timers.pop();
        }
    }

    /// A timer that is due.
    pub(crate) fn due_timer(&mut self) -> Option<Timer> {
        self.next_timer().filter(|when| *when <= self.now)?;
        self.timers.pop().map(|Reverse((_, timer))| timer)
    }

    /// Takes note of what is mounted where by now.
    pub(crate) fn refresh(&mut self) {
        let changes = self.shared.changes();
        if changes != self.changes {
            (self.mounts, self.changes) = (self.shared.mounts(), changes);
        }
    }

    /// What the tree must be told.
    pub(crate) fn facts(&self) -> Now<'_> {
        Now { shared: &self.shared, mounts: &self.mounts }
    }

    /// The stack of a conversation.
    pub(crate) fn stack(&self, key: Key) -> &Stack {
        self.shared.stack(key.branch.stack)
    }

    /// Whether somebody has the number of a conversation.
    pub(crate) fn in_use(&self, key: Key) -> bool {
        self.stack(key).standing(key.branch.protocol, key.number).busy
    }

    /// Tells the log, and the workers if anybody may be waiting for a line.
    pub(crate) fn record(&self, key: Key, event: Event) {
        if self.stack(key).log.record(key.branch.protocol, key.number, event) {
            for worker in self.shared.workers() {
                self.shared.mail(worker, Mail::Log);
            }
        }
    }

    /// Closes a connection in the background.
    pub(crate) fn retire(&mut self, mut closing: Box<dyn Retiring>) {
        let progress = closing.serve(self);
        let room = self.closing.len() < self.shared.config.limits.closing_per_worker;
        if progress == Progress::Over || !room {
            return closing.abandon(self);
        }
        let entry = self.closing.vacant_entry();
        // The bound on them is far below.
        let slot = u32::try_from(entry.key()).unwrap_or(u32::MAX);
        let due = closing.deadline();
        let Closing { connection, .. } = entry.insert(Closing { connection: closing, due });
        let token = Token(Source::Closing(slot).token());
        let fd = connection.socket().as_raw_fd();
        // Were it refused, the deadline would end the connection.
        let _ = self.registry.reregister(&mut SourceFd(&fd), token, INTEREST);
        self.shared.stats.closing.add(1);
        self.schedule(due, Timer::Closing(slot));
        if progress == Progress::Again {
            self.ready.push_back(Work::Closing(slot));
        }
    }

    /// What the loop has seen at the socket of a closing connection.
    pub(crate) fn note_closing(&mut self, slot: u32, event: SocketEvent) {
        let index = slot as usize;
        let Some(mut closing) = self.closing.try_remove(index) else { return };
        closing.connection.note(event, self);
        self.put_back(index, closing);
        self.ready.push_back(Work::Closing(slot));
    }

    /// Goes on closing a connection.
    pub(crate) fn serve_closing(&mut self, slot: u32) {
        let index = slot as usize;
        // Taken out while it runs, as it runs on this very host.
        let Some(mut closing) = self.closing.try_remove(index) else { return };
        let progress = closing.connection.serve(self);
        self.closing_went(slot, closing, progress);
    }

    fn closing_went(&mut self, slot: u32, mut closing: Closing, progress: Progress) {
        if progress == Progress::Over {
            self.shared.stats.closing.sub(1);
            return closing.connection.abandon(self);
        }
        let due = closing.connection.deadline();
        if due < closing.due {
            closing.due = due;
            self.schedule(due, Timer::Closing(slot));
        }
        self.put_back(slot as usize, closing);
        if progress == Progress::Again {
            self.ready.push_back(Work::Closing(slot));
        }
    }

    /// Whether connections are being closed in the background.
    pub(crate) fn closes(&self) -> bool {
        !self.closing.is_empty()
    }

    /// The deadline of a closing connection may have come.
    pub(crate) fn expire_closing(&mut self, slot: u32) {
        let index = slot as usize;
        // It may be of the connection that had the slot before.
        if self.closing.get(index).is_none_or(|closing| closing.due > self.now) {
            return;
        }
        let Some(mut closing) = self.closing.try_remove(index) else { return };
        let due = closing.connection.deadline();
        if due > self.now {
            closing.due = due;
            self.schedule(due, Timer::Closing(slot));
            return self.put_back(index, closing);
        }
        let progress = closing.connection.expire(self);
        closing.due = closing.connection.deadline();
        if progress != Progress::Over {
            self.schedule(closing.due, Timer::Closing(slot));
        }
        self.closing_went(slot, closing, progress);
    }

    /// Takes back a Twrite that is being carried out behind its conversation's end.
    pub(crate) fn withdraw_closing(&mut self, waiter: &Waiter) -> Option<Outcome> {
        let holds = |closing: &Closing| closing.connection.holds(waiter);
        let index = self.closing.iter().find(|(_, closing)| holds(closing))?.0;
        let mut closing = self.closing.try_remove(index)?;
        let outcome = closing.connection.withdraw(waiter, self);
        self.put_back(index, closing);
        outcome
    }

    /// Feeds a Twrite that was still arriving when its conversation ended.
    pub(crate) fn feed_closing(&mut self, waiter: &Waiter, bytes: &[u8]) {
        let holds = |closing: &Closing| closing.connection.holds(waiter);
        let Some((index, _)) = self.closing.iter().find(|(_, closing)| holds(closing)) else {
            return;
        };
        let Some(mut closing) = self.closing.try_remove(index) else { return };
        closing.connection.feed(waiter, bytes, self);
        self.put_back(index, closing);
        if let Ok(slot) = u32::try_from(index) {
            self.ready.push_back(Work::Closing(slot));
        }
    }

    fn put_back(&mut self, index: usize, closing: Closing) {
        // The slot that was emptied last is the one that is filled next.
        let back = self.closing.insert(closing);
        debug_assert_eq!(back, index, "a slab reuses the last vacancy first");
    }

    /// Leaves what came of `waiter`'s request.
    pub(crate) fn finish(&mut self, waiter: Waiter, outcome: Outcome) {
        self.done.push_back((waiter, outcome));
    }

    /// Whether the client behind `waiter` leaves so much unread that it gets no more for now. The
    /// conversation `key` is then run again once it has read.
    pub(crate) fn holds(&mut self, waiter: &Waiter, key: Key) -> bool {
        waiter.worker == self.worker && self.held.stops(waiter.session, key)
    }

    /// Notes that a session's client has enough to read.
    pub(crate) fn hold(&mut self, session: SessionKey) {
        self.held.hold(session);
    }

    /// Notes that it has read, or is gone; what stopped for it is run again.
    pub(crate) fn relieve(&mut self, session: SessionKey) {
        self.ready.extend(self.held.release(session).into_iter().map(Work::Conversation));
    }
}

/// A connection that is being closed, and when its first timer runs out.
#[derive(Debug)]
struct Closing {
    connection: Box<dyn Retiring>,
    due: Instant,
}

/// Urgent bytes are asked for because they cut a receive short.
const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE).add(Interest::PRIORITY);
