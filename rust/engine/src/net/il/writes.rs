//! Twrites that wait for room among the messages under way: one message each, in order of arrival.

use std::collections::VecDeque;

use netrelay_proto::error::Refusal;

use super::end::End;
use crate::mailbox::Waiter;
use crate::net::host::Host;
use crate::net::operation::Outcome;

/// The waiting Twrites of one conversation.
#[derive(Debug, Default)]
pub(super) struct Writes {
    waiting: VecDeque<(Waiter, Box<[u8]>)>,
}

impl Writes {
    /// Queues a Twrite, which may be of no byte.
    pub(super) fn add(&mut self, waiter: Waiter, data: &[u8]) {
        self.waiting.push_back((waiter, data.into()));
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Sends what there is room for.
    ///
    /// # Errors
    /// The conversation is over, or will be.
    pub(super) fn serve(&mut self, end: &mut End, host: &mut Host) -> Result<(), Refusal> {
        while let Some((waiter, data)) = self.waiting.front() {
            if !end.send(data, host)? {
                break;
            }
            host.shared.stats.bytes_up.add(data.len());
            // A frame bounds the length.
            let count = u32::try_from(data.len()).unwrap_or(u32::MAX);
            host.finish(*waiter, Outcome::Wrote(count));
            self.waiting.pop_front();
        }
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
        Ok(())
    }

    /// Whether that Twrite waits here.
    pub(super) fn holds(&self, waiter: &Waiter) -> bool {
        self.waiting.iter().any(|(parked, _)| parked == waiter)
    }

    /// Takes a waiting Twrite back; whether it was there.
    pub(super) fn withdraw(&mut self, waiter: &Waiter) -> bool {
        let place = self.waiting.iter().position(|(parked, _)| parked == waiter);
        place.and_then(|place| self.waiting.remove(place)).is_some()
    }

    /// Refuses all.
    pub(super) fn refuse(&mut self, why: &Refusal, host: &mut Host) {
        for (waiter, _) in self.waiting.drain(..) {
            host.finish(waiter, Outcome::Refused(why.clone()));
        }
    }
}
