//! One end of a conversation at work: its machine, a raw socket, and the worker's clock.
//!
//! Whoever holds an end runs it after an event and after a timer, looks at what has happened, and
//! sees to [`End::deadline`]. The machine counts milliseconds since the end was made.

use std::net::SocketAddrV4;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use netrelay_proto::error::Refusal;
use netrelay_proto::il::{self, Conversation as Machine, Packet, State, Stats};
use rustix::io::Errno;

use super::calls::Knowing;
use super::ports::{Port, random};
use super::sockets::{self, LARGEST};
use crate::error::refusal;
use crate::net::conversation::{Event, More};
use crate::net::host::Host;
use crate::net::packets::advice;
use crate::tree::qid::StackId;

/// Packets that one end may receive before others have their turn.
const TURN: usize = 64;

/// An end over a connected socket.
#[derive(Debug)]
pub(super) struct End {
    machine: Machine,
    socket: OwnedFd,
    /// Held as long as the end is there.
    _port: Port,
    epoch: Instant,
    stack: StackId,
    /// What the stack's totals have of its counters.
    told: Stats,
    /// The last event said that a packet is there, and no receive has found otherwise.
    readable: bool,
    /// A packet that the socket had no room for.
    stuck: Option<Vec<u8>>,
    /// What ICMP says does not end the call.
    pub(super) ignores_advice: bool,
    /// Of a call: that it is nobody else's.
    known: Option<Knowing>,
}

impl End {
    /// One that calls.
    ///
    /// # Errors
    /// The host has no random numbers.
    pub(super) fn call(
        socket: OwnedFd,
        port: Port,
        remote: SocketAddrV4,
        fast: bool,
        stack: StackId,
    ) -> Result<Self, Errno> {
        let make = if fast { Machine::connect_fast } else { Machine::connect };
        let machine = make(0, port.number, remote.port(), random()?);
        Ok(Self::new(machine, socket, port, stack))
    }

    /// One that answers a call.
    ///
    /// # Errors
    /// The host has no random numbers; `INVAL` of what is no call.
    pub(super) fn answer(
        socket: OwnedFd,
        port: Port,
        sync: &[u8],
        stack: StackId,
    ) -> Result<Self, Errno> {
        let sync = Packet::decode(sync).map_err(|_| Errno::INVAL)?;
        let machine = Machine::answer(0, &sync, random()?).ok_or(Errno::INVAL)?;
        Ok(Self::new(machine, socket, port, stack))
    }

    fn new(machine: Machine, socket: OwnedFd, port: Port, stack: StackId) -> Self {
        Self {
            machine,
            socket,
            _port: port,
            epoch: Instant::now(),
            stack,
            told: Stats::default(),
            readable: true,
            stuck: None,
            ignores_advice: false,
            known: None,
        }
    }

    /// The same, and whose calls it is one of.
    pub(super) fn known(mut self, known: Knowing) -> Self {
        self.known = Some(known);
        self
    }

    /// What the loop is to watch.
    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// What the loop has seen at the socket.
    pub(super) fn note(&mut self, event: Event) {
        self.readable |= event.readable || event.doubtful;
    }

    /// Takes what has come, does what is due, and sends what is to be sent.
    pub(super) fn run(&mut self, host: &mut Host) -> More {
        let mut left = TURN;
        if self.readable {
            let mut room = host.pool.take(LARGEST);
            while self.readable && left > 0 {
                left -= 1;
                let now = self.now(host);
                match sockets::receive(self.socket.as_fd(), room.room(LARGEST)) {
                    Ok(Some(datagram)) => {
                        self.machine.handle_packet(now, datagram.packet);
                        self.transmit();
                    }
                    Ok(None) => {}
                    Err(Errno::AGAIN) => self.readable = false,
                    Err(error) => self.heed(error),
                }
            }
            host.pool.give(room);
        }
        let now = self.now(host);
        if self.machine.poll_timeout().is_some_and(|due| due <= now) {
            self.machine.handle_timeout(now);
        }
        self.work(host);
        if self.readable { More::Again } else { More::Idle }
    }

    /// Sends a message; false if there is no room.
    ///
    /// # Errors
    /// It is too long, or the conversation is over or will be.
    pub(super) fn send(&mut self, message: &[u8], host: &Host) -> Result<bool, Refusal> {
        let sent = self.machine.send(self.now(host), message);
        self.work(host);
        match sent {
            Ok(()) => Ok(true),
            Err(why) => why.refusal().map_or(Ok(false), Err),
        }
    }

    /// What has happened, if anything.
    pub(super) fn next(&mut self, host: &Host) -> Option<il::Event> {
        let event = self.machine.poll_event()?;
        // Reading may have made room at last, which is told at once.
        self.work(host);
        Some(event)
    }

    /// Ends it once what was sent has arrived.
    pub(super) fn close(&mut self, host: &Host) {
        self.machine.close(self.now(host));
        self.work(host);
    }

    /// When it is to be run, whatever happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let due = self.machine.poll_timeout()?;
        self.epoch.checked_add(Duration::from_millis(due))
    }

    /// Whether neither side has ended it.
    pub(super) fn live(&self) -> bool {
        matches!(self.machine.state(), State::Syncer | State::Syncee | State::Established)
    }

    /// Whether there is nothing left to do.
    pub(super) fn done(&self) -> bool {
        self.machine.state() == State::Closed && self.stuck.is_none()
    }

    /// What `status` tells.
    pub(super) fn status(&self) -> il::Status {
        self.machine.status()
    }

    fn work(&mut self, host: &Host) {
        self.transmit();
        let now = self.machine.stats();
        host.shared.stack(self.stack).il.account(&now, &self.told);
        self.told = now;
    }

    fn transmit(&mut self) {
        if let Some(packet) = self.stuck.take()
            && sockets::put(self.socket.as_fd(), &packet) == Err(Errno::AGAIN)
        {
            self.stuck = Some(packet);
            return;
        }
        while let Some(packet) = self.machine.poll_transmit() {
            // An error is what ICMP said of another packet: this one was not tried.
            let first = sockets::put(self.socket.as_fd(), packet);
            let put = match first {
                Ok(()) | Err(Errno::AGAIN) => first,
                Err(_) => sockets::put(self.socket.as_fd(), packet),
            };
            if put == Err(Errno::AGAIN) {
                self.stuck = Some(packet.to_vec());
                return;
            }
            if let Err(error) = first {
                self.heed(error);
            }
        }
    }

    /// A call ends with the host's word, or with what ICMP said.
    fn heed(&mut self, error: Errno) {
        let told = advice::take(self.socket.as_fd(), |_, _| true);
        let why = if told.anything { told.advice } else { Some(refusal(error)) };
        if let Some(why) = why
            && !self.ignores_advice
        {
            self.machine.advise(why);
        }
    }

    fn now(&self, host: &Host) -> u64 {
        let since = host.now.saturating_duration_since(self.epoch);
        since.as_millis().try_into().unwrap_or(u64::MAX)
    }
}
