//! One TCP conversation: its state, its socket, and what waits at it.
//!
//! The order of everything that happens here is in [`super::super::conversation`]; what remains of a
//! connection at its release is closed in the background, under no number.

use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use netrelay_proto::error::Refusal;
use rustix::io::Errno;

use super::closing::Closing;
use super::inbound::Inbound;
use super::outbound::{Outbound, Spliced};
use super::status::{self, TcpInfo};
use super::{info, sockets};
use crate::error::refusal;
use crate::log::Event as Note;
use crate::mailbox::Waiter;
use crate::net::address::{Local, endpoint};
use crate::net::binding;
use crate::net::calls::Calls;
use crate::net::conversation::{Call, Conversation, Event, More, State};
use crate::net::host::Host;
use crate::net::operation::Outcome;
use crate::net::tuning::Tuning;
use crate::tree::qid::{File, Key};
use crate::work::Source;

/// A numbered directory of `/net/tcp` in use.
#[derive(Debug)]
pub(crate) struct TcpConversation {
    pub(super) key: Key,
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
    pub(super) tuning: Tuning,
}

impl Conversation for TcpConversation {
    fn read(&mut self, waiter: Waiter, count: u32) -> Option<Outcome> {
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

    fn read_now(&mut self, waiter: Waiter, count: u32, host: &mut Host) -> Option<Outcome> {
        let refused = self.read(waiter, count);
        if refused.is_some() {
            return refused;
        }
        if let State::Connected | State::Hungup = self.state {
            // The socket is asked, whatever events have said.
            self.inbound.note_readable(false);
            self.serve_reads(host);
        }
        self.inbound.withdraw(&waiter).then_some(Outcome::Nothing)
    }

    fn has_input(&self) -> bool {
        self.inbound.has_input() || self.state == State::Hungup
    }

    fn holds_write(&self, waiter: &Waiter) -> bool {
        self.outbound.holds(waiter)
    }

    fn write(&mut self, waiter: Waiter, data: &[u8], host: &mut Host) -> Option<Outcome> {
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

    fn begin_write(&mut self, waiter: Waiter, count: usize) -> Result<(), Refusal> {
        self.writable()?;
        self.outbound.begin(waiter, count);
        Ok(())
    }

    fn splice(
        &mut self,
        waiter: &Waiter,
        from: (BorrowedFd<'_>, usize),
        host: &mut Host,
    ) -> Spliced {
        let socket = self.socket.as_ref().map(AsFd::as_fd);
        match self.outbound.splice(socket, waiter, from, host) {
            Ok(spliced) => spliced,
            Err(error) => {
                self.fail(refusal(error), host);
                Spliced::Unable
            }
        }
    }

    fn feed(&mut self, waiter: &Waiter, bytes: &[u8], host: &mut Host) {
        let socket = self.socket.as_ref().map(AsFd::as_fd);
        if let Err(error) = self.outbound.feed(socket, waiter, bytes, host) {
            self.fail(refusal(error), host);
        }
    }

    fn listen(&mut self, waiter: Waiter) -> Result<(), Refusal> {
        if self.state != State::Announced {
            return Err(Refusal::NOT_ANNOUNCED);
        }
        self.calls.park(waiter);
        Ok(())
    }

    fn control(&mut self, waiter: Waiter, line: &[u8], host: &mut Host) -> Option<Outcome> {
        self.command(waiter, line, host)
    }

    fn take_call(&mut self, _: &mut Host) -> Option<(Waiter, Result<Call, Refusal>)> {
        if !self.calls.wanted() {
            return None;
        }
        let accepted = sockets::accept(self.socket()?);
        if let Err(Errno::AGAIN) = accepted {
            self.calls.note_empty();
            return None;
        }
        let called = |socket| -> Call { Box::new(Self::called(self.key, socket)) };
        let call = accepted.map(called).map_err(refusal);
        Some((self.calls.next()?, call))
    }

    fn begin(&mut self, key: Key, host: &mut Host) -> Result<(), Refusal> {
        self.key = key;
        if let Some(socket) = self.socket() {
            host.watch(socket, Source::Conversation(key)).map_err(refusal)?;
        }
        if let Some(remote) = self.remote {
            host.record(key, Note::Call(remote));
        }
        Ok(())
    }

    fn turn_away(&mut self, _: &mut Host) {
        if let Some(socket) = self.socket() {
            sockets::reset_on_close(socket);
        }
    }

    fn withdraw(&mut self, waiter: &Waiter, host: &mut Host) -> Option<Outcome> {
        if self.connecting.is_some_and(|(connecting, _)| connecting == *waiter) {
            // The attempt is given up, so the conversation is as it was before.
            self.connecting = None;
            self.socket = None;
            self.remote = None;
            self.local = self.bound.map(binding::chosen);
            self.state = State::Idle;
            self.inbound.refuse(&Refusal::HUNGUP, host);
            self.outbound.refuse(&Refusal::HUNGUP, host);
            return Some(Outcome::Withdrawn);
        }
        if self.inbound.withdraw(waiter) || self.calls.withdraw(waiter) {
            return Some(Outcome::Withdrawn);
        }
        self.outbound.withdraw(waiter, host)
    }

    fn note(&mut self, event: Event) {
        if event.readable {
            self.inbound.note_readable(event.doubtful);
            self.calls.note_ready();
        }
        if event.writable && self.state != State::Connecting {
            self.outbound.note_writable();
        }
    }

    fn serve(&mut self, host: &mut Host) -> More {
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

    fn text(&mut self, file: File, _: &mut Host) -> String {
        match file {
            File::Local => {
                endpoint(self.socket().map_or(self.local, |socket| binding::local(socket)))
            }
            File::Remote => endpoint(self.remote),
            _ => self.status(),
        }
    }

    fn release(mut self: Box<Self>, host: &mut Host) {
        let why = Refusal::INTERRUPTED;
        self.note_end(host);
        self.inbound.refuse(&why, host);
        self.calls.refuse(&why, host);
        if let Some((waiter, _)) = self.connecting.take() {
            host.finish(waiter, Outcome::Refused(why.clone()));
        }
        match (self.state, self.socket.take()) {
            (State::Connected, Some(socket)) => {
                host.retire(Box::new(Closing::new(socket, self.outbound, host)));
            }
            _ => self.outbound.refuse(&Refusal::HUNGUP, host),
        }
    }
}

impl TcpConversation {
    /// One that a clone took.
    pub(crate) fn new(key: Key) -> Self {
        Self {
            key,
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
            tuning: Tuning::default(),
        }
    }

    /// One that a call to `announced` made; its number is to come.
    fn called(announced: Key, socket: OwnedFd) -> Self {
        let mut conversation = Self::new(announced);
        conversation.state = State::Connected;
        conversation.remote = binding::remote(socket.as_fd());
        conversation.socket = Some(socket);
        conversation.outbound.note_writable();
        conversation
    }

    pub(super) fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Resets the connection or stops taking calls (`hangup`). Readers get what has arrived.
    pub(super) fn hang_up(&mut self, host: &mut Host) {
        let connection = self.socket.as_ref().filter(|_| self.state == State::Connected);
        self.inbound.hang_up(connection.map(AsFd::as_fd));
        if let Some(socket) = self.drop_socket() {
            sockets::reset_on_close(socket.as_fd());
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
            let outbound = mem::take(&mut self.outbound);
            host.retire(Box::new(Closing::new(socket, outbound, host)));
        }
        self.become_hungup(host);
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
            host.record(self.key, Note::Hangup(self.remote));
        }
    }

    /// Parts with the socket; our end's address is still told.
    fn drop_socket(&mut self) -> Option<OwnedFd> {
        let socket = self.socket.take()?;
        self.local = binding::local(socket.as_fd());
        Some(socket)
    }

    fn status(&self) -> String {
        let info = self.connection().map(info::ask);
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
        let more = self.inbound.serve(self.key, socket, self.failure.as_ref(), host);
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
        let Some(result) = self.socket().and_then(sockets::dialled) else { return };
        let waiter = self.connecting.take();
        let outcome = match result {
            Ok(()) => {
                self.state = State::Connected;
                self.outbound.note_writable();
                if let Some(remote) = self.remote {
                    host.record(self.key, Note::Connect(remote));
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
