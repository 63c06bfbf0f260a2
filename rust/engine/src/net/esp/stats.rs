//! What the conversations of a stack have counted together, and the text that tells it (ip(3)).

use std::sync::atomic::{AtomicU64, Ordering};

/// Packets since the gateway began.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    taken: AtomicU64,
    errors: AtomicU64,
}

impl Totals {
    /// A client has read a payload.
    pub(super) fn took(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// A packet came that could not be opened.
    pub(super) fn failed(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// The text of the protocol's stats.
    pub(crate) fn text(&self) -> String {
        let [taken, errors] =
            [&self.taken, &self.errors].map(|count| count.load(Ordering::Relaxed));
        format!("{taken} {errors}\n")
    }
}
