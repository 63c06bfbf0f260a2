//! What an importer counts. All are totals since its start, except `pumps` and `dials`.

use std::sync::atomic::{AtomicU64, Ordering};

/// The counters, written by the worker and read by anyone.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) bytes_up: AtomicU64,
    pub(crate) bytes_down: AtomicU64,
    pub(crate) pumps: AtomicU64,
    pub(crate) dials: AtomicU64,
    pub(crate) turns: AtomicU64,
    pub(crate) sends: AtomicU64,
    pub(crate) receives: AtomicU64,
    pub(crate) panics: AtomicU64,
    /// Calls by and deliveries to the embedding program: what its interpreter had to do with.
    pub(crate) entries: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, amount: usize) {
        counter.fetch_add(amount as u64, Ordering::Relaxed);
    }

    pub(crate) fn set(counter: &AtomicU64, value: usize) {
        counter.store(value as u64, Ordering::Relaxed);
    }

    /// Every counter with its name.
    pub(crate) fn all(&self) -> Vec<(&'static str, u64)> {
        [
            ("bytes_up", &self.bytes_up),
            ("bytes_down", &self.bytes_down),
            ("pumps", &self.pumps),
            ("dials", &self.dials),
            ("turns", &self.turns),
            ("sends", &self.sends),
            ("receives", &self.receives),
            ("panics", &self.panics),
            ("interpreter_entries", &self.entries),
        ]
        .map(|(name, counter)| (name, counter.load(Ordering::Relaxed)))
        .to_vec()
    }
}
