//! Conversations that nobody holds any more, closed in the background.
//!
//! Twrites may wait, messages may be unacknowledged, and the close has to be confirmed. Without
//! progress for [`Limits::linger`](crate::limits::Limits::linger) the conversation is dropped.

use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use netrelay_proto::error::Refusal;
use netrelay_proto::il::{State, Status};

use super::end::End;
use super::writes::Writes;
use crate::mailbox::Waiter;
use crate::net::conversation::{Event, More};
use crate::net::host::Host;
use crate::net::operation::Outcome;
use crate::net::retiring::{Progress, Retiring};

/// An end on its way out.
#[derive(Debug)]
pub(super) struct Closing {
    end: End,
    writes: Writes,
    /// What changes when there is progress.
    seen: (usize, u64, State),
    /// When it is dropped unless there is.
    dropped: Instant,
    last: Last,
}

/// The status of an end that closes, which the conversation that had it still tells; both are of one
/// worker, so that the lock is never waited for.
#[derive(Clone, Debug, Default)]
pub(super) struct Last(Arc<Mutex<Status>>);

impl Last {
    /// What it is by now.
    pub(super) fn status(&self) -> Status {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, status: Status) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }
}

impl Closing {
    /// Takes over an end whose readers are gone.
    pub(super) fn new(end: End, writes: Writes, host: &Host) -> Self {
        let dropped = host.now + host.shared.config.limits.linger;
        let last = Last::default();
        last.set(end.status());
        Self { end, writes, seen: (0, 0, State::Listen), dropped, last }
    }

    /// Where its status will be.
    pub(super) fn last(&self) -> Last {
        self.last.clone()
    }
}

impl Retiring for Closing {
    fn socket(&self) -> BorrowedFd<'_> {
        self.end.socket()
    }

    fn deadline(&self) -> Instant {
        self.end.deadline().map_or(self.dropped, |due| due.min(self.dropped))
    }

    fn note(&mut self, event: Event, _: &Host) {
        self.end.note(event);
    }

    fn serve(&mut self, host: &mut Host) -> Progress {
        let more = self.end.run(host);
        // Nobody reads it any more.
        while self.end.next(host).is_some() {}
        if let Err(why) = self.writes.serve(&mut self.end, host) {
            self.writes.refuse(&why, host);
        }
        if self.writes.is_empty() {
            self.end.close(host);
        }
        let status = self.end.status();
        self.last.set(status);
        let seen = (self.writes.len(), status.unacked, status.state);
        if seen != self.seen {
            self.seen = seen;
            self.dropped = host.now + host.shared.config.limits.linger;
        }
        match more {
            _ if self.end.done() || host.now >= self.dropped => Progress::Over,
            More::Again => Progress::Again,
            More::Idle => Progress::Waiting,
        }
    }

    fn expire(&mut self, host: &mut Host) -> Progress {
        self.serve(host)
    }

    fn withdraw(&mut self, waiter: &Waiter, _: &mut Host) -> Option<Outcome> {
        self.writes.withdraw(waiter).then_some(Outcome::Withdrawn)
    }

    fn holds(&self, waiter: &Waiter) -> bool {
        self.writes.holds(waiter)
    }

    fn abandon(mut self: Box<Self>, host: &mut Host) {
        self.writes.refuse(&Refusal::HUNGUP, host);
    }
}
