//! What the conversations of one stack have counted since the gateway began (docs/il.md, section 8).

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use netrelay_proto::il::Stats;

/// The counters, added up.
#[derive(Debug, Default)]
pub(crate) struct Totals([AtomicU64; 10]);

impl Totals {
    /// Adds what a conversation has counted since it was last asked.
    pub(crate) fn account(&self, now: &Stats, before: &Stats) {
        for ((total, (_, now)), (_, before)) in self.0.iter().zip(now.rows()).zip(before.rows()) {
            if now != before {
                total.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
            }
        }
    }

    /// One `Name: N` a line.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for ((name, _), total) in Stats::default().rows().iter().zip(&self.0) {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name}: {}", total.load(Ordering::Relaxed));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_told_once() {
        let totals = Totals::default();
        let first = Stats { in_msgs: 3, ..Stats::default() };
        let next = Stats { in_msgs: 5, dup_bytes: 7, ..first };
        totals.account(&first, &Stats::default());
        totals.account(&next, &first);
        let text = totals.text();
        assert!(text.starts_with("InMsgs: 5\nOutMsgs: 0\n"), "{text}");
        assert!(text.ends_with("DupBytes: 7\nDroppedMsgs: 0\n"), "{text}");
    }
}
