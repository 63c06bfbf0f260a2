//! A slot of an interface in use: what it was told to take, and the Treads that wait for it.
//!
//! Nothing is taken from the kernel unless a Tread waits, so one that is withdrawn has taken nothing,
//! and a reader that is slow loses frames at its own socket and nowhere else.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::time::Duration;

use netrelay_proto::error::Refusal;
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use super::filter::{Wanted, program};
use super::frames::{RECORD, SOURCE, record, whole};
use super::interface::Interface;
use super::link;
use super::verbs::{Mac, Verb};
use crate::error::refusal;
use crate::mailbox::Waiter;
use crate::net::claims::{Claim, Item};
use crate::net::conversation::{Call, Conversation, Event, More};
use crate::net::filter::attach;
use crate::net::host::Host;
use crate::net::operation::Outcome;
use crate::net::packets::reads::Reads;
use crate::net::packets::sockets::lost;
use crate::tree::qid::{File, Key};
use crate::work::Source;

/// Frames that one slot may give before others have their turn.
const TURN: usize = 256;

/// Bytes of the shortest frame that may be written.
const SHORTEST: usize = 60;

/// A numbered directory of an interface, in use.
#[derive(Debug)]
pub(crate) struct Slot {
    key: Key,
    socket: Option<OwnedFd>,
    wanted: Wanted,
    headers_only: bool,
    groups: Vec<Mac>,
    /// Its type is no other slot's.
    claim: Option<Claim>,
    reads: Reads,
    /// A frame may be there.
    readable: bool,
    /// The interface has gone down or away, and no frame has come since. The kernel says so once.
    down: bool,
    /// Of the frames that found no room at this socket, those that were counted.
    lost: u32,
}

impl Slot {
    /// One that a clone took.
    pub(crate) fn new(key: Key) -> Self {
        Self {
            key,
            socket: None,
            wanted: Wanted::default(),
            headers_only: false,
            groups: Vec::new(),
            claim: None,
            reads: Reads::default(),
            readable: false,
            down: false,
            lost: 0,
        }
    }

    fn command(&mut self, line: &[u8], host: &mut Host) -> Result<(), Refusal> {
        match Verb::parse(line)? {
            Verb::Connect(kind) => return self.connect(kind, host),
            Verb::Promiscuous if !self.wanted.promiscuous => {
                self.wanted.promiscuous = true;
                self.each_socket(host, |socket, index| {
                    link::be_promiscuous(socket.as_fd(), index)
                })?;
                self.filter(host)?;
            }
            Verb::Bridge => {
                self.wanted.bridge = true;
                self.filter(host)?;
            }
            Verb::HeadersOnly => self.headers_only = true,
            Verb::Join(group) if !self.groups.contains(&group) => {
                self.each_socket(host, |socket, index| link::join(socket.as_fd(), index, group))?;
                self.groups.push(group);
            }
            Verb::Leave(group) if self.groups.contains(&group) => {
                self.each_socket(host, |socket, index| link::leave(socket.as_fd(), index, group))?;
                self.groups.retain(|one| *one != group);
            }
            Verb::Promiscuous | Verb::Join(_) | Verb::Leave(_) | Verb::NonBlocking => {}
        }
        Ok(())
    }

    /// Takes frames of a type from now on, and none that have arrived.
    fn connect(&mut self, kind: i32, host: &mut Host) -> Result<(), Refusal> {
        let other = kind != self.wanted.kind;
        let claim = match u32::try_from(kind) {
            Ok(number) if other => {
                let item = Item { protocol: self.key.branch.protocol, remote: None, number };
                Some(host.stack(self.key).claims.take(item).ok_or(Refusal::IN_USE)?)
            }
            _ => None,
        };
        let wanted = Wanted { kind, ..self.wanted };
        let socket = self.receiving(wanted, host).map_err(refusal)?;
        self.count_lost(host);
        if other {
            self.claim = claim;
        }
        (self.socket, self.wanted) = (Some(socket), wanted);
        (self.readable, self.down, self.lost) = (false, false, 0);
        Ok(())
    }

    /// A socket for what is wanted.
    fn receiving(&self, wanted: Wanted, host: &Host) -> Result<OwnedFd, Errno> {
        let index = interface(self.key, host).ok_or(Errno::NODEV)?.index;
        let socket = link::open(index)?;
        attach(socket.as_fd(), &program(wanted, &host.shared.ports()))?;
        if wanted.promiscuous {
            link::be_promiscuous(socket.as_fd(), index)?;
        }
        for group in &self.groups {
            link::join(socket.as_fd(), index, *group)?;
        }
        host.watch(socket.as_fd(), Source::Conversation(self.key))?;
        link::receive_all(socket.as_fd(), index)?;
        Ok(socket)
    }

    /// The socket's filter is for what is wanted now.
    fn filter(&self, host: &Host) -> Result<(), Refusal> {
        let program = program(self.wanted, &host.shared.ports());
        match &self.socket {
            Some(socket) => attach(socket.as_fd(), &program).map_err(refusal),
            None => Ok(()),
        }
    }

    /// Does something at the socket, if there is one: a later one is made so.
    fn each_socket(
        &self,
        host: &Host,
        act: impl FnOnce(&OwnedFd, u32) -> Result<(), Errno>,
    ) -> Result<(), Refusal> {
        match (&self.socket, interface(self.key, host)) {
            (Some(socket), Some(interface)) => act(socket, interface.index).map_err(refusal),
            _ => Ok(()),
        }
    }

    /// A Twrite of data.
    fn send(&mut self, data: &[u8], host: &mut Host) -> Result<(), Refusal> {
        if data.len() < SHORTEST {
            return Err(Refusal::TOO_SMALL);
        }
        let interface = interface(self.key, host).ok_or(Refusal::IO)?;
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => link::open(interface.index).map_err(|_| Refusal::IO)?,
        };
        let sent = match link::mac(socket.as_fd()) {
            Some(own) if !self.wanted.bridge => {
                let mut frame = data.to_vec();
                if let Some(source) = frame.get_mut(SOURCE) {
                    source.copy_from_slice(&own);
                }
                link::send(socket.as_fd(), &frame)
            }
            _ => link::send(socket.as_fd(), data),
        };
        self.socket = Some(socket);
        match sent {
            Ok(()) => host.shared.stats.bytes_up.add(data.len()),
            Err(Errno::AGAIN | Errno::NOBUFS) => {
                interface.unsent.fetch_add(1, Ordering::Relaxed);
            }
            Err(Errno::MSGSIZE) => return Err(Refusal::TOO_LARGE),
            Err(_) => return Err(Refusal::IO),
        }
        Ok(())
    }

    /// Answers waiting Treads as far as frames and the clients allow.
    fn serve_reads(&mut self, host: &mut Host) -> More {
        if self.reads.is_empty() {
            return More::Idle;
        }
        let mut room = host.pool.take(link::LARGEST);
        let mut left = TURN;
        while self.readable
            && left > 0
            && let Some(count) = self.reads.next(self.key, host)
        {
            let Some(socket) = self.socket.as_ref() else { break };
            left -= 1;
            match link::receive(socket.as_fd(), room.room(link::LARGEST)) {
                Ok(received) => {
                    self.down = false;
                    room.filled(received.length);
                    let text = self.text_of(room.bytes(), received, count);
                    room.clear();
                    host.shared.stats.bytes_down.add(text.len());
                    self.reads.answer(Outcome::Bytes(text), host);
                }
                Err(Errno::AGAIN) => self.readable = false,
                Err(_) => self.down = true,
            }
        }
        host.pool.give(room);
        self.count_lost(host);
        if self.down && !self.readable {
            self.reads.refuse(&Refusal::IO, host);
        }
        if left == 0 { More::Again } else { More::Idle }
    }

    /// What a Tread of `count` bytes gets of a frame.
    fn text_of(&self, bytes: &[u8], received: link::Received, count: usize) -> Vec<u8> {
        let mut frame = Vec::with_capacity(bytes.len() + 4);
        whole(bytes, received.tag, &mut frame);
        let length = frame.len();
        if self.headers_only {
            frame = record(&frame, length, up()).to_vec();
        } else if self.wanted.kind == HEADERS {
            frame.truncate(RECORD);
        }
        frame.truncate(count);
        frame
    }

    fn count_lost(&mut self, host: &Host) {
        let (Some(socket), Some(interface)) = (&self.socket, interface(self.key, host)) else {
            return;
        };
        let lost = lost(socket.as_fd());
        let fresh = lost.saturating_sub(self.lost);
        self.lost = lost;
        interface.lost.fetch_add(fresh.into(), Ordering::Relaxed);
        host.shared.stats.dropped.add(fresh as usize);
    }
}

impl Conversation for Slot {
    fn read(&mut self, waiter: Waiter, count: u32) -> Option<Outcome> {
        if count == 0 {
            return Some(Outcome::Bytes(Vec::new()));
        }
        self.reads.park(waiter, count);
        None
    }

    fn has_input(&self) -> bool {
        self.readable || self.down
    }

    fn write(&mut self, _: Waiter, data: &[u8], host: &mut Host) -> Option<Outcome> {
        // A frame of 9P bounds the length.
        let count = u32::try_from(data.len()).unwrap_or(u32::MAX);
        Some(self.send(data, host).map_or_else(Outcome::Refused, |()| Outcome::Wrote(count)))
    }

    fn control(&mut self, _: Waiter, line: &[u8], host: &mut Host) -> Option<Outcome> {
        let count = u32::try_from(line.len()).unwrap_or(u32::MAX);
        Some(self.command(line, host).map_or_else(Outcome::Refused, |()| Outcome::Wrote(count)))
    }

    fn listen(&mut self, _: Waiter) -> Result<(), Refusal> {
        Err(Refusal::NOT_ANNOUNCED)
    }

    fn take_call(&mut self, _: &mut Host) -> Option<(Waiter, Result<Call, Refusal>)> {
        None
    }

    fn begin(&mut self, _: Key, _: &mut Host) -> Result<(), Refusal> {
        Ok(())
    }

    fn withdraw(&mut self, waiter: &Waiter, _: &mut Host) -> Option<Outcome> {
        self.reads.withdraw(waiter).then_some(Outcome::Withdrawn)
    }

    fn note(&mut self, event: Event) {
        self.readable |= event.readable || event.doubtful;
    }

    fn serve(&mut self, host: &mut Host) -> More {
        self.serve_reads(host)
    }

    fn text(&mut self, _: File, _: &mut Host) -> String {
        format!("{:>11} ", self.wanted.kind)
    }

    fn release(mut self: Box<Self>, host: &mut Host) {
        self.count_lost(host);
        self.reads.refuse(&Refusal::INTERRUPTED, host);
    }
}

/// The interface of a slot.
fn interface(key: Key, host: &Host) -> Option<&Interface> {
    host.shared.stack(key.branch.stack).ether(key.branch.protocol)
}

/// How long the machine has been up.
fn up() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::try_from(time).unwrap_or_default()
}

/// The type of all frames, of which the first bytes are read.
const HEADERS: i32 = -2;
