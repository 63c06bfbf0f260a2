//! One il conversation: its state, its end, and what waits at it.
//!
//! The protocol is the machine's; a conversation waits for its outcome, hands messages to readers
//! and takes them from writers. What remains of it at its release is closed in the background, under
//! no number.

use std::collections::VecDeque;
use std::mem;
use std::net::SocketAddr;
use std::time::Instant;

use netrelay_proto::error::Refusal;
use netrelay_proto::il::{Event as Happening, MAX_MESSAGE, State as Word, Status};

use super::calls::Callers;
use super::closing::{Closing, Last};
use super::end::End;
use super::sockets::Ends;
use super::writes::Writes;
use crate::error::refusal;
use crate::log::Event as Note;
use crate::mailbox::Waiter;
use crate::net::address::{Local, endpoint};
use crate::net::binding;
use crate::net::calls::Calls;
use crate::net::conversation::{Call, Conversation, Event, More, State};
use crate::net::host::Host;
use crate::net::operation::Outcome;
use crate::net::packets::reads::Reads;
use crate::net::tuning::{Tuning, tune};
use crate::tree::qid::{File, Key};
use crate::work::{Source, Timer};

/// Treads that are answered before others have their turn.
const TURN: usize = 64;

/// Reads of the end that return 0 bytes before they are refused.
const ZEROS: u8 = 3;

/// A numbered directory of `/net/il` in use.
#[derive(Debug)]
pub(crate) struct IlConversation {
    pub(super) key: Key,
    pub(super) state: State,
    pub(super) end: Option<End>,
    pub(super) callers: Option<Callers>,
    /// The connect that waits for its outcome, and the count of its Twrite.
    pub(super) connecting: Option<(Waiter, u32)>,
    reads: Reads,
    pub(super) writes: Writes,
    pub(super) calls: Calls,
    /// Messages that are no longer the machine's; the first may have been read in part.
    arrived: VecDeque<Vec<u8>>,
    /// What has ended it.
    failure: Option<Refusal>,
    /// Reads of the end that returned 0 bytes.
    zeros: u8,
    /// Its status once it is over.
    last: Last,
    /// What `bind` chose for a later connect.
    pub(super) bound: Option<Local>,
    pub(super) local: Option<SocketAddr>,
    pub(super) remote: Option<SocketAddr>,
    pub(super) tuning: Tuning,
    pub(super) ignores_advice: bool,
    /// The first timer that is under way for it.
    due: Option<Instant>,
}

impl Conversation for IlConversation {
    fn read(&mut self, waiter: Waiter, count: u32) -> Option<Outcome> {
        match (self.state, count) {
            (State::Idle | State::Announced, _) => Some(Outcome::Refused(Refusal::HUNGUP)),
            (_, 0) => Some(Outcome::Bytes(Vec::new())),
            _ => {
                self.reads.park(waiter, count);
                None
            }
        }
    }

    fn has_input(&self) -> bool {
        true
    }

    fn write(&mut self, waiter: Waiter, data: &[u8], host: &mut Host) -> Option<Outcome> {
        if let Err(why) = self.writable() {
            return Some(Outcome::Refused(why));
        }
        if data.len() > MAX_MESSAGE {
            return Some(Outcome::Refused(Refusal::TOO_LARGE));
        }
        if self.state == State::Connected
            && self.writes.is_empty()
            && let Some(end) = &mut self.end
            && end.send(data, host) == Ok(true)
        {
            self.arm(host);
            host.shared.stats.bytes_up.add(data.len());
            // A frame bounds the length.
            return Some(Outcome::Wrote(u32::try_from(data.len()).unwrap_or(u32::MAX)));
        }
        self.writes.add(waiter, data);
        None
    }

    fn control(&mut self, waiter: Waiter, line: &[u8], host: &mut Host) -> Option<Outcome> {
        let outcome = self.command(waiter, line, host);
        self.arm(host);
        outcome
    }

    fn listen(&mut self, waiter: Waiter) -> Result<(), Refusal> {
        if self.state != State::Announced {
            return Err(Refusal::NOT_ANNOUNCED);
        }
        self.calls.park(waiter);
        Ok(())
    }

    fn take_call(&mut self, host: &mut Host) -> Option<(Waiter, Result<Call, Refusal>)> {
        let callers = self.callers.as_mut().filter(|_| self.calls.any())?;
        let stack = self.key.branch.stack;
        let call = match callers.take(stack, &host.shared.stack(stack).sockets) {
            Ok(None) => return None,
            Ok(Some((ends, end))) => {
                let port = callers.port.number;
                // What can't be tuned is as the host has it.
                let _ = tune(end.socket(), self.tuning);
                Ok(self.called(ends, port, end))
            }
            Err(error) => Err(refusal(error)),
        };
        Some((self.calls.next()?, call))
    }

    fn begin(&mut self, key: Key, host: &mut Host) -> Result<(), Refusal> {
        self.key = key;
        if let Some(end) = &mut self.end {
            host.watch(end.socket(), Source::Conversation(key)).map_err(refusal)?;
            end.run(host);
        }
        self.arm(host);
        if let Some(remote) = self.remote {
            host.record(key, Note::Call(remote));
        }
        Ok(())
    }

    fn withdraw(&mut self, waiter: &Waiter, host: &mut Host) -> Option<Outcome> {
        if self.connecting.is_some_and(|(connecting, _)| connecting == *waiter) {
            self.give_up(host);
            return Some(Outcome::Withdrawn);
        }
        let here = self.reads.withdraw(waiter)
            || self.calls.withdraw(waiter)
            || self.writes.withdraw(waiter);
        here.then_some(Outcome::Withdrawn)
    }

    fn note(&mut self, event: Event) {
        if let Some(end) = &mut self.end {
            end.note(event);
        }
        if let Some(callers) = &mut self.callers {
            callers.note(event);
        }
    }

    fn serve(&mut self, host: &mut Host) -> More {
        let more = self.work(host);
        self.arm(host);
        more
    }

    fn expire(&mut self, host: &mut Host) {
        if self.due.is_none_or(|due| host.now < due) {
            // It is of the conversation that had the number before.
            return;
        }
        self.due = None;
        self.work(host);
        self.arm(host);
    }

    fn text(&mut self, file: File, _: &mut Host) -> String {
        match file {
            File::Local => endpoint(self.local),
            File::Remote => endpoint(self.remote),
            _ => self.status(),
        }
    }

    fn release(mut self: Box<Self>, host: &mut Host) {
        let why = Refusal::INTERRUPTED;
        self.note_end(host);
        self.reads.refuse(&why, host);
        self.calls.refuse(&why, host);
        if let Some((waiter, _)) = self.connecting.take() {
            host.finish(waiter, Outcome::Refused(why));
            self.writes.refuse(&Refusal::HUNGUP, host);
        }
        self.retire(host);
    }
}

impl IlConversation {
    /// One that a clone took.
    pub(crate) fn new(key: Key) -> Self {
        Self {
            key,
            state: State::Idle,
            end: None,
            callers: None,
            connecting: None,
            reads: Reads::default(),
            writes: Writes::default(),
            calls: Calls::default(),
            arrived: VecDeque::new(),
            failure: None,
            zeros: 0,
            last: Last::default(),
            bound: None,
            local: None,
            remote: None,
            tuning: Tuning::default(),
            ignores_advice: false,
            due: None,
        }
    }

    /// One that a call made; its number is to come.
    fn called(&self, ends: Ends, port: u16, end: End) -> Call {
        let mut conversation = Self::new(self.key);
        conversation.state = State::Connected;
        conversation.local = Some(SocketAddr::from((ends.local, port)));
        conversation.remote = Some(ends.remote.into());
        conversation.tuning = self.tuning;
        conversation.end = Some(end);
        Box::new(conversation)
    }

    /// Makes an end of it (`hangup`); readers get what has arrived.
    pub(super) fn hang_up(&mut self, host: &mut Host) {
        if self.state == State::Hungup {
            return;
        }
        if let Some((waiter, _)) = self.connecting.take() {
            host.finish(waiter, Outcome::Refused(Refusal::HUNGUP));
        }
        self.collect(host);
        if self.state != State::Hungup {
            self.finish(None, host);
        }
    }

    /// It is over: readers get what has arrived, and then `why`, or the end of file.
    pub(super) fn finish(&mut self, why: Option<Refusal>, host: &mut Host) {
        self.note_end(host);
        self.state = State::Hungup;
        self.failure = why;
        self.writes.refuse(self.failure.as_ref().unwrap_or(&Refusal::HUNGUP), host);
        self.retire(host);
        self.calls.refuse(&Refusal::LISTEN_HUNGUP, host);
        self.serve_reads(host);
    }

    /// The connect is withdrawn: the conversation is as it was before.
    fn give_up(&mut self, host: &mut Host) {
        self.connecting = None;
        self.writes.refuse(&Refusal::HUNGUP, host);
        self.retire(host);
        self.last = Last::default();
        self.remote = None;
        self.local = self.bound.map(binding::chosen);
        self.state = State::Idle;
        self.reads.refuse(&Refusal::HUNGUP, host);
    }

    /// Does what packets and time allow.
    fn work(&mut self, host: &mut Host) -> More {
        let mut more = More::Idle;
        if let Some(callers) = &mut self.callers
            && callers.look(self.key.branch.stack, host)
        {
            more = More::Again;
        }
        if let Some(end) = &mut self.end {
            more = end.run(host);
        }
        if self.state == State::Connecting {
            self.settle(host);
        }
        if self.state == State::Connected
            && let Some(end) = &mut self.end
        {
            // Of one that is over the refusals come with the end.
            let _ = self.writes.serve(end, host);
            if !end.live() {
                self.collect(host);
            }
        }
        if self.serve_reads(host) == More::Again { More::Again } else { more }
    }

    /// The outcome of a connect may be known.
    fn settle(&mut self, host: &mut Host) {
        let Some(happening) = self.end.as_mut().and_then(|end| end.next(host)) else { return };
        let Some((waiter, count)) = self.connecting.take() else { return };
        let outcome = if let Happening::Closed(why) = happening {
            let why = why.unwrap_or(Refusal::HUNGUP);
            self.finish(Some(why.clone()), host);
            Outcome::Refused(why)
        } else {
            self.state = State::Connected;
            if let Some(remote) = self.remote {
                host.record(self.key, Note::Connect(remote));
            }
            Outcome::Wrote(count)
        };
        host.finish(waiter, outcome);
    }

    /// Answers waiting Treads as far as messages and the clients allow.
    fn serve_reads(&mut self, host: &mut Host) -> More {
        let mut left = TURN;
        while let Some(count) = self.reads.next(self.key, host) {
            // An end is told to all at once: nobody comes back for the rest.
            if left == 0 && self.state == State::Connected {
                return More::Again;
            }
            left = left.saturating_sub(1);
            let Some(outcome) = self.next(count, host) else { break };
            self.reads.answer(outcome, host);
        }
        More::Idle
    }

    /// What a Tread of `count` bytes gets; none if it has to wait.
    fn next(&mut self, count: usize, host: &mut Host) -> Option<Outcome> {
        while self.arrived.is_empty() && self.state == State::Connected {
            let happening = self.end.as_mut()?.next(host)?;
            self.take(happening, host);
        }
        if let Some(mut message) = self.arrived.pop_front() {
            if message.len() > count {
                self.arrived.push_front(message.split_off(count));
            }
            host.shared.stats.bytes_down.add(message.len());
            return Some(Outcome::Bytes(message));
        }
        if self.state != State::Hungup {
            return None;
        }
        Some(match &self.failure {
            Some(why) => Outcome::Refused(why.clone()),
            None if self.zeros < ZEROS => {
                self.zeros += 1;
                Outcome::Bytes(Vec::new())
            }
            None => Outcome::Refused(Refusal::HUNGUP),
        })
    }

    /// Takes all that has happened: it is over, or will be.
    fn collect(&mut self, host: &mut Host) {
        while self.state == State::Connected
            && let Some(happening) = self.end.as_mut().and_then(|end| end.next(host))
        {
            self.take(happening, host);
        }
    }

    fn take(&mut self, happening: Happening, host: &mut Host) {
        match happening {
            Happening::Connected => {}
            Happening::Message(message) => self.arrived.push_back(message),
            Happening::Closed(why) => self.finish(why, host),
        }
    }

    /// Parts with the sockets; an end goes on by itself as long as it has to.
    fn retire(&mut self, host: &mut Host) {
        self.callers = None;
        let writes = mem::take(&mut self.writes);
        if let Some(end) = self.end.take() {
            let closing = Closing::new(end, writes, host);
            self.last = closing.last();
            host.retire(Box::new(closing));
        }
    }

    /// Whether a Twrite of data may be made now.
    fn writable(&self) -> Result<(), Refusal> {
        match (self.state, &self.failure) {
            (State::Connecting | State::Connected, _) => Ok(()),
            (_, Some(why)) => Err(why.clone()),
            (State::Idle | State::Announced | State::Hungup, None) => Err(Refusal::HUNGUP),
        }
    }

    fn status(&self) -> String {
        let mut status = match (&self.end, self.state) {
            (Some(end), _) => end.status(),
            (None, State::Announced) => {
                // Before anything was learned.
                Status {
                    state: Word::Listen,
                    delay: 50,
                    rate: 100,
                    deviation: 50,
                    ..Status::default()
                }
            }
            (None, _) => self.last.status(),
        };
        status.qin += self.arrived.iter().map(Vec::len).sum::<usize>();
        status.to_string()
    }

    /// Tells the log, if there was anything to end.
    fn note_end(&self, host: &Host) {
        if matches!(self.state, State::Connected | State::Announced) {
            host.record(self.key, Note::Hangup(self.remote));
        }
    }

    /// Has the timer run when the end is to be run.
    fn arm(&mut self, host: &mut Host) {
        let Some(deadline) = self.end.as_ref().and_then(End::deadline) else { return };
        if self.due.is_none_or(|due| deadline < due) {
            self.due = Some(deadline);
            host.schedule(deadline, Timer::Conversation(self.key));
        }
    }
}
