//! What every conversation is, whatever its protocol (ip(3); docs/tree.md, section 5).
//!
//! A conversation is driven from two sides. Requests come from sessions and are answered at once or
//! leave their answer in [`Host::done`] later; events come from the loop and only set flags, and
//! [`Conversation::serve`] then does for a bounded time what the flags allow. All readiness is
//! edge-triggered: a flag stays until a call to the host finds otherwise.
//!
//! A conversation lives from the clone (or the call) that took its number until the last clunk of
//! ctl, data and err; the registry counts those. Who may do what was checked before a request comes
//! here. Each protocol has a type of its own; [`make`] is the table.

use std::fmt;
use std::os::fd::BorrowedFd;

use netrelay_proto::error::Refusal;

use super::esp::Esp;
use super::ether::Slot;
use super::gre::Gre;
use super::host::Host;
use super::icmp::Icmp;
use super::il::IlConversation;
use super::ipmux::Ipmux;
use super::operation::Outcome;
use super::packets::PacketConversation;
use super::tcp::{Spliced, TcpConversation};
use super::udp::Udp;
use crate::mailbox::Waiter;
use crate::tree::protocol::Protocol;
use crate::tree::qid::{File, Key};

/// A numbered directory of a protocol, in use.
pub(crate) trait Conversation: fmt::Debug + Send {
    /// A Tread of data; none if it waits for the next run.
    fn read(&mut self, waiter: Waiter, count: u32) -> Option<Outcome>;

    /// A Tread of data that is not to wait for the network; none if its answer is on its way. Only a
    /// stream is asked.
    fn read_now(&mut self, waiter: Waiter, count: u32, host: &mut Host) -> Option<Outcome> {
        let _ = (waiter, count, host);
        Some(Outcome::Nothing)
    }

    /// Whether a run could answer a Tread.
    fn has_input(&self) -> bool;

    /// A Twrite of data, whole; none if it waits.
    fn write(&mut self, waiter: Waiter, data: &[u8], host: &mut Host) -> Option<Outcome>;

    /// Twrites of data of one size each, with one call to the host; false if it can't be, and then
    /// nothing was written.
    fn write_run(&mut self, data: &[&[u8]], host: &mut Host) -> bool {
        let _ = (data, host);
        false
    }

    /// A Twrite of data of which only the head has arrived; its bytes come by [`Self::feed`]. Only
    /// a stream's can be begun.
    ///
    /// # Errors
    /// It is refused; the bytes are still on their way.
    fn begin_write(&mut self, waiter: Waiter, count: usize) -> Result<(), Refusal> {
        let _ = (waiter, count);
        Err(Refusal::HUNGUP)
    }

    /// Whether that Twrite waits here.
    fn holds_write(&self, waiter: &Waiter) -> bool {
        let _ = waiter;
        false
    }

    /// The next bytes of a Twrite that was begun.
    fn feed(&mut self, waiter: &Waiter, bytes: &[u8], host: &mut Host) {
        let _ = (waiter, bytes, host);
    }

    /// Takes bytes of a Twrite that was begun from the session's own socket, at most so many.
    fn splice(
        &mut self,
        waiter: &Waiter,
        from: (BorrowedFd<'_>, usize),
        host: &mut Host,
    ) -> Spliced {
        let _ = (waiter, from, host);
        Spliced::Unable
    }

    /// A Twrite of ctl, one command; none while a connect waits.
    fn control(&mut self, waiter: Waiter, line: &[u8], host: &mut Host) -> Option<Outcome>;

    /// A Topen of listen, which waits for a call.
    ///
    /// # Errors
    /// `not announced`.
    fn listen(&mut self, waiter: Waiter) -> Result<(), Refusal>;

    /// A call, for a listen that waits, or why that listen gets none.
    fn take_call(&mut self, host: &mut Host) -> Option<(Waiter, Result<Call, Refusal>)>;

    /// This is the conversation of a call, and `key` its number; what it was made from is watched
    /// from now on.
    ///
    /// # Errors
    /// The host has no room for it.
    fn begin(&mut self, key: Key, host: &mut Host) -> Result<(), Refusal>;

    /// This is the conversation of a call that there is no number for: the caller is told, if the
    /// protocol can.
    fn turn_away(&mut self, host: &mut Host) {
        let _ = host;
    }

    /// Takes `waiter`'s request back: what is left to say of it, or nothing if it is not here.
    fn withdraw(&mut self, waiter: &Waiter, host: &mut Host) -> Option<Outcome>;

    /// What the loop has seen at the socket.
    fn note(&mut self, event: Event);

    /// Does what the flags allow, for a bounded time. Calls are taken by [`super::Net`], as each
    /// makes another conversation.
    fn serve(&mut self, host: &mut Host) -> More;

    /// A timer of this number has run out, be it of the conversation that had it before.
    fn expire(&mut self, host: &mut Host) {
        let _ = host;
    }

    /// The text of local, remote or status.
    fn text(&mut self, file: File, host: &mut Host) -> String;

    /// The last clunk. What remains of a connection is closed in the background, under no number.
    fn release(self: Box<Self>, host: &mut Host);
}

/// The conversation of a call, which has no number yet.
pub(crate) type Call = Box<dyn Conversation>;

/// A conversation as clone leaves it; none of a protocol whose directories are the host's.
pub(crate) fn make(key: Key) -> Option<Box<dyn Conversation>> {
    match key.branch.protocol {
        Protocol::Tcp => Some(Box::new(TcpConversation::new(key))),
        Protocol::Udp => Some(Box::new(PacketConversation::<Udp>::new(key))),
        Protocol::Icmp | Protocol::Icmpv6 => Some(Box::new(PacketConversation::<Icmp>::new(key))),
        Protocol::Gre => Some(Box::new(PacketConversation::<Gre>::new(key))),
        Protocol::Ipmux => Some(Box::new(PacketConversation::<Ipmux>::new(key))),
        Protocol::Esp => Some(Box::new(PacketConversation::<Esp>::new(key))),
        Protocol::Il => Some(Box::new(IlConversation::new(key))),
        Protocol::Ether(_) => Some(Box::new(Slot::new(key))),
        Protocol::Ipifc => None,
    }
}

/// Where a conversation stands (`docs/tree.md` 5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    /// As clone left it.
    Idle,
    /// A connect waits for the network.
    Connecting,
    /// A connection is up.
    Connected,
    /// It takes calls.
    Announced,
    /// It is over.
    Hungup,
}

/// Whether there is more to do in a later turn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum More {
    /// Nothing until something happens.
    Idle,
    /// Run again after the others.
    Again,
}

/// What the loop saw at a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// Bytes, a call, the peer's end or an error.
    pub(crate) readable: bool,
    /// Room for bytes, the end of a connect or an error.
    pub(crate) writable: bool,
    /// The peer's end, urgent bytes or an error were among it: a short receive then does not mean
    /// that nothing is left.
    pub(crate) doubtful: bool,
}
