//! One conversation: its state, its socket, and what waits at it.
//!
//! A conversation is driven from two sides. Requests come from sessions and are answered at once or
//! leave their answer in [`Host::done`] later; events come from the loop and only set flags, and
//! [`Conversation::serve`] then does for a bounded time what the flags allow. All readiness is
//! edge-triggered: a flag stays until a call to the host finds otherwise.
//!
//! A conversation lives from the clone (or the call) that took its number until the last clunk of
//! ctl, data and err; the registry counts those. What remains of the connection then is closed in
//! the background, under no number. Who may do what was checked before a request comes here.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use netrelay_proto::error::Refusal;
use rustix::io::Errno;

use super::calls::Calls;
use super::closing::Closing;
use super::host::Host;
use super::inbound::{Inbound, More};
use super::operation::Outcome;
use super::outbound::Outbound;
use super::tcp;
use crate::error::refusal;
use crate::mailbox::Waiter;

/// A numbered directory of `/net/tcp` in use.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub(super) number: u32,
    pub(super) state: State,
    /// The connection, or the listener of an announced conversation.
    pub(super) socket: Option<OwnedFd>,
    pub(super) inbound: Inbound,
    pub(super) outbound: Outbound,
    pub(super) calls: Calls,
    /// The connect that waits for its outcome, and the count of its Twrite.
    pub(super) connecting: Option<(Waiter, u32)>,
    /// What the connection failed with.
    pub(super) failure: Option<Refusal>,
    /// Where `bind` or a connect put the local end, `announce` the calls.
    pub(super) bound: Option<SocketAddr>,
    pub(super) remote: Option<SocketAddr>,
    pub(super) tuning: tcp::Tuning,
    /// Reads of err, which only a flush ends.
    err_reads: Vec<Waiter>,
    /// It is in the ready queue.
    pub(super) queued: bool,
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

impl Conversation {
    /// One that a clone took.
    pub(crate) fn new(number: u32) -> Self {
        Self {
            number,
            state: State::Idle,
            socket: None,
            inbound: Inbound::default(),
            outbound: Outbound::default(),
            calls: Calls::default(),
            connecting: None,
            failure: None,
            bound: None,
            remote: None,
            tuning: tcp::Tuning::default(),
            err_reads: Vec::new(),
            queued: false,
        }
    }

    /// One that a call made; the socket is watched for it already.
    pub(crate) fn called(number: u32, socket: OwnedFd) -> Self {
        let mut conversation = Self::new(number);
        conversation.state = State::Connected;
        conversation.remote = tcp::remote(socket.as_fd());
        conversation.socket = Some(socket);
        conversation.outbound.note_writable();
        conversation
    }

    pub(crate) fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// A Tread of data.
    pub(crate) fn read(&mut self, waiter: Waiter, count: u32, host: &mut Host) -> Option<Outcome> {
        match self.state {
            State::Idle | State::Announced => Some(Outcome::Refused(Refusal::HUNGUP)),
            State::Connected | State::Connecting | State::Hungup if count == 0 => {
                Some(Outcome::Bytes(Vec::new()))
            }
            State::Connecting => {
                self.inbound.park(waiter, count);
                None
            }
            State::Connected | State::Hungup => {
                self.inbound.park(waiter, count);
                self.serve_reads(host);
                None
            }
        }
    }

    /// A Tread of err: nothing is ever there to read.
    pub(crate) fn read_err(&mut self, waiter: Waiter) {
        self.err_reads.push(waiter);
    }

    /// A Twrite of data, whole.
    pub(crate) fn write(
        &mut self,
        waiter: Waiter,
        data: &[u8],
        host: &mut Host,
    ) -> Option<Outcome> {
        if let Err(why) = self.writable() {
            return Some(Outcome::Refused(why));
        }
        if data.is_empty() {
            return Some(Outcome::Wrote(0));
        }
        let socket = self.socket.as_ref().map(AsFd::as_fd);
        match self.outbound.write(socket, waiter, data, host) {
            Ok(outcome) => outcome,
            Err(error) => {
                self.fail(refusal(error), host);
                Some(Outcome::Refused(refusal(error)))
            }
        }
    }

    /// A Twrite of data of which only the head has arrived; its bytes come by [`Self::feed`].
    pub(crate) fn begin_write(&mut self, waiter: Waiter, count: usize) -> Result<(), Refusal> {
        self.writable()?;
        self.outbound.begin(waiter, count);
        Ok(())
    }

    /// The next bytes of a Twrite that was begun.
    pub(crate) fn feed(&mut self, waiter: &Waiter, bytes: &[u8], host: &mut Host) {
        let socket = self.socket.as_ref().map(AsFd::as_fd);
        if let Err(error) = self.outbound.feed(socket, waiter, bytes, host) {
            self.fail(refusal(error), host);
        }
    }

    /// A Topen of listen.
    pub(crate) fn listen(&mut self, waiter: Waiter) -> Result<(), Refusal> {
        if self.state != State::Announced {
            return Err(Refusal::NOT_ANNOUNCED);
        }
        self.calls.park(waiter);
        Ok(())
    }

    /// Takes `waiter`'s request back: what is left to say of it, or nothing if it is not here.
    pub(crate) fn withdraw(&mut self, waiter: &Waiter, host: &mut Host) -> Option<Outcome> {
        if self.connecting.is_some_and(|(connecting, _)| connecting == *waiter) {
            // The attempt is given up, so the conversation is as it was before.
            self.connecting = None;
            self.socket = None;
            self.remote = None;
            self.state = State::Idle;
            self.inbound.refuse(&Refusal::HUNGUP, host);
            self.outbound.refuse(&Refusal::HUNGUP, host);
            return Some(Outcome::Withdrawn);
        }
        let errs = self.err_reads.len();
        self.err_reads.retain(|parked| parked != waiter);
        if errs != self.err_reads.len()
            || self.inbound.withdraw(waiter)
            || self.calls.withdraw(waiter)
        {
            return Some(Outcome::Withdrawn);
        }
        self.outbound.withdraw(waiter, host)
    }

    /// What the loop has seen at the socket.
    pub(crate) fn note(&mut self, event: Event) {
        if event.readable {
            self.inbound.note_readable(event.closing);
            self.calls.note_ready();
        }
        if event.writable && self.state != State::Connecting {
            self.outbound.note_writable();
        }
    }

    /// Does what the flags allow, for a bounded time. Calls are taken by the table, as each makes
    /// another conversation.
    pub(crate) fn serve(&mut self, host: &mut Host) -> More {
        if self.state == State::Connecting {
            self.settle_connect(host);
        }
        if self.state == State::Connected
            && let Some(socket) = self.socket.as_ref().map(AsFd::as_fd)
            && let Err(error) = self.outbound.serve(socket, host)
        {
            self.fail(refusal(error), host);
        }
        match self.state {
            State::Connected | State::Hungup => self.serve_reads(host),
            State::Idle | State::Connecting | State::Announced => More::Idle,
        }
    }

    /// Resets the connection or stops taking calls (`hangup`). Readers get what has arrived.
    pub(super) fn hang_up(&mut self, host: &mut Host) {
        self.inbound.hang_up(self.connection());
        if let Some(socket) = self.socket.take() {
            tcp::reset_on_close(socket.as_fd());
        }
        self.outbound.refuse(&Refusal::HUNGUP, host);
        self.become_hungup(host);
    }

    /// Ends both directions in order (`close`): FIN goes out behind what is written.
    pub(super) fn close(&mut self, host: &mut Host) -> Option<Closing> {
        if self.state != State::Connected {
            self.hang_up(host);
            return None;
        }
        self.inbound.hang_up(self.connection());
        let closing = self.socket.take().map(|socket| {
            Closing::new(socket, std::mem::take(&mut self.outbound), host)
        });
        self.become_hungup(host);
        closing
    }

    /// The last clunk: what is left of the connection, to be closed in the background.
    pub(crate) fn release(mut self, host: &mut Host) -> Option<Closing> {
        let why = Refusal::INTERRUPTED;
        self.inbound.refuse(&why, host);
        self.calls.refuse(&why, host);
        for waiter in self.err_reads.drain(..) {
            host.finish(waiter, Outcome::Refused(why.clone()));
        }
        if let Some((waiter, _)) = self.connecting.take() {
            host.finish(waiter, Outcome::Refused(why.clone()));
        }
        match (self.state, self.socket.take()) {
            (State::Connected, Some(socket)) => Some(Closing::new(socket, self.outbound, host)),
            _ => {
                self.outbound.refuse(&Refusal::HUNGUP, host);
                None
            }
        }
    }

    /// The connection failed: Twrites are refused, readers get what arrived and then `why`.
    pub(super) fn fail(&mut self, why: Refusal, host: &mut Host) {
        let why = self.failure.get_or_insert(why).clone();
        self.state = State::Hungup;
        self.outbound.refuse(&why, host);
        self.serve_reads(host);
    }

    fn become_hungup(&mut self, host: &mut Host) {
        self.state = State::Hungup;
        if let Some((waiter, _)) = self.connecting.take() {
            host.finish(waiter, Outcome::Refused(Refusal::HUNGUP));
        }
        self.calls.refuse(&Refusal::LISTEN_HUNGUP, host);
        self.serve_reads(host);
    }

    /// The socket, if it is a connection's.
    fn connection(&self) -> Option<BorrowedFd<'_>> {
        self.socket().filter(|_| self.state == State::Connected)
    }

    /// Whether a Twrite of data may be made now.
    fn writable(&self) -> Result<(), Refusal> {
        match (self.state, &self.failure) {
            (State::Connected, _) if self.outbound.finishing() => Err(Refusal::HUNGUP),
            (State::Connecting | State::Connected, _) => Ok(()),
            (State::Hungup, Some(why)) => Err(why.clone()),
            (State::Idle | State::Announced | State::Hungup, _) => Err(Refusal::HUNGUP),
        }
    }

    fn serve_reads(&mut self, host: &mut Host) -> More {
        let socket = self.socket.as_ref().map(AsFd::as_fd);
        let more = self.inbound.serve(self.number, socket, self.failure.as_ref(), host);
        if self.failure.is_none()
            && let Some(why) = self.inbound.failure().cloned()
        {
            self.state = State::Hungup;
            self.outbound.refuse(&why, host);
            self.failure = Some(why);
        }
        more
    }

    fn settle_connect(&mut self, host: &mut Host) {
        let Some(result) = self.socket().and_then(tcp::dialled) else { return };
        let waiter = self.connecting.take();
        let outcome = match result {
            Ok(()) => {
                self.state = State::Connected;
                self.outbound.note_writable();
                waiter.map(|(waiter, count)| (waiter, Outcome::Wrote(count)))
            }
            Err(error) => {
                let why = self.connect_refusal(error);
                self.socket = None;
                self.inbound.fail(why.clone());
                waiter.map(|(waiter, _)| {
                    let outcome = Outcome::Refused(why.clone());
                    self.fail(why, host);
                    (waiter, outcome)
                })
            }
        };
        if let Some((waiter, outcome)) = outcome {
            host.finish(waiter, outcome);
        }
    }

    /// What a failed connect is told; the host's one errno for "no port" has two meanings.
    pub(super) fn connect_refusal(&self, error: Errno) -> Refusal {
        match error {
            Errno::ADDRNOTAVAIL if self.bound.is_none() => Refusal::NO_PORTS,
            error => refusal(error),
        }
    }
}

/// What the loop saw at a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// Bytes, a call, the peer's end or an error.
    pub(crate) readable: bool,
    /// Room for bytes, the end of a connect or an error.
    pub(crate) writable: bool,
    /// The peer's end or an error was among it.
    pub(crate) closing: bool,
}
