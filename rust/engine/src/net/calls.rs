//! The calls of an announced conversation, and the Topens of listen that wait for them.
//!
//! A call is taken from the host only for a listen that waits, so a flushed listen has eaten none,
//! and calls that nobody collects stay with the host, which resets them when the listener closes.

use std::collections::VecDeque;

use netrelay_proto::error::Refusal;

use super::host::Host;
use super::operation::Outcome;
use crate::mailbox::Waiter;

/// Waiting listens of one conversation, in order.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    listens: VecDeque<Waiter>,
    ready: bool,
}

impl Calls {
    /// Queues a Topen of listen.
    pub(crate) fn park(&mut self, waiter: Waiter) {
        self.listens.push_back(waiter);
    }

    /// A call may be there.
    pub(crate) fn note_ready(&mut self) {
        self.ready = true;
    }

    /// No call is there.
    pub(crate) fn note_empty(&mut self) {
        self.ready = false;
    }

    /// Whether a listen waits.
    pub(crate) fn any(&self) -> bool {
        !self.listens.is_empty()
    }

    /// Whether a listen waits and a call may be there for it.
    pub(crate) fn wanted(&self) -> bool {
        self.ready && !self.listens.is_empty()
    }

    /// The listen that the next call is for.
    pub(crate) fn next(&mut self) -> Option<Waiter> {
        self.listens.pop_front()
    }

    /// Takes a waiting listen back; whether it was there.
    pub(crate) fn withdraw(&mut self, waiter: &Waiter) -> bool {
        let place = self.listens.iter().position(|parked| parked == waiter);
        place.and_then(|place| self.listens.remove(place)).is_some()
    }

    /// Refuses every waiting listen.
    pub(crate) fn refuse(&mut self, why: &Refusal, host: &mut Host) {
        for waiter in self.listens.drain(..) {
            host.finish(waiter, Outcome::Refused(why.clone()));
        }
    }
}
