//! Counters that all workers bump and `Gateway::stats` reads.
//!
//! Gauges go up and down, the rest only up. All are relaxed atomics: they are for people and
//! dashboards, and only `parked_bytes` and `sessions` decide anything (whether a bound is reached),
//! where being late by one request does no harm. No counter is touched per byte.

use std::sync::atomic::{AtomicU64, Ordering};

/// The counters of one gateway.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(crate) sessions: Gauge,
    pub(crate) conversations: Gauge,
    pub(crate) fids: Gauge,
    pub(crate) parked_bytes: Gauge,
    pub(crate) buffers: Gauge,
    pub(crate) closing: Gauge,
    pub(crate) accepted: Gauge,
    pub(crate) dials: Gauge,
    pub(crate) calls: Gauge,
    pub(crate) panics: Gauge,
    pub(crate) broken_sessions: Gauge,
    pub(crate) interpreter_entries: Gauge,
    pub(crate) bytes_up: Gauge,
    pub(crate) bytes_down: Gauge,
    pub(crate) dropped: Gauge,
}

impl Stats {
    /// Name and value of every counter, in a fixed order.
    ///
    /// `bytes_up` went from importers to the network, `bytes_down` the other way;
    /// `interpreter_entries` counts questions to Python; `broken_sessions` are those that ended
    /// because their bytes were not 9P. `dropped` counts packets that found no room.
    pub(crate) fn snapshot(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("sessions", self.sessions.get()),
            ("conversations", self.conversations.get()),
            ("fids", self.fids.get()),
            ("parked_bytes", self.parked_bytes.get()),
            ("buffers", self.buffers.get()),
            ("closing", self.closing.get()),
            ("accepted", self.accepted.get()),
            ("dials", self.dials.get()),
            ("calls", self.calls.get()),
            ("panics", self.panics.get()),
            ("broken_sessions", self.broken_sessions.get()),
            ("interpreter_entries", self.interpreter_entries.get()),
            ("bytes_up", self.bytes_up.get()),
            ("bytes_down", self.bytes_down.get()),
            ("dropped", self.dropped.get()),
        ]
    }
}

/// One counter; wraps rather than panics.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn sub(&self, count: usize) {
        self.0.fetch_sub(count as u64, Ordering::Relaxed);
    }
}
