//! What the conversations of a stack have counted together, and the text that tells it (ip(3)).

use std::sync::atomic::{AtomicU64, Ordering};

/// Packets and bytes, as clients read and write them, since the gateway began.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    taken: AtomicU64,
    sent: AtomicU64,
    bytes_taken: AtomicU64,
    bytes_sent: AtomicU64,
    short: AtomicU64,
}

impl Totals {
    /// A client has read a packet.
    pub(super) fn took(&self, bytes: usize) {
        add(&self.taken, 1);
        add(&self.bytes_taken, bytes);
    }

    /// A client has written one.
    pub(super) fn sent(&self, bytes: usize) {
        add(&self.sent, 1);
        add(&self.bytes_sent, bytes);
    }

    /// One came that has no whole header.
    pub(super) fn short(&self) {
        add(&self.short, 1);
    }

    /// The text of the protocol's stats.
    pub(crate) fn text(&self) -> String {
        let [taken, sent, bytes_taken, bytes_sent, short] =
            [&self.taken, &self.sent, &self.bytes_taken, &self.bytes_sent, &self.short]
                .map(|count| count.load(Ordering::Relaxed));
        format!("gre: {taken} {sent} 0 0 {bytes_taken} {bytes_sent} 0 0, lenerrs {short}\n")
    }
}

fn add(count: &AtomicU64, more: usize) {
    count.fetch_add(more as u64, Ordering::Relaxed);
}
