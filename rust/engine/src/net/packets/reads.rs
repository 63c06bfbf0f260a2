//! Treads that wait for packets: one packet a Tread, in order of arrival.
//!
//! Nothing is taken from the host unless a Tread waits, so one that is withdrawn has taken nothing.

use std::collections::VecDeque;

use netrelay_proto::error::Refusal;

use crate::mailbox::Waiter;
use crate::net::host::Host;
use crate::net::operation::Outcome;
use crate::tree::qid::Key;

/// The waiting Treads of one conversation.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    waiting: VecDeque<(Waiter, u32)>,
}

impl Reads {
    /// Queues a Tread of at least one byte.
    pub(crate) fn park(&mut self, waiter: Waiter, count: u32) {
        self.waiting.push_back((waiter, count));
    }

    /// Whether none waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many bytes the first takes; none if none waits whose client takes replies.
    pub(crate) fn next(&self, key: Key, host: &mut Host) -> Option<usize> {
        let (waiter, count) = self.waiting.front()?;
        if host.holds(waiter, key) {
            return None;
        }
        Some(usize::try_from(*count).unwrap_or(usize::MAX))
    }

    /// Answers the first.
    pub(crate) fn answer(&mut self, outcome: Outcome, host: &mut Host) {
        if let Some((waiter, _)) = self.waiting.pop_front() {
            host.finish(waiter, outcome);
        }
        if self.waiting.is_empty() {
            // An idle conversation keeps no room for those that may come.
            self.waiting = VecDeque::new();
        }
    }

    /// Takes a waiting Tread back; whether it was there.
    pub(crate) fn withdraw(&mut self, waiter: &Waiter) -> bool {
        let place = self.waiting.iter().position(|(parked, _)| parked == waiter);
        place.and_then(|place| self.waiting.remove(place)).is_some()
    }

    /// Refuses all.
    pub(crate) fn refuse(&mut self, why: &Refusal, host: &mut Host) {
        for (waiter, _) in self.waiting.drain(..) {
            host.finish(waiter, Outcome::Refused(why.clone()));
        }
    }
}
