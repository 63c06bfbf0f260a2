//! What each state makes of each packet.
//!
//! One function a state. Packets that a state does not speak of mean nothing in it; any that comes is a
//! sign of life.

use super::{Conversation, Outgoing};
use crate::error::Refusal;
use crate::il::packet::{Packet, kind};
use crate::il::received::Placed;
use crate::il::status::State;
use crate::il::{ACK_DELAY, IP_HEADER, MAX_REXMIT, QUERY_TIME, WINDOW};

impl Conversation {
    /// A packet that came, whole and sound; one of another conversation means nothing.
    pub fn take(&mut self, now: u64, packet: &Packet<'_>) {
        let ours = packet.src == self.remote && packet.dst == self.local;
        if !ours || self.state == State::Closed {
            return;
        }
        self.heard = now;
        self.query_at = now.saturating_add(QUERY_TIME);
        self.stats.in_msgs += 1;
        match self.state {
            State::Syncer => self.in_syncer(packet),
            State::Syncee => self.in_syncee(now, packet),
            State::Established => self.in_established(now, packet),
            State::Closing => self.in_closing(packet),
            State::Closed | State::Listen => {}
        }
    }

    fn in_syncer(&mut self, packet: &Packet<'_>) {
        match packet.kind {
            kind::SYNC if packet.ack == self.start => {
                self.remote_start = packet.id;
                self.received.last = packet.id;
                self.push(kind::ACK);
                self.establish();
            }
            kind::SYNC => self.hangup(Some(Refusal::CONNECTION_REJECTED)),
            kind::CLOSE if packet.ack == self.start => {
                self.hangup(Some(Refusal::CONNECTION_REJECTED));
            }
            _ => {}
        }
    }

    fn in_syncee(&mut self, now: u64, packet: &Packet<'_>) {
        match packet.kind {
            kind::SYNC if packet.id == self.remote_start && packet.ack == 0 => {
                self.push(kind::SYNC);
            }
            kind::SYNC => self.hangup(Some(Refusal::REMOTE_CLOSE)),
            kind::DATA..=kind::STATE if packet.ack == self.start => {
                self.establish();
                self.in_established(now, packet);
            }
            kind::CLOSE if packet.ack == self.start => {
                self.push_as(kind::CLOSE, 0, Some(packet.id));
                self.hangup(Some(Refusal::REMOTE_CLOSE));
            }
            _ => {}
        }
    }

    fn in_established(&mut self, now: u64, packet: &Packet<'_>) {
        self.unanswered = 0;
        match packet.kind {
            // A Syncee that has not heard us only hears the acknowledgement of its first id.
            kind::SYNC if packet.id == self.remote_start => {
                self.push_as(kind::ACK, 0, Some(self.remote_start));
            }
            kind::SYNC => self.hangup(Some(Refusal::REMOTE_CLOSE)),
            kind::DATA => {
                self.acknowledged(now, packet);
                self.place(now, packet);
            }
            kind::DATAQUERY => {
                self.acknowledged(now, packet);
                self.place(now, packet);
                self.reply(packet.spec);
            }
            kind::ACK => self.acknowledged(now, packet),
            kind::QUERY => {
                self.acknowledged(now, packet);
                self.reply(packet.spec);
            }
            kind::STATE => {
                self.acknowledged(now, packet);
                if self.sent.answered(packet.spec, packet.ack) {
                    self.retransmit(now);
                }
            }
            kind::CLOSE if self.sent.covers(packet.ack) => {
                self.received.last = packet.id;
                self.begin_closing(now);
                self.ended(None);
            }
            _ => {}
        }
        self.finish_draining(now);
    }

    fn in_closing(&mut self, packet: &Packet<'_>) {
        match packet.kind {
            kind::CLOSE => {
                self.received.last = packet.id;
                self.push(kind::CLOSE);
                if packet.ack == self.sent.next {
                    self.hangup(None);
                }
            }
            // We hung up before the call was up, and the other side takes no close but one for this.
            kind::SYNC if packet.ack == self.start => {
                self.push_as(kind::CLOSE, 0, Some(packet.id));
            }
            _ => {}
        }
    }

    fn establish(&mut self) {
        self.state = State::Established;
        self.hasty = false;
        self.connected = true;
        self.calm();
    }

    /// What the packet acknowledges needs no more care.
    fn acknowledged(&mut self, now: u64, packet: &Packet<'_>) {
        if !self.sent.acknowledge(packet.ack) {
            return;
        }
        if packet.kind == kind::STATE {
            self.timing.passed(packet.ack);
        } else {
            let bytes = IP_HEADER as u64 + u64::from(packet.len());
            self.timing.acknowledged(now, packet.ack, bytes);
        }
        self.calm();
        self.wait(now);
    }

    /// Takes a message, or drops it; acknowledges at once when half a window waits for that.
    fn place(&mut self, now: u64, packet: &Packet<'_>) {
        if !self.received.admits() {
            self.stats.dropped_msgs += 1;
            return;
        }
        match self.received.place(packet.id, packet.data) {
            Placed::Outside => {}
            Placed::Early => self.stats.out_of_order += 1,
            Placed::Duplicate => {
                self.stats.dup_msg += 1;
                self.stats.dup_bytes += u64::from(packet.len());
            }
            Placed::Ready(count) => {
                self.owed += count;
                self.ack_at.get_or_insert(now.saturating_add(ACK_DELAY));
                if self.owed as usize >= WINDOW / 2 {
                    self.acknowledge();
                }
            }
        }
    }

    /// Answers a query. While there is no room a state would bring the missing message at once, in vain and
    /// again and again; an acknowledgement only says that we live.
    fn reply(&mut self, spec: u8) {
        if self.received.admits() {
            self.push_as(kind::STATE, spec, None);
        } else {
            self.acknowledge();
        }
    }

    /// Sends the oldest message again, and asks what came of it.
    fn retransmit(&mut self, now: u64) {
        if self.sent.is_empty() {
            return;
        }
        if self.tries > MAX_REXMIT {
            return self.give_up();
        }
        let (id, spec) = (self.sent.oldest, self.sent.ask_anew());
        self.out(Outgoing { kind: kind::DATAQUERY, spec, id, ack: None });
        self.backoff = self.tries;
        self.wait(now);
        self.tries += 1;
        self.rexmits += 1;
        self.stats.retrans += 1;
    }
}
