//! One conversation: what was said, what is due, and what the other side may say next.
//!
//! The rules are the original's (`docs/il.md` lists them, and where we differ). Nothing is retransmitted
//! blindly: when an acknowledgement is late the other side is asked what it has, and only what its answer
//! lacks is sent again. Packets leave through a short queue in the order in which they were caused; their
//! headers are written when they leave, so that each carries the newest acknowledgement.

mod packets;

use std::collections::VecDeque;

use super::packet::{HEADER, Packet, kind};
use super::received::Received;
use super::sent::Sent;
use super::status::{State, Stats, Status};
use super::timing::Timing;
use super::{DEATH_TIME, MAX_MESSAGE, MAX_REXMIT, QUERY_TIME, TICK, WINDOW};
use crate::error::Refusal;

/// What has happened, in this order: one `Connected`, messages, one `Closed`, which is the last.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// Both sides know of each other; messages may be sent.
    Connected,
    /// The other side sent this.
    Message(Vec<u8>),
    /// No message follows. Without a refusal the end was an orderly one.
    Closed(Option<Refusal>),
}

/// Why a message is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SendError {
    /// Not now: as many as may be are under way, or the call is not up yet. See [`Conversation::room`].
    WindowFull,
    /// Never: it exceeds [`MAX_MESSAGE`].
    TooLarge,
    /// Never: the conversation is over, or will be.
    Hungup,
}

impl SendError {
    /// What a writer is told, unless it is to wait.
    pub const fn refusal(self) -> Option<Refusal> {
        match self {
            Self::WindowFull => None,
            Self::TooLarge => Some(Refusal::TOO_LARGE),
            Self::Hungup => Some(Refusal::HUNGUP),
        }
    }
}

/// One end of a conversation.
///
/// After every call: send what [`poll_transmit`](Self::poll_transmit) gives, look at
/// [`poll_event`](Self::poll_event), and come back at [`poll_timeout`](Self::poll_timeout).
#[derive(Clone, Debug)]
pub struct Conversation {
    state: State,
    local: u16,
    remote: u16,
    /// Our first id, and the other side's.
    start: u32,
    remote_start: u32,
    sent: Sent,
    received: Received,
    timing: Timing,
    out: VecDeque<Outgoing>,
    /// The last packet without a message that was handed out.
    control: [u8; HEADER],
    /// A call that is given up if it is not answered at once.
    hasty: bool,
    /// We have closed, and wait for what was sent before to arrive.
    draining: bool,
    connected: bool,
    end: End,
    /// When a packet last came, when to ask for one, and when to ask again or give up.
    heard: u64,
    query_at: u64,
    timeout: u64,
    /// When to acknowledge, and how many messages.
    ack_at: Option<u64>,
    owed: u32,
    /// How many waits lengthen the next; questions without any answer; times the oldest message was sent again.
    backoff: u32,
    unanswered: u32,
    tries: u32,
    rexmits: u32,
    queries: u32,
    stats: Stats,
}

/// A packet to send.
#[derive(Clone, Copy, Debug)]
struct Outgoing {
    kind: u8,
    spec: u8,
    id: u32,
    /// What it acknowledges, unless that is the newest message.
    ack: Option<u32>,
}

/// Whether [`Event::Closed`] is to be told.
#[derive(Clone, Debug)]
enum End {
    Open,
    Due(Option<Refusal>),
    Told,
}

impl Conversation {
    /// Calls `remote` from `local`; both are ports. `start` is our first id and should be hard to guess.
    pub fn connect(now: u64, local: u16, remote: u16, start: u32) -> Self {
        let mut call = Self::new(State::Syncer, now, local, remote, start);
        call.push(kind::SYNC);
        call
    }

    /// The same, but in a hurry (`!fasttimeout`): tries every tick, and no more than five times.
    pub fn connect_fast(now: u64, local: u16, remote: u16, start: u32) -> Self {
        let mut call = Self::connect(now, local, remote, start);
        call.hasty = true;
        call.unanswered = MAX_REXMIT - 4;
        call.timeout = now.saturating_add(TICK);
        call
    }

    /// Answers a call, which `sync` must be: a packet for an announced port that no conversation owns.
    pub fn answer(now: u64, sync: &Packet<'_>, start: u32) -> Option<Self> {
        if sync.kind != kind::SYNC || sync.ack != 0 {
            return None;
        }
        let mut answer = Self::new(State::Syncee, now, sync.dst, sync.src, start);
        answer.remote_start = sync.id;
        answer.received.last = sync.id;
        answer.take(now, sync);
        Some(answer)
    }

    fn new(state: State, now: u64, local: u16, remote: u16, start: u32) -> Self {
        let mut made = Self {
            state,
            local,
            remote,
            start,
            remote_start: 0,
            sent: Sent::new(start.wrapping_add(1)),
            received: Received::new(),
            timing: Timing::new(),
            out: VecDeque::with_capacity(OUT),
            control: [0; HEADER],
            hasty: false,
            draining: false,
            connected: false,
            end: End::Open,
            heard: now,
            query_at: now.saturating_add(QUERY_TIME),
            timeout: 0,
            ack_at: None,
            owed: 0,
            backoff: 0,
            unanswered: 0,
            tries: 0,
            rexmits: 0,
            queries: 0,
            stats: Stats::default(),
        };
        made.wait(now);
        made
    }

    /// What IP delivered for this conversation, without IP's header; flawed packets are counted.
    pub fn handle_packet(&mut self, now: u64, bytes: &[u8]) {
        match Packet::decode(bytes) {
            Ok(packet) => self.take(now, &packet),
            Err(flaw) => self.stats.flawed(flaw),
        }
    }

    /// Sends a message, which may be empty.
    ///
    /// # Errors
    /// It was not taken; for [`SendError::WindowFull`] it may be tried again after the next packet.
    pub fn send(&mut self, now: u64, message: &[u8]) -> Result<(), SendError> {
        if message.len() > MAX_MESSAGE {
            return Err(SendError::TooLarge);
        }
        if self.draining || matches!(self.state, State::Closing | State::Closed) {
            return Err(SendError::Hungup);
        }
        if self.room() == 0 {
            return Err(SendError::WindowFull);
        }
        let (id, bytes) = self.sent.push(message);
        self.timing.sending(now, id, bytes);
        if self.sent.len() == 1 {
            self.wait(now);
        }
        self.out(Outgoing { kind: kind::DATA, spec: 0, id, ack: None });
        self.stats.out_msgs += 1;
        Ok(())
    }

    /// How many messages [`send`](Self::send) would take now.
    pub fn room(&self) -> usize {
        if self.state == State::Established && !self.draining {
            WINDOW - self.sent.len()
        } else {
            0
        }
    }

    /// Ends the conversation once what was sent has arrived. What nobody has read is thrown away, and so is
    /// what still comes.
    pub fn close(&mut self, now: u64) {
        self.received.deafen();
        match self.state {
            State::Syncer | State::Syncee => self.begin_closing(now),
            State::Established => {
                self.draining = true;
                self.finish_draining(now);
            }
            State::Closing | State::Closed | State::Listen => {}
        }
    }

    /// The host says that the other side can't be reached: a call ends with that, and nothing else does, as
    /// anyone can say so.
    pub fn advise(&mut self, reason: Refusal) {
        if self.state == State::Syncer {
            self.hangup(Some(reason));
        }
    }

    /// The next packet to send, if any. Keep asking until there is none: the queue is short, and what finds
    /// it full is lost as on a full link.
    pub fn poll_transmit(&mut self) -> Option<&[u8]> {
        let (next, place) = loop {
            let next = self.out.pop_front()?;
            if !matches!(next.kind, kind::DATA | kind::DATAQUERY) {
                break (next, None);
            }
            // A message may have been acknowledged meanwhile.
            if let Some(place) = self.sent.place(next.id) {
                break (next, Some(place));
            }
        };
        let ack = next.ack.unwrap_or_else(|| {
            (self.owed, self.ack_at) = (0, None);
            self.received.last
        });
        let Outgoing { kind, spec, id, .. } = next;
        let packet = Packet { kind, spec, src: self.local, dst: self.remote, id, ack, data: &[] };
        if let Some(place) = place {
            return Some(self.sent.packet(place, packet));
        }
        self.control = packet.header();
        Some(&self.control)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), unless something else is called before.
    pub fn poll_timeout(&self) -> Option<u64> {
        let death = self.heard.saturating_add(DEATH_TIME);
        match self.state {
            State::Closed | State::Listen => None,
            State::Established => {
                let ask = (!self.sent.is_empty()).then_some(self.timeout);
                let due = [self.ack_at, ask].into_iter().flatten().min();
                let idle = death.min(self.query_at);
                Some(due.map_or(idle, |due| due.min(idle)))
            }
            State::Syncer | State::Syncee | State::Closing => Some(death.min(self.timeout)),
        }
    }

    /// Does what is due by now.
    pub fn handle_timeout(&mut self, now: u64) {
        if now >= self.heard.saturating_add(DEATH_TIME) {
            self.give_up();
        }
        match self.state {
            State::Closed | State::Listen => {}
            State::Syncer | State::Syncee => self.insist(now, kind::SYNC),
            State::Closing => self.insist(now, kind::CLOSE),
            State::Established => {
                if self.ack_at.is_some_and(|at| now >= at) {
                    self.acknowledge();
                }
                if now >= self.query_at {
                    self.ask();
                    self.query_at = now.saturating_add(QUERY_TIME);
                }
                if !self.sent.is_empty() && now >= self.timeout {
                    if self.unanswered > MAX_REXMIT {
                        return self.give_up();
                    }
                    self.ask();
                    self.queries += 1;
                    self.wait_longer(now);
                }
            }
        }
    }

    /// What has happened, if anything.
    pub fn poll_event(&mut self) -> Option<Event> {
        if std::mem::take(&mut self.connected) {
            return Some(Event::Connected);
        }
        if let Some(message) = self.received.pop() {
            if self.received.relieved() {
                // It answers no query, and brings what was dropped.
                self.push(kind::STATE);
            }
            return Some(Event::Message(message));
        }
        match std::mem::replace(&mut self.end, End::Told) {
            End::Due(reason) => Some(Event::Closed(reason)),
            other => {
                self.end = other;
                None
            }
        }
    }

    /// Where it is; once [`State::Closed`], nothing will come any more but what the polls still hold.
    pub fn state(&self) -> State {
        self.state
    }

    /// What `status` says.
    pub fn status(&self) -> Status {
        let (delay, rate, deviation) = self.timing.learned();
        Status {
            state: self.state,
            qin: self.received.bytes,
            qout: 0,
            delay,
            rate,
            deviation,
            unacked: self.sent.bytes,
            rexmits: self.rexmits,
            queries: self.queries,
            longest: self.timing.longest,
        }
    }

    /// What it counted.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Repeats what was not answered, or gives up.
    fn insist(&mut self, now: u64, kind: u8) {
        if now < self.timeout {
            return;
        }
        if self.unanswered > MAX_REXMIT {
            return self.give_up();
        }
        self.push(kind);
        self.wait_longer(now);
    }

    fn wait(&mut self, now: u64) {
        let wait = self.timing.timeout(self.sent.bytes, self.backoff);
        self.timeout = now.saturating_add(if self.hasty { TICK } else { wait });
    }

    fn wait_longer(&mut self, now: u64) {
        self.wait(now);
        self.backoff += 1;
        self.unanswered += 1;
    }

    /// Starts over with counting what goes unanswered.
    fn calm(&mut self) {
        (self.backoff, self.unanswered, self.tries) = (0, 0, 0);
    }

    fn acknowledge(&mut self) {
        (self.owed, self.ack_at) = (0, None);
        self.push(kind::ACK);
    }

    fn ask(&mut self) {
        let spec = self.sent.ask();
        self.push_as(kind::QUERY, spec, None);
    }

    /// Queues a packet without a message.
    fn push(&mut self, kind: u8) {
        self.push_as(kind, 0, None);
    }

    fn push_as(&mut self, kind: u8, spec: u8, ack: Option<u32>) {
        let id = if kind == kind::SYNC { self.start } else { self.sent.next };
        self.out(Outgoing { kind, spec, id, ack });
    }

    fn out(&mut self, packet: Outgoing) {
        if self.out.len() < OUT {
            self.out.push_back(packet);
        }
    }

    fn finish_draining(&mut self, now: u64) {
        if self.draining && self.sent.is_empty() && self.state == State::Established {
            self.begin_closing(now);
        }
    }

    fn begin_closing(&mut self, now: u64) {
        self.state = State::Closing;
        self.hasty = false;
        self.sent.clear();
        self.received.cut();
        self.calm();
        self.wait(now);
        self.push(kind::CLOSE);
    }

    /// Nobody answers: an error unless we were leaving anyway.
    fn give_up(&mut self) {
        let leaving = self.state == State::Closing;
        self.hangup((!leaving).then_some(Refusal::TIMED_OUT));
    }

    fn hangup(&mut self, reason: Option<Refusal>) {
        self.state = State::Closed;
        self.sent.clear();
        self.received.cut();
        self.ended(reason);
    }

    fn ended(&mut self, reason: Option<Refusal>) {
        if matches!(self.end, End::Open) {
            self.end = End::Due(reason);
        }
    }
}

/// Packets that wait to be sent: every message of a window once, and as many answers.
const OUT: usize = 2 * WINDOW;
