//! What a protocol of packets does its own way, and what all of them know of a conversation.

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use netrelay_proto::error::Refusal;
use rustix::io::Errno;

use super::packet::{Packet, Received, Way, receive};
use super::sockets::lost;
use crate::mailbox::Waiter;
use crate::net::address::{Local, endpoint};
use crate::net::binding;
use crate::net::calls::Calls;
use crate::net::conversation::{Call, State};
use crate::net::ctl::{Command, Verbs};
use crate::net::host::Host;
use crate::net::info::unread;
use crate::net::tuning::Tuning;
use crate::tree::qid::Key;

/// A conversation of packets, as far as every protocol has it.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts, in any combination")]
pub(crate) struct Base {
    pub(crate) key: Key,
    pub(crate) state: State,
    pub(crate) socket: Option<OwnedFd>,
    /// Packets that are no longer the host's and belong to readers.
    pub(crate) arrived: VecDeque<Packet>,
    /// The last event said that a packet is there, and no receive has found otherwise.
    pub(crate) readable: bool,
    /// ICMP may have said something that was not looked at.
    pub(crate) suspect: bool,
    pub(crate) calls: Calls,
    /// What has ended it.
    pub(crate) failure: Option<Refusal>,
    /// Reads of the end that returned 0 bytes.
    pub(crate) zeros: u8,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) remote: Option<SocketAddr>,
    /// What `bind` chose for a later connect.
    pub(crate) bound: Option<Local>,
    pub(crate) tuning: Tuning,
    pub(crate) ignores_advice: bool,
    /// What the host has said so far of packets that it had no room for.
    pub(crate) lost: u32,
    /// When a packet was last read or written.
    pub(crate) used: Instant,
}

impl Base {
    pub(crate) fn new(key: Key) -> Self {
        Self {
            key,
            state: State::Idle,
            socket: None,
            arrived: VecDeque::new(),
            readable: false,
            suspect: false,
            calls: Calls::default(),
            failure: None,
            zeros: 0,
            local: None,
            remote: None,
            bound: None,
            tuning: Tuning::default(),
            ignores_advice: false,
            lost: 0,
            used: Instant::now(),
        }
    }

    pub(crate) fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// `lost` packets in all found no room at the socket.
    pub(crate) fn count_lost(&mut self, lost: u32, host: &Host) {
        if lost > self.lost {
            host.shared.stats.dropped.add((lost - self.lost) as usize);
            self.lost = lost;
        }
    }
}

/// What a packet is to a reader.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Given {
    /// It is not for this conversation.
    Nothing,
    /// Its data.
    Data,
    /// This, made of it.
    Text(Vec<u8>),
}

/// Who is called by a kind of connect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Whom {
    /// The verb is none.
    Nobody,
    /// One host.
    Host(IpAddr),
    /// Whoever there is.
    Anybody,
}

/// Why a socket was not made or a packet not sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Trouble {
    /// The host's word.
    Host(Errno),
    /// Ours.
    Ours(Refusal),
}

impl From<Errno> for Trouble {
    fn from(error: Errno) -> Self {
        Self::Host(error)
    }
}

impl From<Refusal> for Trouble {
    fn from(why: Refusal) -> Self {
        Self::Ours(why)
    }
}

/// What one protocol does its own way.
pub(crate) trait Rules: fmt::Debug + Default + Send + 'static {
    /// The verbs of ctl that only it has.
    type Verb: Verbs;

    /// Whether a command that parses makes sense.
    ///
    /// # Errors
    /// What it is refused with.
    fn check(&self, command: &Command<Self::Verb>, base: &Base) -> Result<(), Refusal> {
        let _ = (command, base);
        Ok(())
    }

    /// Whether the operator lets it connect and announce.
    ///
    /// # Errors
    /// `permission denied`.
    fn permit(&self, host: &Host) -> Result<(), Refusal> {
        let _ = host;
        Ok(())
    }

    /// Whom a verb of its own calls, if it is a kind of connect.
    fn calls(verb: &Self::Verb) -> Whom {
        let _ = verb;
        Whom::Nobody
    }

    /// A socket for what such a verb asks for.
    ///
    /// # Errors
    /// As [`Self::dial`].
    fn call(&mut self, verb: Self::Verb, base: &Base, host: &Host) -> Result<OwnedFd, Trouble> {
        let _ = (verb, base, host);
        Err(Refusal::UNKNOWN_CONTROL.into())
    }

    /// A socket for packets to and from `remote`.
    ///
    /// # Errors
    /// The host refuses, or what ctl asked for before can't be had with it.
    fn dial(
        &mut self,
        remote: SocketAddr,
        local: Option<Local>,
        base: &Base,
        host: &Host,
    ) -> Result<OwnedFd, Trouble>;

    /// A socket for packets to `local`.
    ///
    /// # Errors
    /// As [`Self::dial`].
    fn announce(&mut self, local: Local, base: &Base, host: &Host) -> Result<OwnedFd, Trouble>;

    /// Checks that `local` may be bound, without taking it; the end that it is in this stack.
    ///
    /// # Errors
    /// The host refuses.
    fn probe(&self, local: Local, base: &Base, host: &Host) -> Result<Local, Errno>;

    /// The local end of a socket that it made.
    fn name(&self, socket: BorrowedFd<'_>) -> Option<SocketAddr> {
        binding::local(socket)
    }

    /// Whether a packet that ICMP quotes behind its IP header, and its destination, was of this
    /// conversation.
    fn sent(&self, quoted: &[u8], to: Option<IpAddr>) -> bool {
        let _ = (quoted, to);
        true
    }

    /// The text of local.
    fn local(&self, base: &Base) -> String {
        endpoint(base.local)
    }

    /// The text of remote.
    fn remote(&self, base: &Base) -> String {
        endpoint(base.remote)
    }

    /// The text of status; a conversation that is not open, or not even in use, has empty queues.
    fn status(&self, open: bool, queues: &str, base: &Base, host: &Host) -> String {
        let _ = (base, host);
        format!("{} {queues}\n", if open { "Open" } else { "Closed" })
    }

    /// The next packet that the host has.
    ///
    /// # Errors
    /// As [`receive`].
    fn receive(&self, socket: BorrowedFd<'_>, room: &mut [u8]) -> Result<Received, Errno> {
        receive(socket, room)
    }

    /// How many packets there was no room for.
    fn lost(&self, socket: BorrowedFd<'_>) -> u32 {
        lost(socket)
    }

    /// Bytes that a Tread would get of the next packet that the host has.
    fn unread(&self, socket: BorrowedFd<'_>, base: &Base, host: &mut Host) -> usize {
        let _ = (base, host);
        unread(socket) as usize
    }

    /// Carries out a command of its own.
    ///
    /// # Errors
    /// The texts of docs/tree.md.
    fn command(&mut self, verb: Self::Verb, base: &mut Base, host: &Host) -> Result<(), Refusal>;

    /// Whether packets come through data in that state.
    fn carries(&self, state: State) -> bool;

    /// Whether packets are written to data in that state.
    fn sends(&self, state: State) -> bool {
        self.carries(state)
    }

    /// Whether nothing will ever come in that state, though the conversation is not over.
    fn deaf(&self, state: State) -> bool {
        let _ = state;
        false
    }

    /// What a packet is to a reader.
    fn text(&self, way: &Way, data: &[u8], base: &Base, host: &Host) -> Given;

    /// Sends what was written; false if it is no packet and is dropped.
    ///
    /// # Errors
    /// The host or the guard refuses.
    fn send(&self, data: &[u8], base: &Base, host: &Host) -> Result<bool, Trouble>;

    /// Sends what was written, of one size each, with one call to the host.
    ///
    /// # Errors
    /// `OPNOTSUPP`: they have to be sent one by one. Anything else is the host's, and nothing was
    /// sent.
    fn send_run(&mut self, data: &[&[u8]], base: &Base) -> Result<(), Errno> {
        let _ = (data, base);
        Err(Errno::OPNOTSUPP)
    }

    /// Takes the first packet that was handed over by another conversation.
    fn handed(&mut self) -> Option<Packet> {
        None
    }

    /// Bytes of the first packet that is ahead of those that the host has and not in
    /// [`Base::arrived`].
    fn ahead(&self) -> Option<usize> {
        None
    }

    /// As [`crate::net::conversation::Conversation::take_call`].
    fn take_call(
        &mut self,
        base: &mut Base,
        host: &mut Host,
    ) -> Option<(Waiter, Result<Call, Refusal>)> {
        let _ = (base, host);
        None
    }

    /// This is the conversation of a call, which has a number now.
    fn called(&mut self, base: &mut Base, host: &mut Host) {
        let _ = (base, host);
    }

    /// This is the conversation of a call that there is no number for.
    fn turned_away(&mut self, base: &Base, host: &mut Host) {
        let _ = (base, host);
    }

    /// The timer of the conversation has run out; whether it has to end.
    fn expired(&mut self, base: &Base, host: &mut Host) -> bool {
        let _ = (base, host);
        false
    }

    /// The socket is about to be closed.
    fn closing(&mut self) {}
}
