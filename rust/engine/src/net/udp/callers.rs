//! Who calls an announced conversation: datagrams sorted by their two ends (docs/tree.md, 10).
//!
//! A caller, once it has a conversation, has a socket of its own, which the host prefers. What the
//! announced socket had of it by then is handed over. Datagrams of callers without a conversation
//! are few at a time, as what is not yet wanted stays with the host.
//!
//! The announced conversation and its callers' share this; all are of one worker, so that the lock
//! is never waited for.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use crate::net::host::Host;
use crate::net::packets::packet::{LARGEST, Packet, Way, receive};
use crate::tree::qid::Key;
use crate::work::Work;

/// Datagrams that wait outside the host: for a listen, and for the Treads of one caller.
pub(crate) const HANDED: usize = 64;

/// What tells one caller from another.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Ends {
    remote: SocketAddr,
    local: Option<IpAddr>,
    /// Link-local addresses are those of an interface; 0 for others.
    interface: u32,
}

impl Ends {
    pub(crate) fn of(way: &Way) -> Self {
        let near = match way.remote.ip() {
            IpAddr::V4(four) => four.is_link_local(),
            IpAddr::V6(six) => six.is_unicast_link_local(),
        };
        let interface = if near { way.interface } else { 0 };
        Self { remote: way.remote, local: way.local, interface }
    }
}

/// The callers of one announced conversation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Callers {
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    /// In order of arrival.
    waiting: VecDeque<Packet>,
    calls: HashMap<Ends, Call>,
}

/// The conversation of a caller, and what was handed over to it.
#[derive(Debug)]
struct Call {
    key: Key,
    handed: VecDeque<Packet>,
}

impl Callers {
    /// Looks through what a socket has, as far as there is room for it; whether that is all.
    pub(crate) fn take(&self, socket: BorrowedFd<'_>, host: &mut Host) -> bool {
        let mut room = host.pool.take(LARGEST);
        let mut all = false;
        let left = HANDED - self.table().waiting.len();
        for _ in 0..left {
            match receive(socket, room.room(LARGEST)) {
                Ok(received) => {
                    room.filled(received.length);
                    let data = room.bytes().into();
                    room.clear();
                    self.offer(Packet { way: received.way, data }, host);
                }
                Err(error) => {
                    all = error == Errno::AGAIN;
                    break;
                }
            }
        }
        host.pool.give(room);
        all
    }

    /// Sorts one datagram.
    pub(crate) fn offer(&self, packet: Packet, host: &mut Host) {
        let table = &mut *self.table();
        let taken = match table.calls.get_mut(&Ends::of(&packet.way)) {
            // Of the others the caller's socket gets a copy.
            Some(_) if packet.way.to_many() => true,
            Some(call) => {
                host.ready.push_back(Work::Conversation(call.key));
                push(&mut call.handed, packet)
            }
            // Port 0 is nobody's, and can't be answered.
            None if packet.way.remote.port() == 0 => false,
            None => push(&mut table.waiting, packet),
        };
        if !taken {
            host.shared.stats.dropped.add(1);
        }
    }

    /// The caller that waits first.
    pub(crate) fn first(&self) -> Option<Way> {
        self.table().waiting.front().map(|packet| packet.way)
    }

    /// Bytes of the datagram that waits first.
    pub(crate) fn ahead(&self) -> Option<usize> {
        self.table().waiting.front().map(|packet| packet.data.len())
    }

    /// The datagram that waits first can't be answered.
    pub(crate) fn drop_first(&self, host: &Host) {
        self.table().waiting.pop_front();
        host.shared.stats.dropped.add(1);
    }

    /// The caller gets a conversation, and what waits of its datagrams.
    pub(crate) fn claim(&self, ends: Ends, key: Key) {
        let table = &mut *self.table();
        let mine = |packet: &Packet| Ends::of(&packet.way) == ends;
        let (handed, waiting) = table.waiting.drain(..).partition(mine);
        table.waiting = waiting;
        table.calls.insert(ends, Call { key, handed });
    }

    /// Hands a datagram over to a caller's conversation; whether there was room for it.
    pub(crate) fn hand(&self, ends: Ends, packet: Packet, host: &Host) {
        if let Some(call) = self.table().calls.get_mut(&ends)
            && !push(&mut call.handed, packet)
        {
            host.shared.stats.dropped.add(1);
        }
    }

    /// The first datagram that was handed over to a caller's conversation.
    pub(crate) fn handed(&self, ends: Ends) -> Option<Packet> {
        self.table().calls.get_mut(&ends)?.handed.pop_front()
    }

    /// Bytes of that.
    pub(crate) fn ahead_of(&self, ends: Ends) -> Option<usize> {
        self.table().calls.get(&ends)?.handed.front().map(|packet| packet.data.len())
    }

    /// What waits for a listen will not be listened for.
    pub(crate) fn take_waiting(&self) -> VecDeque<Packet> {
        std::mem::take(&mut self.table().waiting)
    }

    /// The caller's conversation is over: what it sends now is a call again.
    pub(crate) fn forget(&self, ends: Ends) {
        self.table().calls.remove(&ends);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // No call in a locked section panics but for want of memory, which aborts.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Appends as far as there is room.
fn push(queue: &mut VecDeque<Packet>, packet: Packet) -> bool {
    let room = queue.len() < HANDED;
    if room {
        queue.push_back(packet);
    }
    room
}
