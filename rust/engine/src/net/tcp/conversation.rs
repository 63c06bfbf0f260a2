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

use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use netrelay_proto::error::Refusal;
use rustix::io::Errno;

use super::address::{Local, endpoint};
use super::calls::Calls;
use super::host::Host;
use super::inbound::{Inbound, More};
use super::operation::Outcome;
use super::outbound::Outbound;
use super::status::{self, TcpInfo};
use super::{tcp, tcp_info};
use crate::error::refusal;
use crate::log::Event as Note;
use crate::mailbox::Waiter;
use crate::tree::qid::File;

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
    /// What `bind` chose for a later connect.
    pub(super) bound: Option<Local>,
    /// Whether the connect said where from.
    pub(super) from: bool,
    /// Our end's address, once there is no socket to ask.
    pub(super) local: Option<SocketAddr>,
    pub(super) remote: Option<SocketAddr>,
    pub(super) keepalive: Duration,
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
            from: false,
            local: None,
            remote: None,
            keepalive: Duration::ZERO,
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

    /// A Tread of data; it waits for the next run.
    pub(crate) fn read(&mut self, waiter: Waiter, count: u32) -> Option<Outcome> {
        match self.state {
            State::Idle | State::Announced => Some(Outcome::Refused(Refusal::HUNGUP)),
            State::Connecting | State::Connected | State::Hungup if count == 0 => {
                Some(Outcome::Bytes(Vec::new()))
            }
            State::Connecting | State::Connected | State::Hungup => {
                self.inbound.park(waiter, count);
                None
            }
        }
    }

    /// Whether a run could answer a Tread.
    pub(crate) fn has_input(&self) -> bool {
        self.inbound.has_input() || self.state == State::Hungup
    }

    /// Whether that Twrite waits here.
    pub(crate) fn holds_write(&self, waiter: &Waiter) -> bool {
        self.outbound.holds(waiter)
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
            self.local = self.bound.map(tcp::chosen);
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
            self.inbound.note_readable(event.doubtful);
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

    /// The text of local, remote or status.
    pub(crate) fn text(&self, file: File) -> String {
        match file {
            File::Local => endpoint(self.socket().map_or(self.local, |socket| tcp::local(socket))),
            File::Remote => endpoint(self.remote),
            _ => self.status(),
        }
    }

    /// Resets the connection or stops taking calls (`hangup`). Readers get what has arrived.
    pub(super) fn hang_up(&mut self, host: &mut Host) {
        let connection = self.socket.as_ref().filter(|_| self.state == State::Connected);
        self.inbound.hang_up(connection.map(AsFd::as_fd));
        if let Some(socket) = self.drop_socket() {
            tcp::reset_on_close(socket.as_fd());
        }
        self.outbound.refuse(&Refusal::HUNGUP, host);
        self.become_hungup(host);
    }

    /// Ends both directions in order (`close`): FIN goes out behind what is written.
    pub(super) fn close(&mut self, host: &mut Host) {
        if self.state != State::Connected {
            return self.hang_up(host);
        }
        let connection = self.socket.as_ref().filter(|_| self.state == State::Connected);
        self.inbound.hang_up(connection.map(AsFd::as_fd));
        if let Some(socket) = self.drop_socket() {
            host.retire(socket, mem::take(&mut self.outbound));
        }
        self.become_hungup(host);
    }

    /// The last clunk; a connection goes on to be closed in the background.
    pub(crate) fn release(mut self, host: &mut Host) {
        let why = Refusal::INTERRUPTED;
        self.note_end(host);
        self.inbound.refuse(&why, host);
        self.calls.refuse(&why, host);
        for waiter in self.err_reads.drain(..) {
            host.finish(waiter, Outcome::Refused(why.clone()));
        }
        if let Some((waiter, _)) = self.connecting.take() {
            host.finish(waiter, Outcome::Refused(why.clone()));
        }
        match (self.state, self.socket.take()) {
            (State::Connected, Some(socket)) => host.retire(socket, self.outbound),
            _ => self.outbound.refuse(&Refusal::HUNGUP, host),
        }
    }

    /// The connection failed: Twrites are refused, readers get what arrived and then `why`.
    pub(super) fn fail(&mut self, why: Refusal, host: &mut Host) {
        let why = self.failure.get_or_insert(why).clone();
        self.note_end(host);
        self.state = State::Hungup;
        self.outbound.refuse(&why, host);
        self.serve_reads(host);
    }

    fn become_hungup(&mut self, host: &mut Host) {
        self.note_end(host);
        self.state = State::Hungup;
        if let Some((waiter, _)) = self.connecting.take() {
            host.finish(waiter, Outcome::Refused(Refusal::HUNGUP));
        }
        self.calls.refuse(&Refusal::LISTEN_HUNGUP, host);
        self.serve_reads(host);
    }

    /// Tells the log, if there was anything to end.
    fn note_end(&self, host: &Host) {
        if matches!(self.state, State::Connected | State::Announced) {
            host.record(self.number, Note::Hangup);
        }
    }

    /// Parts with the socket; our end's address is still told.
    fn drop_socket(&mut self) -> Option<OwnedFd> {
        let socket = self.socket.take()?;
        self.local = tcp::local(socket.as_fd());
        Some(socket)
    }

    fn status(&self) -> String {
        let info = self.connection().map(tcp_info::ask);
        let word = match self.state {
            State::Idle | State::Hungup => status::CLOSED,
            State::Connecting => status::SYN_SENT,
            State::Connected => info.as_ref().map_or(status::CLOSED, TcpInfo::word),
            State::Announced => status::LISTEN,
        };
        let keepalive = u32::try_from(self.keepalive.as_millis()).unwrap_or(u32::MAX);
        status::line(word, &info.unwrap_or_default(), keepalive)
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
            self.note_end(host);
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
                if let Some(remote) = self.remote {
                    host.record(self.number, Note::Connect(remote));
                }
                waiter.map(|(waiter, count)| (waiter, Outcome::Wrote(count)))
            }
            Err(error) => {
                let why = self.connect_refusal(error);
                self.drop_socket();
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
            Errno::ADDRNOTAVAIL if !self.from => Refusal::NO_PORTS,
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
    /// The peer's end, urgent bytes or an error were among it: a short receive then does not mean
    /// that nothing is left.
    pub(crate) doubtful: bool,
}
