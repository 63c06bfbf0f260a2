//! Rwrites that wait a moment for the Rread they will travel with.
//!
//! Who asks a question over a stream writes it and has a Tread waiting for the answer. An Rwrite sent
//! by itself costs a system call here and a wake-up there, and the answer is often a few
//! microseconds away. So a session whose replies are nothing but Rwrites of small payloads, on
//! fids at which a Tread waits, is not sent to for [`MOMENT`]; any other reply takes them along at
//! once. Only clients that were promised the window (docs/protocol.md, section 6) are treated so:
//! they write on meanwhile, where another would wait for the Rwrite.

use std::time::Duration;

use netrelay_proto::ids::Fid;

/// How long at most. The loop's clock has no finer grain than a millisecond.
pub(crate) const MOMENT: Duration = Duration::from_millis(1);

/// A payload above this is bulk, whose sender may need the room in its window.
const SMALL: usize = 4 << 10;

/// Rwrites of one session that may wait; with more of them a send is worth its price.
const MOST: usize = 16;

/// The Rwrites among what one session has to send.
#[derive(Debug, Default)]
pub(super) struct Brief {
    fids: Vec<Fid>,
    bytes: usize,
}

impl Brief {
    /// Notes that the `bytes` queued last are an Rwrite to `count` bytes written to `fid`.
    pub(super) fn note(&mut self, fid: Fid, count: usize, bytes: usize) {
        if count <= SMALL && self.fids.len() < MOST {
            self.fids.push(fid);
            self.bytes += bytes;
        }
    }

    /// The fids, if the `queued` bytes are nothing but Rwrites that may wait.
    pub(super) fn alone(&self, queued: usize) -> Option<&[Fid]> {
        (self.bytes == queued && queued > 0).then_some(self.fids.as_slice())
    }

    /// What was noted is sent, or to be sent now.
    pub(super) fn clear(&mut self) {
        self.fids.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_waits_with_other_replies_nor_after_bulk_nor_in_numbers() {
        let mut brief = Brief::default();
        assert_eq!(brief.alone(0), None);
        brief.note(Fid(3), 64, 11);
        assert_eq!(brief.alone(11), Some([Fid(3)].as_slice()));
        assert_eq!(brief.alone(20), None);
        brief.note(Fid(3), SMALL + 1, 11);
        assert_eq!(brief.alone(22), None);
        brief.clear();
        (0..=MOST).for_each(|_| brief.note(Fid(3), 64, 11));
        assert_eq!(brief.alone(11 * (MOST + 1)), None);
    }
}
