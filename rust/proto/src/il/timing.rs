//! How long to wait for an answer, learned from how long answers took.
//!
//! The original's arithmetic, integer for integer: a fixed delay in eighths of a millisecond, learned from
//! small packets; a rate in eighths of a byte a millisecond, learned from large ones; and how far the
//! guess was off, in quarters of a millisecond. One message at a time is timed, and never by the answer
//! to a query, which may be about a later copy.

use super::packet::HEADER;
use super::{ACK_DELAY, IP_HEADER, MAX_TIMEOUT, after};

/// What is known of a path.
#[derive(Clone, Debug)]
pub(super) struct Timing {
    delay: u64,
    rate: u64,
    deviation: u64,
    /// The longest time measured, in milliseconds.
    pub(super) longest: u64,
    timed: Option<Timed>,
}

/// The message whose acknowledgement is awaited with a watch in the hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timed {
    id: u32,
    since: u64,
    bytes: u64,
}

impl Timing {
    /// A megabit link across a country on a great day.
    pub(super) const fn new() -> Self {
        Self { delay: 50 << 3, rate: 100 << 3, deviation: 50 << 2, longest: 0, timed: None }
    }

    /// A message of that many bytes, headers included, is being sent.
    pub(super) fn sending(&mut self, now: u64, id: u32, bytes: u64) {
        self.timed.get_or_insert(Timed { id, since: now, bytes });
    }

    /// Every message up to `ack` has arrived, says a packet of that many bytes, headers included.
    pub(super) fn acknowledged(&mut self, now: u64, ack: u32, bytes: u64) {
        let Some(timed) = self.passed(ack) else { return };
        if let Some(elapsed) = now.checked_sub(timed.since)
            && elapsed <= LONGEST
            && timed.id == ack
        {
            // What carried the answer had to be sent too.
            self.learn(elapsed, timed.bytes + bytes + HEADERS);
        }
    }

    /// The same, but says it because it was asked: the watch is stopped and not read.
    pub(super) fn passed(&mut self, ack: u32) -> Option<Timed> {
        self.timed.take_if(|timed| !after(timed.id, ack))
    }

    fn learn(&mut self, elapsed: u64, bytes: u64) {
        let delay = self.delay >> 3;
        if bytes < SMALL {
            self.delay = (self.delay - delay + elapsed).max(LEAST);
        } else if elapsed > delay {
            let rate = bytes / (elapsed - delay);
            self.rate = (self.rate - (self.rate >> 3) + rate).max(LEAST);
        }
        let guess = bytes / (self.rate >> 3) + (self.delay >> 3);
        self.deviation = self.deviation - (self.deviation >> 2) + elapsed.abs_diff(guess);
        self.longest = self.longest.max(elapsed);
    }

    /// How long to wait with that many bytes under way, after `backoff` waits in vain.
    pub(super) fn timeout(&self, bytes: u64, backoff: u32) -> u64 {
        let travel = (self.delay >> 3) + bytes / (self.rate >> 3);
        let mut wait = travel + (self.deviation >> 1) + ACK_DELAY;
        for _ in 0..backoff {
            wait += wait >> 1;
            if wait > MAX_TIMEOUT {
                break;
            }
        }
        wait.min(MAX_TIMEOUT)
    }

    /// The delay in milliseconds, the rate in bytes a millisecond, the deviation in milliseconds.
    pub(super) const fn learned(&self) -> (u64, u64, u64) {
        (self.delay >> 3, self.rate >> 3, self.deviation >> 2)
    }
}

/// What the original adds to the length of a packet, whichever way it goes.
pub(super) const HEADERS: u64 = (IP_HEADER + HEADER) as u64;
/// A time beyond this, in milliseconds, measures something else.
const LONGEST: u64 = 120_000;
/// Bytes of a message and its acknowledgement together below which their length does not tell.
const SMALL: u64 = 256;
/// One millisecond, or one byte a millisecond.
const LEAST: u64 = 8;
