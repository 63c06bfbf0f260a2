//! Requests of a session that wait, and how each is taken back.
//!
//! A request is in this table from the moment it may wait until it is answered. A flush, a clunk, a
//! Tversion and the end of the session all find it here. What waits at a conversation of another
//! worker is taken back by mail, and then its answer comes by mail as well; an answer whose
//! request is no longer here (by tag and serial) meets nobody.

use netrelay_proto::error::Refusal;
use netrelay_proto::ids::{Fid, Tag};

use super::Session;
use super::opened::Opened;
use crate::mailbox::{Mail, Waiter};
use crate::net::Net;
use crate::net::operation::{Operation, Outcome};
use crate::tree::qid::Key;

/// A request that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parked {
    pub(super) serial: u32,
    pub(super) fid: Fid,
    pub(super) place: Place,
}

/// Where it waits, and what it counts for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// A Tread of data.
    Read(At),
    /// A Twrite of data of so many bytes.
    Write(At, usize),
    /// Anything else at a conversation: connect, listen, a read of err, a question to another
    /// worker.
    Other(At),
    /// A question to Python that a Twrite of `count` bytes asked. Without an id it has found no room,
    /// and the session is not read from meanwhile.
    Upcall { id: Option<u64>, count: u32 },
    /// A Tread that waits for the text of its fid's file.
    HostRead { offset: u64, count: u32 },
    /// A Tread of log of at most so many bytes.
    Log { count: u32 },
}

/// A conversation of a worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct At {
    pub(super) key: Key,
    pub(super) worker: u16,
}

impl Session {
    /// A name for the next request, to wait under.
    pub(super) fn waiter(&mut self, tag: Tag, fid: Fid, net: &Net) -> Waiter {
        self.next_serial = self.next_serial.wrapping_add(1);
        Waiter { worker: net.host.worker, session: self.key, tag, fid, serial: self.next_serial }
    }

    /// Enters a request that waits, and counts it.
    pub(super) fn park(&mut self, waiter: Waiter, place: Place, net: &Net) {
        let parked = Parked { serial: waiter.serial, fid: waiter.fid, place };
        self.count(&parked, true, net);
        self.parked.insert(waiter.tag, parked);
    }

    /// Takes a request off, if it is the one that `waiter` names.
    pub(super) fn unpark(&mut self, waiter: &Waiter, net: &Net) -> Option<Parked> {
        self.parked.get(&waiter.tag).filter(|parked| parked.serial == waiter.serial)?;
        let parked = self.parked.remove(&waiter.tag)?;
        self.count(&parked, false, net);
        Some(parked)
    }

    /// A flush wants `tag` back. Nothing to do if it is not waiting: its answer is on its way.
    pub(super) fn withdraw(&mut self, tag: Tag, net: &mut Net) {
        let Some(parked) = self.parked.get(&tag).copied() else { return };
        let waiter = self.waiter_of(tag, &parked, net);
        if let Some(outcome) = self.recall(&waiter, &parked, net) {
            self.deliver(waiter, outcome, net);
        }
    }

    /// A clunk of `fid`: what waits there is answered `interrupted`, but Twrites on data go on.
    pub(super) fn interrupt(&mut self, fid: Fid, net: &mut Net) {
        if self.parked.is_empty() {
            return;
        }
        let writes = |parked: &Parked| matches!(parked.place, Place::Write(..));
        for (tag, parked) in self.waiting(|parked| parked.fid == fid && !writes(parked)) {
            let waiter = self.waiter_of(tag, &parked, net);
            let outcome = self.recall(&waiter, &parked, net);
            self.unpark(&waiter, net);
            match outcome {
                None | Some(Outcome::Withdrawn) => self.refuse(tag, &Refusal::INTERRUPTED, net),
                Some(outcome) => self.reply_outcome(&waiter, &parked, outcome, net),
            }
        }
    }

    /// Requests that wait, in order of arrival.
    pub(super) fn waiting(&self, which: impl Fn(&Parked) -> bool) -> Vec<(Tag, Parked)> {
        let parked = self.parked.iter().filter(|(_, parked)| which(parked));
        let mut waiting: Vec<_> = parked.map(|(tag, parked)| (*tag, *parked)).collect();
        waiting.sort_unstable_by_key(|(_, parked)| parked.serial);
        waiting
    }

    /// Checks that one more Tread may wait at a file that counts none itself.
    ///
    /// # Errors
    /// `too many requests`.
    pub(super) fn admit_wait(&self, fid: Fid, net: &Net) -> Result<(), Refusal> {
        let waiting = self.parked.values().filter(|parked| parked.fid == fid).count();
        let most = net.host.shared.config.limits.fid_reads;
        if waiting < most { Ok(()) } else { Err(Refusal::TOO_MANY_REQUESTS) }
    }

    /// A question to Python has got its id.
    pub(super) fn note_question(&mut self, waiter: &Waiter, question: u64) {
        if waiter.tag == Tag::NOTAG {
            return self.note_host_question(waiter, question);
        }
        if let Some(Parked { serial, place: Place::Upcall { id, .. }, .. }) =
            self.parked.get_mut(&waiter.tag)
            && *serial == waiter.serial
        {
            *id = Some(question);
        }
    }

    /// The session is over or begins anew: everything that waits is taken back unanswered.
    pub(super) fn abandon_all(&mut self, net: &mut Net) {
        let parked: Vec<(Tag, Parked)> = self.parked.drain().collect();
        for (tag, parked) in parked {
            self.count(&parked, false, net);
            let waiter = self.waiter_of(tag, &parked, net);
            if let Some(outcome) = self.recall(&waiter, &parked, net) {
                net.drop_outcome(outcome);
            }
        }
        self.held_question = None;
    }

    /// The name that a request waits under.
    pub(super) fn waiter_of(&self, tag: Tag, parked: &Parked, net: &Net) -> Waiter {
        let Parked { serial, fid, .. } = *parked;
        Waiter { worker: net.host.worker, session: self.key, tag, fid, serial }
    }

    /// Takes a request back from where it waits. None: what came of it, or that it was withdrawn,
    /// comes by itself.
    fn recall(&mut self, waiter: &Waiter, parked: &Parked, net: &mut Net) -> Option<Outcome> {
        match parked.place {
            Place::Read(at) | Place::Write(at, _) | Place::Other(at) => {
                if at.worker == net.host.worker {
                    return net.withdraw(at.key, waiter);
                }
                let operation = Operation::Withdraw;
                let mail = Mail::Operation { waiter: *waiter, key: at.key, operation };
                net.host.shared.mail(at.worker, mail);
                None
            }
            Place::Upcall { id, .. } => {
                match id {
                    Some(id) => net.host.shared.forget_question(id),
                    None => self.held_question = None,
                }
                if let Some(Opened::Query(query)) = self.files.get_mut(&parked.fid) {
                    query.running = false;
                }
                Some(Outcome::Withdrawn)
            }
            Place::HostRead { .. } => {
                self.forget_host_read(parked.fid, net);
                Some(Outcome::Withdrawn)
            }
            Place::Log { .. } => Some(Outcome::Withdrawn),
        }
    }

    /// Keeps the counts that the bounds are about.
    fn count(&mut self, parked: &Parked, more: bool, net: &Net) {
        let (reads, bytes) = match parked.place {
            Place::Read(_) => (1, 0),
            Place::Write(_, bytes) => (0, bytes),
            _ => return,
        };
        if let Some(Opened::Conversation(held)) = self.files.get_mut(&parked.fid) {
            if more {
                held.reads += reads;
                held.write_bytes += bytes;
            } else {
                // A fid of the same number may be another than the one these were for.
                held.reads = held.reads.saturating_sub(reads);
                held.write_bytes = held.write_bytes.saturating_sub(bytes);
            }
        }
        if bytes == 0 {
            return;
        }
        if more {
            self.parked_bytes += bytes;
            net.host.shared.stats.parked_bytes.add(bytes);
        } else {
            self.parked_bytes -= bytes;
            net.host.shared.stats.parked_bytes.sub(bytes);
        }
    }
}
