//! Twrites of packets that came together, carried out together.
//!
//! Most of what a small packet costs is its way through the host, and what a client has in flight
//! comes with one receive. So Twrites of one size to one conversation that follow one another are
//! offered to it as a run. Each is admitted and answered as if it were alone, and alone it goes
//! where the conversation can't take the run.

use netrelay_proto::ids::Fid;
use netrelay_proto::message::Twrite;

use super::Session;
use super::opened::Opened;
use super::parked::{At, Place};
use crate::net::Net;
use crate::net::operation::Outcome;
use crate::tree::qid::File;

/// Twrites of one run: what Linux takes of UDP at once (`UDP_MAX_SEGMENTS` was 64 before 6.11).
const MOST: usize = 64;

/// Bytes of data of one run, which has to fit into an IP packet before it is taken apart.
const LARGEST: usize = 65_000;

/// `size[4] type[1]` of a frame, without the tag behind it.
const SIZE_AND_TYPE: usize = 5;

/// Where `fid[4]` is.
const FID: std::ops::Range<usize> = 7..11;

impl Session {
    /// Carries out the run of Twrites at the front of `rest`, if there is one, whose first frame has
    /// `size` bytes and is there; how many bytes it took.
    pub(super) fn write_run(&mut self, rest: &[u8], size: usize, net: &mut Net) -> usize {
        let count = size.saturating_sub(Twrite::HEAD);
        let most = LARGEST.checked_div(count).unwrap_or(0).min(MOST);
        let frames = || rest.chunks_exact(size).take(most);
        let alike = |frame: &&[u8]| {
            frame.get(..SIZE_AND_TYPE) == rest.get(..SIZE_AND_TYPE)
                && frame.get(FID) == rest.get(FID)
        };
        let run = frames().take_while(alike).count();
        if run < 2 {
            return 0;
        }
        let Some(at) = self.takes_runs(rest, net) else { return 0 };
        // What is refused, or is no Twrite at all, ends the run and goes the ordinary way.
        let asks: Vec<_> = frames()
            .take(run)
            .map_while(|frame| self.server.begin_write(frame).ok().flatten())
            .map(|ask| (ask.tag, ask.fid.fid))
            .collect();
        let data: Vec<&[u8]> = frames()
            .take(asks.len())
            .map(|frame| frame.get(Twrite::HEAD..).unwrap_or_default())
            .collect();
        let sent = data.len() > 1 && net.write_run(at.key, &data);
        for ((tag, fid), data) in asks.into_iter().zip(&data) {
            let waiter = self.waiter(tag, fid, net);
            let outcome = if sent {
                // A frame bounds the length.
                Some(Outcome::Wrote(u32::try_from(data.len()).unwrap_or(u32::MAX)))
            } else {
                net.write(at.key, waiter, data)
            };
            self.answer_write(waiter, Place::Write(at, data.len()), outcome, net);
        }
        size * data.len()
    }

    /// The conversation of this worker whose data the first Twrite is for, if it takes runs.
    fn takes_runs(&mut self, frame: &[u8], net: &Net) -> Option<At> {
        let fid = Fid(u32::from_le_bytes(*frame.get(FID)?.first_chunk()?));
        let Some(Opened::Conversation(held)) = self.files.get(&fid) else { return None };
        let at = At { key: held.key, worker: held.worker };
        let runs = held.file == File::Data && at.key.branch.protocol.takes_runs();
        let here = at.worker == net.host.worker;
        (runs && here && self.admit_write(fid, net).is_ok()).then_some(at)
    }
}
