//! All that is under way on one session: calls of the embedding program, dials, pumps.
//!
//! The worker says what happened (a command, a frame, a local socket that is ready) and the core
//! says what to send. Pumps take turns at their local sockets in a ring, one receive each, and
//! only while the send queue is short: that bounds memory and lets nobody's upload get ahead of
//! everybody else's keystrokes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use mio::{Registry, Token};
use netrelay_proto::error::Refusal;
use netrelay_proto::ids::{Fid, Tag};
use netrelay_proto::message::{Message, decode};
use slab::Slab;

use super::calls::{Answer, Purpose};
use super::completion::Outcome;
use super::dial::{Dial, Done, Errand};
use super::import::Shared;
use super::inbound::Arrival;
use super::link::Link;
use super::outbound::Lane;
use super::pump::{Pulled, Pump, Ready};
use super::stats::Counters;
use super::stream::{Moved, Stream};

/// Tokens below this are the worker's own; a pump's is its key above it.
pub(crate) const PUMPS: usize = 2;

/// Bytes in the send queue above which no local socket is read: a few bulk Twrites, so that the
/// next send has work while the kernel drains, and no more, so that turns stay short.
const ENOUGH: usize = 1 << 20;

const RREAD: u8 = 117;
const TCLUNK: u8 = 120;
const TREMOVE: u8 = 122;

/// What the handle asks of the worker.
#[derive(Debug)]
pub(crate) enum Command {
    Rpc { id: u64, frame: Vec<u8> },
    Flush { id: u64 },
    Errand { id: u64, root: Fid, path: Vec<String>, errand: Errand },
    Pump { id: u64, ctl: Fid, data: Fid, local: Stream },
    Close,
}

/// Where a call of the embedding program stands.
#[derive(Clone, Copy, Debug)]
enum Call {
    Rpc(Tag, Option<Fid>),
    Dial(usize),
    Pump(usize),
}

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) link: Link,
    registry: Registry,
    shared: Arc<Shared>,
    calls: HashMap<u64, Call>,
    dials: Slab<Dial>,
    pumps: Slab<Pump>,
    /// Pumps that wait for their turn at their local sockets.
    ring: VecDeque<usize>,
    /// Pumps and dials to look at before the turn ends.
    touched: Vec<usize>,
    stepped: Vec<usize>,
    /// Pumps with nothing outstanding whose upload waits for others' Twrites to be answered.
    starved: Vec<usize>,
}

impl Core {
    pub(crate) fn new(link: Link, registry: Registry, shared: Arc<Shared>) -> Self {
        Self {
            link,
            registry,
            shared,
            calls: HashMap::new(),
            dials: Slab::new(),
            pumps: Slab::new(),
            ring: VecDeque::new(),
            touched: Vec::new(),
            stepped: Vec::new(),
            starved: Vec::new(),
        }
    }

    /// Whether there is something to do without waiting for the poll.
    pub(crate) fn busy(&self) -> bool {
        !self.ring.is_empty() && self.link.out.waiting() < ENOUGH
    }

    /// Carries out a command; what the session can't take any more is completed at once.
    pub(crate) fn command(&mut self, command: Command) {
        match command {
            Command::Rpc { id, frame } => self.rpc(id, &frame),
            Command::Flush { id } => self.flush(id),
            Command::Errand { id, root, path, errand } => {
                let entry = self.dials.vacant_entry();
                let key = entry.key();
                entry.insert(Dial::new(id, key, (root, path), errand, &self.shared.fids));
                self.calls.insert(id, Call::Dial(key));
                self.stepped.push(key);
            }
            Command::Pump { id, ctl, data, local } => self.pump(id, ctl, data, local),
            // The worker's business.
            Command::Close => {}
        }
    }

    /// The poll says what a pump's local socket can do.
    pub(crate) fn local_ready(&mut self, token: Token, ready: Ready) {
        let Some(key) = token.0.checked_sub(PUMPS) else { return };
        if let Some(pump) = self.pumps.get_mut(key) {
            pump.ready(ready, &mut self.link);
            self.touched.push(key);
        }
    }

    /// Takes what the session brought.
    ///
    /// # Errors
    /// The server does not speak 9P, or breaks a promise: the session is over.
    pub(crate) fn arrived(&mut self, arrival: &Arrival<'_>) -> Result<(), String> {
        match *arrival {
            Arrival::Piece { tag, bytes, total, last } => self.piece(tag, bytes, total, last),
            Arrival::Frame(tag, kind, frame) => self.frame(tag, kind, frame),
        }
    }

    /// Has the pump that waits for the Rread `tag` take at most `most` bytes of its payload from the
    /// session's own socket; none when they must be received.
    pub(crate) fn splice(&mut self, tag: Tag, session: &Stream, most: usize) -> Option<Moved> {
        let Some(Purpose::Read(key)) = self.link.calls.peek(tag) else { return None };
        let moved = self.pumps.get_mut(key)?.splice(session, most, &mut self.link);
        self.touched.push(key);
        if let Some(Moved::Bytes(bytes)) = moved {
            Counters::add(&self.shared.counters.bytes_down, bytes);
        }
        moved
    }

    /// Ends a turn: gives pumps their turns and does what has become possible.
    pub(crate) fn settle(&mut self) {
        self.look();
        while self.link.out.waiting() < ENOUGH {
            let Some(key) = self.ring.pop_front() else { break };
            let Some(pump) = self.pumps.get_mut(key) else { continue };
            pump.in_ring = false;
            let before = self.link.unanswered;
            if pump.pull(&mut self.link) == Pulled::More && pump.eager(&self.link) {
                pump.in_ring = true;
                self.ring.push_back(key);
            } else {
                self.touched.push(key);
            }
            let sent = self.link.unanswered.saturating_sub(before);
            Counters::add(&self.shared.counters.bytes_up, sent);
        }
        self.look();
    }

    /// Sends once; false when the stream takes no more now.
    ///
    /// # Errors
    /// The stream is broken.
    pub(crate) fn send(&mut self, stream: &Stream) -> Result<bool, String> {
        let Self { link, pumps, .. } = self;
        let moved = link.out.send(stream, &mut link.pool, |owner| {
            if let Some(pump) = pumps.get_mut(owner) {
                pump.gone();
            }
        });
        Counters::add(&self.shared.counters.sends, 1);
        match moved {
            Moved::Bytes(_) => Ok(true),
            Moved::Blocked => Ok(false),
            Moved::End | Moved::Broken => Err("i/o on hungup channel".into()),
        }
    }

    /// Completes everything: the session is over.
    pub(crate) fn lost(&mut self) {
        for (id, call) in std::mem::take(&mut self.calls) {
            let outcome = match call {
                Call::Rpc(..) => Outcome::Refused(Refusal::HUNGUP),
                Call::Dial(key) => match self.dials.try_remove(key) {
                    Some(dial) => dial.lost(),
                    None => continue,
                },
                Call::Pump(key) => {
                    let Some(mut pump) = self.pumps.try_remove(key) else { continue };
                    let ended = pump.lost();
                    Outcome::Pumped { up: ended.up, down: ended.down, error: ended.error }
                }
            };
            self.shared.completions.push(id, outcome);
        }
        self.count();
    }

    fn rpc(&mut self, id: u64, frame: &[u8]) {
        let Some(tag) = self.link.raw(frame, Purpose::Rpc(id)) else {
            return self.complete(id, Outcome::Refused(Refusal::TOO_MANY_REQUESTS));
        };
        let dropped = match frame {
            [_, _, _, _, TCLUNK | TREMOVE, _, _, fid @ ..] => {
                fid.first_chunk().map(|fid| Fid(u32::from_le_bytes(*fid)))
            }
            _ => None,
        };
        self.calls.insert(id, Call::Rpc(tag, dropped));
    }

    fn flush(&mut self, id: u64) {
        match self.calls.get(&id).copied() {
            Some(Call::Rpc(tag, _)) => self.link.flush(tag, Lane::Ahead),
            Some(Call::Dial(key)) => {
                if let Some(dial) = self.dials.get_mut(key) {
                    dial.stop(&mut self.link);
                    self.stepped.push(key);
                }
            }
            Some(Call::Pump(key)) => {
                if let Some(pump) = self.pumps.get_mut(key) {
                    pump.stop(&mut self.link);
                    self.touched.push(key);
                }
            }
            // It was completed while the flush was on its way to us.
            None => {}
        }
    }

    fn pump(&mut self, id: u64, ctl: Fid, data: Fid, local: Stream) {
        let entry = self.pumps.vacant_entry();
        let key = entry.key();
        // A descriptor that can't be polled is no socket: the pump finds it broken at once.
        let _ = local.register(&self.registry, Token(key + PUMPS));
        entry.insert(Pump::new(id, key, (ctl, data), local, &self.link));
        self.calls.insert(id, Call::Pump(key));
        self.touched.push(key);
        self.count();
    }

    fn piece(&mut self, tag: Tag, bytes: &[u8], total: u32, last: bool) -> Result<(), String> {
        let Some(Purpose::Read(key)) = self.link.calls.peek(tag) else {
            return Err(format!("reply to no request, tag {}", tag.0));
        };
        if total > self.link.calls.asked(tag) {
            return Err(format!("Rread of {total} bytes, more than asked for"));
        }
        let pump = self.pumps.get_mut(key);
        Counters::add(&self.shared.counters.bytes_down, bytes.len());
        if let Some(pump) = pump {
            pump.arrived(bytes, &mut self.link);
            if last {
                self.link.calls.answer(tag, RREAD)?;
                pump.read(tag, total)?;
            }
            self.touched.push(key);
        }
        Ok(())
    }

    fn frame(&mut self, tag: Tag, kind: u8, frame: &[u8]) -> Result<(), String> {
        let (purpose, asked) = match self.link.calls.answer(tag, kind)? {
            Answer::Nothing => return Ok(()),
            Answer::Reply(purpose, asked) => (purpose, asked),
            Answer::Flushed(purpose, tag, asked) => {
                self.flushed(purpose, tag, asked);
                return Ok(());
            }
        };
        if let Purpose::Rpc(id) = purpose {
            if let Some(Call::Rpc(_, Some(fid))) = self.calls.get(&id) {
                self.shared.fids.give(*fid);
            }
            self.complete(id, Outcome::Reply(frame.to_vec()));
            return Ok(());
        }
        let dialect = self.link.agreed.dialect;
        let (_, message) = decode(frame, dialect).map_err(|error| error.to_string())?;
        let why = match &message {
            Message::Rerror(error) => Some((error.ename, error.errno)),
            Message::Rlerror(error) => Some((words(error.ecode), error.ecode)),
            _ => None,
        };
        match purpose {
            Purpose::Read(key) => self.with_pump(key, |pump, _| {
                pump.read_failed(tag, why.map(|(text, _)| text));
            }),
            Purpose::Write(key) => {
                let taken = match (&message, why) {
                    (Message::Rwrite(wrote), _) => Ok(wrote.count),
                    (_, Some((text, _))) => Err(Some(text)),
                    _ => Err(None),
                };
                self.with_pump(key, |pump, link| pump.wrote(tag, asked, taken, link));
                self.touched.append(&mut self.starved);
            }
            Purpose::Note(key) => self.with_pump(key, |pump, _| pump.noted()),
            Purpose::Leave(key) => self.with_pump(key, |pump, _| pump.left()),
            Purpose::Dial(key, step) => {
                if let Some(dial) = self.dials.get_mut(key) {
                    let refusal = why.map(|(text, errno)| Refusal::new(text.to_owned(), errno));
                    let answer = refusal.map_or(Ok(&message), Err);
                    dial.answered(tag, step, answer, &self.shared.fids);
                    self.stepped.push(key);
                }
            }
            Purpose::Rpc(_) | Purpose::Flush(_) => {}
        }
        Ok(())
    }

    fn flushed(&mut self, purpose: Purpose, tag: Tag, asked: u32) {
        match purpose {
            Purpose::Rpc(id) => self.complete(id, Outcome::Flushed),
            Purpose::Read(key) => self.with_pump(key, |pump, _| pump.read_failed(tag, None)),
            Purpose::Write(key) => {
                self.with_pump(key, |pump, link| pump.wrote(tag, asked, Err(None), link));
            }
            Purpose::Dial(key, step) => {
                if let Some(dial) = self.dials.get_mut(key) {
                    dial.flushed(tag, step);
                    self.stepped.push(key);
                }
            }
            Purpose::Note(_) | Purpose::Leave(_) | Purpose::Flush(_) => {}
        }
    }

    fn with_pump(&mut self, key: usize, act: impl FnOnce(&mut Pump, &mut Link)) {
        if let Some(pump) = self.pumps.get_mut(key) {
            act(pump, &mut self.link);
            self.touched.push(key);
        }
    }

    /// Does for every pump and dial that something happened to what has become possible.
    fn look(&mut self) {
        while let Some(key) = self.stepped.pop() {
            let Some(dial) = self.dials.get_mut(key) else { continue };
            let Some(done) = dial.step(&mut self.link, &self.shared.fids) else { continue };
            let id = dial.id;
            self.dials.remove(key);
            match done {
                Done::Tell(outcome) => self.complete(id, outcome),
                Done::Pump(up, (ctl, data), local) => {
                    self.shared.completions.push_early(id, up);
                    self.pump(id, ctl, data, local);
                }
            }
        }
        while let Some(key) = self.touched.pop() {
            let Some(pump) = self.pumps.get_mut(key) else { continue };
            if let Some(ended) = pump.step(&mut self.link, &self.registry, &self.shared.fids) {
                let id = pump.id;
                self.pumps.remove(key);
                let (up, down, error) = (ended.up, ended.down, ended.error);
                self.complete(id, Outcome::Pumped { up, down, error });
            } else if !pump.in_ring && pump.eager(&self.link) {
                pump.in_ring = true;
                self.ring.push_back(key);
            } else if pump.starved(&self.link) {
                self.starved.push(key);
            }
        }
    }

    fn complete(&mut self, id: u64, outcome: Outcome) {
        self.calls.remove(&id);
        self.shared.completions.push(id, outcome);
        self.count();
    }

    fn count(&self) {
        Counters::set(&self.shared.counters.pumps, self.pumps.len());
        Counters::set(&self.shared.counters.dials, self.dials.len());
    }
}

/// The catalogue's words for an error number.
fn words(errno: u32) -> &'static str {
    let known = Refusal::CATALOGUE.iter().find(|(_, refusal)| refusal.errno == errno);
    match known.map(|(_, refusal)| &refusal.text) {
        Some(std::borrow::Cow::Borrowed(text)) => text,
        _ => "i/o error",
    }
}
