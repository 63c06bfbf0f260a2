//! A conversation that keeps messages apart, whatever its protocol (ip(3); docs/tree.md, 10).
//!
//! What ICMP has said is found out whenever it matters: by a Tread, a Twrite, or a look at the
//! status.

use std::os::fd::AsFd;

use netrelay_proto::error::Refusal;
use rustix::io::Errno;

use super::advice::{self, Told};
use super::packet::{LARGEST, Packet, Received};
use super::reads::Reads;
use super::rules::{Base, Given, Rules, Trouble};
use super::sockets;
use crate::buffers::Payload;
use crate::error::refusal;
use crate::log::Event as Note;
use crate::mailbox::Waiter;
use crate::net::conversation::{Call, Conversation, Event, More, State};
use crate::net::host::Host;
use crate::net::info::unsent;
use crate::net::operation::Outcome;
use crate::tree::qid::{File, Key};
use crate::work::Source;

/// Packets that one conversation may receive before others have their turn.
const TURN: usize = 256;

/// From here on a packet stays in the buffer it was received into; below, that is kept for the next.
const LARGE: usize = 16 << 10;

/// Reads of the end that return 0 bytes before they are refused.
const ZEROS: u8 = 3;

/// A numbered directory of a protocol of packets, in use.
#[derive(Debug)]
pub(crate) struct PacketConversation<R> {
    pub(super) base: Base,
    pub(super) rules: R,
    reads: Reads,
}

impl<R: Rules> Conversation for PacketConversation<R> {
    fn read(&mut self, waiter: Waiter, count: u32) -> Option<Outcome> {
        match (self.base.state, count) {
            (State::Idle, _) => Some(Outcome::Refused(Refusal::HUNGUP)),
            (_, 0) => Some(Outcome::Bytes(Vec::new())),
            _ => {
                self.reads.park(waiter, count);
                None
            }
        }
    }

    fn has_input(&self) -> bool {
        let Base { readable, suspect, state, arrived, .. } = &self.base;
        let here = !arrived.is_empty() || self.rules.ahead().is_some();
        *readable || *suspect || *state == State::Hungup || self.rules.deaf(*state) || here
    }

    fn write(&mut self, _: Waiter, data: &[u8], host: &mut Host) -> Option<Outcome> {
        // A frame bounds the length.
        let count = u32::try_from(data.len()).unwrap_or(u32::MAX);
        Some(self.send(data, host).map_or_else(Outcome::Refused, |()| Outcome::Wrote(count)))
    }

    fn write_run(&mut self, data: &[&[u8]], host: &mut Host) -> bool {
        // What ICMP has said is told to the first of them.
        if self.base.suspect || self.writable().is_err() {
            return false;
        }
        match self.rules.send_run(data, &self.base) {
            Ok(()) => host.shared.stats.bytes_up.add(data.iter().map(|one| one.len()).sum()),
            Err(Errno::AGAIN | Errno::NOBUFS) => host.shared.stats.dropped.add(data.len()),
            Err(Errno::OPNOTSUPP) => return false,
            Err(error) => {
                self.heed_and_serve(Some(error), host);
                return false;
            }
        }
        self.base.used = host.now;
        true
    }

    fn control(&mut self, _: Waiter, line: &[u8], host: &mut Host) -> Option<Outcome> {
        let count = u32::try_from(line.len()).unwrap_or(u32::MAX);
        Some(self.command(line, host).map_or_else(Outcome::Refused, |()| Outcome::Wrote(count)))
    }

    fn listen(&mut self, waiter: Waiter) -> Result<(), Refusal> {
        if self.base.state != State::Announced {
            return Err(Refusal::NOT_ANNOUNCED);
        }
        self.base.calls.park(waiter);
        Ok(())
    }

    fn take_call(&mut self, host: &mut Host) -> Option<(Waiter, Result<Call, Refusal>)> {
        self.rules.take_call(&mut self.base, host)
    }

    fn begin(&mut self, key: Key, host: &mut Host) -> Result<(), Refusal> {
        if let Some(socket) = self.base.socket() {
            host.watch(socket, Source::Conversation(key)).map_err(refusal)?;
        }
        self.base.key = key;
        self.rules.called(&mut self.base, host);
        if let Some(remote) = self.base.remote {
            host.record(key, Note::Call(remote));
        }
        Ok(())
    }

    fn turn_away(&mut self, host: &mut Host) {
        self.rules.turned_away(&self.base, host);
    }

    fn withdraw(&mut self, waiter: &Waiter, _: &mut Host) -> Option<Outcome> {
        let here = self.reads.withdraw(waiter) || self.base.calls.withdraw(waiter);
        here.then_some(Outcome::Withdrawn)
    }

    fn note(&mut self, event: Event) {
        self.base.readable |= event.readable;
        self.base.suspect |= event.doubtful;
    }

    fn serve(&mut self, host: &mut Host) -> More {
        if self.base.suspect && !self.reads.is_empty() {
            self.heed(None, host);
        }
        let more = self.serve_reads(host);
        // One look for calls takes no more than a few of the packets.
        if self.base.readable && self.base.calls.any() { More::Again } else { more }
    }

    fn expire(&mut self, host: &mut Host) {
        if self.rules.expired(&self.base, host) {
            self.end(None, host);
            self.serve_reads(host);
        }
    }

    fn text(&mut self, file: File, host: &mut Host) -> String {
        match file {
            File::Local => self.rules.local(&self.base),
            File::Remote => self.rules.remote(&self.base),
            _ => self.status(host),
        }
    }

    fn release(mut self: Box<Self>, host: &mut Host) {
        self.note_end(host);
        self.close(host);
        self.reads.refuse(&Refusal::INTERRUPTED, host);
        self.base.calls.refuse(&Refusal::INTERRUPTED, host);
    }
}

impl<R: Rules> PacketConversation<R> {
    /// One that a clone took.
    pub(crate) fn new(key: Key) -> Self {
        Self::with(Base::new(key), R::default())
    }

    /// One that something else made.
    pub(crate) fn with(base: Base, rules: R) -> Self {
        Self { base, rules, reads: Reads::default() }
    }

    /// Answers waiting Treads as far as packets and the clients allow.
    pub(super) fn serve_reads(&mut self, host: &mut Host) -> More {
        let mut scratch = None;
        let mut left = TURN;
        while let Some(count) = self.reads.next(self.base.key, host) {
            let Some(outcome) = self.next(count, &mut left, &mut scratch, host) else { break };
            self.reads.answer(outcome, host);
        }
        if let Some(payload) = scratch {
            host.pool.give(payload);
        }
        if left == 0 && self.base.readable { More::Again } else { More::Idle }
    }

    /// What a Tread of `count` bytes gets; none if it has to wait, or if `left` is used up: packets
    /// that may still be taken off the socket, for us or not.
    fn next(
        &mut self,
        count: usize,
        left: &mut usize,
        scratch: &mut Option<Payload>,
        host: &mut Host,
    ) -> Option<Outcome> {
        loop {
            let packet = self.base.arrived.pop_front().or_else(|| self.rules.handed());
            let given = match packet {
                Some(packet) => self.given(&packet, count, host),
                None if self.base.readable && self.rules.carries(self.base.state) => {
                    *left = left.checked_sub(1)?;
                    self.receive(count, scratch, host).ok()?
                }
                None => return self.past_end(),
            };
            if given.is_some() {
                self.base.used = host.now;
                return given;
            }
        }
    }

    /// What a packet gives to a Tread; none if it is not for us.
    fn given(&self, packet: &Packet, count: usize, host: &Host) -> Option<Outcome> {
        let mut text = match self.rules.text(&packet.way, &packet.data, &self.base, host) {
            Given::Nothing => return None,
            Given::Data => packet.data.to_vec(),
            Given::Text(text) => text,
        };
        text.truncate(count);
        host.shared.stats.bytes_down.add(text.len());
        Some(Outcome::Bytes(text))
    }

    /// Takes the next packet off the socket, for a Tread of `count` bytes: what it gives, if it is
    /// for us. An error means that none is there.
    fn receive(
        &mut self,
        count: usize,
        scratch: &mut Option<Payload>,
        host: &mut Host,
    ) -> Result<Option<Outcome>, Errno> {
        let Some(socket) = self.base.socket() else { return Ok(None) };
        let mut payload = scratch.take().unwrap_or_else(|| host.pool.take(LARGEST));
        let received = self.rules.receive(socket, payload.room(LARGEST));
        let Received { length, way, lost } = match received {
            Ok(received) => received,
            Err(error) => {
                *scratch = Some(payload);
                self.base.readable = error != Errno::AGAIN;
                return if self.heed(Some(error), host) { Ok(None) } else { Err(error) };
            }
        };
        self.base.count_lost(lost, host);
        payload.filled(length);
        let outcome = match self.rules.text(&way, payload.bytes(), &self.base, host) {
            Given::Nothing => None,
            Given::Data if length.min(count) >= LARGE => {
                payload.truncate(count);
                host.shared.stats.bytes_down.add(payload.len());
                return Ok(Some(Outcome::Payload(payload)));
            }
            Given::Data => {
                Some(payload.bytes().get(..count.min(length)).unwrap_or_default().into())
            }
            Given::Text(mut text) => {
                text.truncate(count);
                Some(text)
            }
        };
        payload.clear();
        *scratch = Some(payload);
        host.shared.stats.bytes_down.add(outcome.as_ref().map_or(0, Vec::len));
        Ok(outcome.map(Outcome::Bytes))
    }

    /// What a Tread gets that no packet is there for.
    fn past_end(&mut self) -> Option<Outcome> {
        if self.base.state != State::Hungup && !self.rules.deaf(self.base.state) {
            return None;
        }
        Some(match &self.base.failure {
            Some(why) => Outcome::Refused(why.clone()),
            None if self.base.zeros < ZEROS => {
                self.base.zeros += 1;
                Outcome::Bytes(Vec::new())
            }
            None => Outcome::Refused(Refusal::HUNGUP),
        })
    }

    /// A Twrite of data.
    fn send(&mut self, data: &[u8], host: &mut Host) -> Result<(), Refusal> {
        if self.base.suspect {
            self.heed_and_serve(None, host);
        }
        self.writable()?;
        self.base.used = host.now;
        let sent = match self.rules.send(data, &self.base, host) {
            // What fails because of advice that is ignored is sent again.
            Err(Trouble::Host(error)) if self.heed_and_serve(Some(error), host) => {
                self.writable()?;
                self.rules.send(data, &self.base, host)
            }
            sent => sent,
        };
        match sent {
            Ok(true) => host.shared.stats.bytes_up.add(data.len()),
            // A packet may be lost here as it may be lost anywhere.
            Ok(false) | Err(Trouble::Host(Errno::AGAIN | Errno::NOBUFS)) => {
                host.shared.stats.dropped.add(1);
            }
            Err(Trouble::Host(Errno::MSGSIZE)) => return Err(Refusal::TOO_LARGE),
            Err(Trouble::Host(error)) => return Err(refusal(error)),
            Err(Trouble::Ours(why)) => return Err(why),
        }
        Ok(())
    }

    /// Whether a Twrite of data may be made.
    fn writable(&self) -> Result<(), Refusal> {
        match &self.base.failure {
            Some(why) => Err(why.clone()),
            None if self.base.socket.is_none() => Err(Refusal::HUNGUP),
            None if self.rules.sends(self.base.state) => Ok(()),
            None => Err(Refusal::HUNGUP),
        }
    }

    fn status(&mut self, host: &mut Host) -> String {
        self.heed_and_serve(None, host);
        let Some(socket) = self.base.socket() else {
            return self.rules.status(false, "qin 0 qout 0", &self.base, host);
        };
        let first = self.base.arrived.front().map(|packet| packet.data.len());
        let ahead = first.or_else(|| self.rules.ahead());
        let ahead = ahead.unwrap_or_else(|| self.rules.unread(socket, &self.base, host));
        let queues = format!("qin {ahead} qout {}", unsent(socket));
        self.rules.status(true, &queues, &self.base, host)
    }

    /// Finds out what ICMP has said, and ends if it is advice; whether it had said anything.
    ///
    /// `error` is what a call failed with: where the host had no room to keep the rest, ICMP's
    /// refusal of a port is known by that alone.
    fn heed(&mut self, error: Option<Errno>, host: &mut Host) -> bool {
        self.base.suspect = false;
        let (State::Connected, Some(socket)) = (self.base.state, self.base.socket()) else {
            return false;
        };
        let mut told = advice::take(socket, |quoted, to| self.rules.sent(quoted, to));
        if !told.anything && error == Some(Errno::CONNREFUSED) {
            told = Told { advice: Some(Refusal::PORT_UNREACHABLE), anything: true };
        }
        if let Some(why) = told.advice
            && !self.base.ignores_advice
        {
            self.end(Some(why), host);
        }
        told.anything
    }

    /// The same where Treads may wait for the end.
    pub(super) fn heed_and_serve(&mut self, error: Option<Errno>, host: &mut Host) -> bool {
        let open = self.base.socket.is_some();
        let told = self.heed(error, host);
        if open && self.base.socket.is_none() {
            self.serve_reads(host);
        }
        told
    }

    /// No more packets: readers get what has arrived, and then `why`, or the end of file. They are
    /// to be served after it.
    pub(super) fn end(&mut self, why: Option<Refusal>, host: &mut Host) {
        if self.base.state == State::Hungup {
            return;
        }
        if self.rules.carries(self.base.state)
            && let Some(socket) = self.base.socket.as_ref()
        {
            while let Some(packet) = self.rules.handed() {
                self.base.arrived.push_back(packet);
            }
            let take = |room: &mut [u8]| self.rules.receive(socket.as_fd(), room);
            self.base.arrived.extend(sockets::drain(take, usize::MAX));
        }
        self.note_end(host);
        self.close(host);
        self.base.state = State::Hungup;
        self.base.failure = why;
        self.base.calls.refuse(&Refusal::LISTEN_HUNGUP, host);
    }

    /// Gives the socket up.
    fn close(&mut self, host: &Host) {
        if let Some(socket) = self.base.socket.take() {
            self.base.count_lost(self.rules.lost(socket.as_fd()), host);
        }
        self.rules.closing();
    }

    /// Tells the log, if there was anything to end.
    fn note_end(&self, host: &Host) {
        if matches!(self.base.state, State::Connected | State::Announced) {
            host.record(self.base.key, Note::Hangup(self.base.remote));
        }
    }
}
