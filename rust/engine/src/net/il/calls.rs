//! Who calls an announced port: packets that no conversation's socket gets (docs/il.md, 2 and 10).
//!
//! Calls wait here, the last packet of each, until a listen takes them; the caller repeats itself.
//! What belongs to nothing is refused, so that whoever was forgotten here learns it at once.
//!
//! The announced conversation and its calls' share the table of who is known; all are of one worker,
//! so that the lock is never waited for.

use std::collections::{HashSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use netrelay_proto::il::{Packet, kind, refuse};
use rustix::io::Errno;

use super::end::End;
use super::ports::Port;
use super::sockets::{self, Datagram, Ends, LARGEST};
use crate::error::is_shortage;
use crate::net::conversation::Event;
use crate::net::host::Host;
use crate::net::sockets::Sockets;
use crate::tree::qid::StackId;

/// Calls that wait; more are not noticed.
const BACKLOG: usize = 64;

/// Packets that are looked at before others have their turn.
const TURN: usize = 64;

/// Who has a conversation.
type Known = Arc<Mutex<HashSet<Ends>>>;

/// The calls to one port.
#[derive(Debug)]
pub(super) struct Callers {
    pub(super) port: Port,
    socket: OwnedFd,
    readable: bool,
    waiting: VecDeque<(Ends, Box<[u8]>)>,
    known: Known,
}

/// That a caller has a conversation, for as long as it has.
#[derive(Debug)]
pub(super) struct Knowing {
    ends: Ends,
    known: Known,
}

impl Knowing {
    fn new(ends: Ends, known: &Known) -> Self {
        known.lock().unwrap_or_else(PoisonError::into_inner).insert(ends);
        Self { ends, known: Arc::clone(known) }
    }
}

impl Drop for Knowing {
    fn drop(&mut self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.ends);
    }
}

impl Callers {
    /// Those of `port`, at one address or at all.
    ///
    /// # Errors
    /// The host refuses.
    pub(super) fn new(from: &Sockets, local: Option<Ipv4Addr>, port: Port) -> Result<Self, Errno> {
        let socket = sockets::announced(from, local, port.number)?;
        let (waiting, known) = (VecDeque::new(), Known::default());
        Ok(Self { port, socket, readable: true, waiting, known })
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// What the loop has seen at the socket.
    pub(super) fn note(&mut self, event: Event) {
        self.readable |= event.readable;
    }

    /// Looks through what has come; whether there is more.
    pub(super) fn look(&mut self, stack: StackId, host: &mut Host) -> bool {
        if !self.readable {
            return false;
        }
        let mut room = host.pool.take(LARGEST);
        let from = &host.shared.stack(stack).sockets;
        for _ in 0..TURN {
            match sockets::receive(self.socket.as_fd(), room.room(LARGEST)) {
                Ok(Some(datagram)) => self.sort(&datagram, from),
                Err(Errno::AGAIN) => {
                    self.readable = false;
                    break;
                }
                Ok(None) | Err(_) => {}
            }
        }
        host.pool.give(room);
        self.readable
    }

    /// The call that waits first, answered; nothing if none waits that can be answered.
    ///
    /// # Errors
    /// This host has run out of something.
    pub(super) fn take(
        &mut self,
        stack: StackId,
        from: &Sockets,
    ) -> Result<Option<(Ends, End)>, Errno> {
        while let Some((ends, sync)) = self.waiting.front() {
            let port = self.port.clone();
            let end = sockets::connected(from, Some(ends.local), port.number, ends.remote)
                .and_then(|socket| End::answer(socket, port, sync, stack));
            let ends = *ends;
            match end {
                Err(error) if is_shortage(error) => return Err(error),
                end => {
                    self.waiting.pop_front();
                    let Ok(end) = end else { continue };
                    return Ok(Some((ends, end.known(Knowing::new(ends, &self.known)))));
                }
            }
        }
        Ok(None)
    }

    fn sort(&mut self, datagram: &Datagram<'_>, from: &Sockets) {
        let Ok(packet) = Packet::decode(datagram.packet) else { return };
        if packet.dst != self.port.number {
            if Port::is_held(from, packet.dst) == Ok(false) {
                self.refuse(datagram, &packet);
            }
            return;
        }
        let remote = SocketAddrV4::new(datagram.source, packet.src);
        let ends = Ends { remote, local: datagram.destination };
        if self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(&ends) {
            return;
        }
        if packet.kind != kind::SYNC || packet.ack != 0 {
            return self.refuse(datagram, &packet);
        }
        let sync = datagram.packet.into();
        let room = self.waiting.len() < BACKLOG;
        match self.waiting.iter_mut().find(|(waiting, _)| *waiting == ends) {
            Some((_, last)) => *last = sync,
            None if room => self.waiting.push_back((ends, sync)),
            None => {}
        }
    }

    fn refuse(&self, datagram: &Datagram<'_>, packet: &Packet<'_>) {
        if let Some(close) = refuse(packet) {
            sockets::answer(self.socket(), datagram, &close);
        }
    }
}
