//! The thread of an importer: one poll, one session, the local sockets of its pumps.
//!
//! A turn of the loop takes what happened, lets the core answer it and sends all that came of it
//! at once. Nothing in it blocks but the poll. However it ends (the server leaves, breaks the
//! protocol, the embedding program closes, a panic), everything under way is completed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use mio::{Events, Poll, Token};
use netrelay_proto::client::{Client, Event};
use netrelay_proto::ids::FIRST_MSIZE;

use super::buffers::Pool;
use super::calls::Purpose;
use super::core::{Command, Core, PUMPS};
use super::import::Shared;
use super::inbound::{Arrival, Inbound};
use super::link::{Agreed, Link};
use super::pump::Ready;
use super::stats::Counters;
use super::stream::{Moved, Stream};

pub(crate) const WAKER: Token = Token(0);
pub(crate) const SESSION: Token = Token(1);

/// Receives in one turn: bounds what one side of the session can hold up the other by.
const RECEIVES: usize = 4;

/// After this long without work the pool's buffers go back to the allocator.
const QUIET: Duration = Duration::from_secs(1);

const HUNGUP: &str = "i/o on hungup channel";

/// What the thread owns.
pub(crate) struct Worker {
    poll: Poll,
    stream: Stream,
    inbound: Inbound,
    shared: Arc<Shared>,
    readable: bool,
    writable: bool,
    /// The server has ended, so the stream must be read until it says so itself.
    closing: bool,
}

impl Worker {
    pub(crate) fn new(poll: Poll, stream: Stream, shared: Arc<Shared>) -> Self {
        let inbound = Inbound::default();
        Self { poll, stream, inbound, shared, readable: true, writable: true, closing: false }
    }

    /// Drives the session to its end.
    pub(crate) fn run(mut self, session: Client) {
        let mut core = None;
        let end = catch_unwind(AssertUnwindSafe(|| {
            let Some(agreed) = self.greet(session)? else { return Ok(()) };
            let registry = self.poll.registry().try_clone().map_err(|error| error.to_string())?;
            let core = core.insert(Core::new(Link::new(agreed), registry, self.shared.clone()));
            self.shared.agree(agreed);
            self.drive(core)
        }));
        let why = match end {
            Ok(Ok(())) => None,
            Ok(Err(why)) => Some(why),
            Err(_) => {
                Counters::add(&self.shared.counters.panics, 1);
                Some("the importer failed".to_owned())
            }
        };
        self.stream.cut();
        if let Some(core) = core.as_mut() {
            core.lost();
        }
        self.shared.end(why);
    }

    /// Agrees on a version, unless closed before. Commands wait meanwhile.
    fn greet(&mut self, mut session: Client) -> Result<Option<Agreed>, String> {
        let mut events = Events::with_capacity(8);
        let mut pool = Pool::default();
        let mut sending = Vec::new();
        session.hello(&mut sending).map_err(|error| error.to_string())?;
        loop {
            while !sending.is_empty() {
                match self.stream.send(&sending) {
                    Moved::Bytes(bytes) => drop(sending.drain(..bytes)),
                    Moved::Blocked => break,
                    Moved::End | Moved::Broken => return Err(HUNGUP.into()),
                }
            }
            self.wait(&mut events, None)?;
            if self.shared.closing() {
                return Ok(None);
            }
            match self.inbound.recv(&self.stream, &mut pool) {
                Moved::Bytes(_) | Moved::Blocked => {}
                Moved::End | Moved::Broken => return Err(HUNGUP.into()),
            }
            let Some(Arrival::Frame(_, _, frame)) = self.inbound.next(FIRST_MSIZE, |_| false)?
            else {
                continue;
            };
            let heard = session.receive(frame, &mut sending).map_err(|error| error.to_string())?;
            if let Event::Ready { dialect, msize, windowed } = heard {
                return Ok(Some(Agreed { dialect, msize, windowed }));
            }
        }
    }

    fn drive(&mut self, core: &mut Core) -> Result<(), String> {
        let mut events = Events::with_capacity(1024);
        // What came behind the Rversion was not asked for, but what came before the first poll
        // of this loop must be looked at without one.
        let mut idle = false;
        loop {
            let mut closed = false;
            for command in self.shared.commands() {
                closed |= matches!(command, Command::Close);
                core.command(command);
            }
            if closed {
                return Ok(());
            }
            self.receive(core)?;
            core.settle();
            while self.writable && core.link.out.waiting() > 0 {
                self.writable = core.send(&self.stream)?;
            }
            let busy = core.busy() || self.readable;
            let timeout = match (busy, idle) {
                (true, _) => Some(Duration::ZERO),
                (false, false) => Some(QUIET),
                (false, true) => None,
            };
            self.wait(&mut events, timeout)?;
            idle = !busy && events.is_empty();
            if idle {
                core.link.pool.trim();
            }
            for event in events.iter().filter(|event| event.token().0 >= PUMPS) {
                let ready = Ready {
                    readable: event.is_readable(),
                    closing: event.is_read_closed() || event.is_error(),
                    gone: event.is_write_closed(),
                };
                core.local_ready(event.token(), ready);
            }
        }
    }

    /// Waits for the poll and notes what it says of the session.
    fn wait(&mut self, events: &mut Events, timeout: Option<Duration>) -> Result<(), String> {
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                return Err(error.to_string());
            }
            _ => {}
        }
        Counters::add(&self.shared.counters.turns, 1);
        for event in events.iter().filter(|event| event.token() == SESSION) {
            self.closing |= event.is_read_closed() || event.is_error();
            self.readable |= event.is_readable() || self.closing;
            self.writable |= event.is_writable();
        }
        Ok(())
    }

    fn receive(&mut self, core: &mut Core) -> Result<(), String> {
        let msize = core.link.agreed.msize;
        for _ in 0..RECEIVES {
            if !self.readable {
                break;
            }
            Counters::add(&self.shared.counters.receives, 1);
            let owed = self.inbound.owed();
            let spliced = owed.and_then(|(tag, left)| core.splice(tag, &self.stream, left));
            match spliced {
                Some(Moved::Bytes(bytes)) => {
                    if let Some(arrival) = self.inbound.spliced(bytes) {
                        core.arrived(&arrival)?;
                    }
                    continue;
                }
                Some(Moved::Blocked) => {
                    self.readable = false;
                    break;
                }
                Some(Moved::End | Moved::Broken) => return Err(HUNGUP.into()),
                None => {}
            }
            match self.inbound.recv(&self.stream, &mut core.link.pool) {
                // Edge-triggered: less than there was room for is all there was.
                Moved::Bytes(_) => self.readable = self.inbound.filled() || self.closing,
                Moved::Blocked => self.readable = false,
                Moved::End | Moved::Broken => return Err(HUNGUP.into()),
            }
            loop {
                let calls = &core.link.calls;
                let streamed = |tag| matches!(calls.peek(tag), Some(Purpose::Read(_)));
                let Some(arrival) = self.inbound.next(msize, streamed)? else { break };
                core.arrived(&arrival)?;
            }
        }
        self.inbound.rest(&mut core.link.pool);
        Ok(())
    }
}
