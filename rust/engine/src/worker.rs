//! One worker: a thread's loop over whole sessions and the conversations they opened.
//!
//! A turn of the loop waits for events, which only set flags and queue work; runs what is queued,
//! each for a bounded time; hands what came of requests to the sessions that asked; and at its end
//! sends each session's replies in one go. Work that is not done is queued again behind the rest,
//! so nobody starves, and a loop with queued work does not sleep.
//!
//! Worker 0 also accepts sessions and deals them out in turn. A panic while a session or a
//! conversation runs ends that one and is counted; the loop goes on.

use std::collections::VecDeque;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Poll};
use netrelay_proto::error::Refusal;
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_keepalive, set_tcp_keepidle, set_tcp_nodelay};
use rustix::net::{SocketFlags, accept_with};
use slab::Slab;

use crate::mailbox::{Arrival, Mail, Mailbox, SessionKey, Waiter};
use crate::net::host::Host;
use crate::net::operation::Outcome;
use crate::net::{Event, Net};
use crate::session::{MOMENT, More, Session};
use crate::shared::Shared;
use crate::work::{Source, Timer, Work};

/// Events taken at a time.
const EVENTS: usize = 1024;

/// Times a turn goes through the ready queue: what the first pass queued (a Tread at its
/// conversation) is answered in the same turn, and still nobody waits for long.
const PASSES: usize = 2;

/// Sessions accepted in a row.
const ACCEPTS: usize = 64;

/// How long a client may be silent before the host asks whether its machine is still there. Without
/// asking, one that lost its power would keep its ports for ever.
const SILENCE: Duration = Duration::from_secs(60);

/// How long a listener rests that found no descriptors left.
const REST: Duration = Duration::from_millis(100);

/// One thread's sessions and conversations.
#[derive(Debug)]
pub(crate) struct Worker {
    poll: Poll,
    net: Net,
    sessions: Slab<Session>,
    listeners: Slab<OwnedFd>,
    /// Sessions that may have something to send.
    touched: Vec<u32>,
    /// Sessions whose replies wait for more of them, and until when.
    patient: Vec<u32>,
    patience: Option<Instant>,
    next_serial: u32,
    /// The worker that the next session goes to.
    turn_of: u16,
    /// Whether sessions may still begin.
    open: bool,
    drain: Option<Instant>,
    aborted: bool,
}

impl Worker {
    /// Worker `number`, whose mailbox wakes `poll`.
    ///
    /// # Errors
    /// The host has no descriptors left.
    pub(crate) fn new(number: u16, poll: Poll, shared: Arc<Shared>) -> std::io::Result<Self> {
        let registry = poll.registry().try_clone()?;
        Ok(Self {
            poll,
            net: Net::new(Host::new(number, shared, registry)),
            sessions: Slab::new(),
            listeners: Slab::new(),
            touched: Vec::new(),
            patient: Vec::new(),
            patience: None,
            next_serial: 0,
            turn_of: 0,
            open: true,
            drain: None,
            aborted: false,
        })
    }

    /// Runs until the gateway has ended; everything is given back then.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        while !self.ended() {
            let timeout = self.timeout();
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != std::io::ErrorKind::Interrupted
            {
                break;
            }
            self.net.host.now = Instant::now();
            for event in &events {
                self.note(event);
            }
            self.read_mail();
            self.run_timers();
            for _ in 0..PASSES {
                self.run_ready();
            }
            self.send_replies();
        }
        let slots: Vec<usize> = self.sessions.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.end(slot);
        }
        self.settle();
        // What still comes must not wait for ever: a session would neither be served nor closed.
        if let Some(mailbox) = self.net.host.shared.mailbox(self.net.host.worker) {
            mailbox.close();
        }
    }

    fn ended(&self) -> bool {
        let drained = self.drain.is_some_and(|deadline| {
            let late = deadline <= self.net.host.now;
            // Sessions of other workers may still use conversations of this one.
            self.sessions.is_empty() && (self.net.is_empty() && !self.net.host.closes() || late)
        });
        self.aborted || drained
    }

    fn timeout(&mut self) -> Option<Duration> {
        if !self.net.host.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        // A wait with a limit costs the host a clock interrupt, which is dear on a virtual machine.
        let sessions = &self.sessions;
        self.net.forget_timers(|timer| match timer {
            Timer::Attach(slot) => sessions.get(*slot as usize).is_none_or(Session::attached),
            _ => false,
        });
        let next = self.net.host.next_timer().into_iter().chain(self.patience).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn note(&mut self, event: &mio::event::Event) {
        let error = event.is_error();
        let seen = Event {
            readable: event.is_readable() || event.is_read_closed() || error,
            writable: event.is_writable() || error,
            doubtful: event.is_read_closed() || event.is_priority() || error,
        };
        match Source::of(event.token().0) {
            // The waker is edge-triggered and the mailbox is looked at in every turn.
            Source::Mail => {}
            Source::Listener(slot) => self.net.host.ready.push_back(Work::Listener(slot)),
            Source::Session(slot) => {
                let Some(session) = self.sessions.get_mut(slot as usize) else { return };
                session.note(seen);
                if seen.readable {
                    queue(session, &mut self.net.host.ready);
                }
                if seen.writable {
                    touch(session, &mut self.touched);
                }
            }
            Source::Conversation(key) => self.net.note(key, seen),
            Source::Closing(slot) => {
                self.net.host.note_closing(slot, seen);
            }
        }
    }

    fn run_ready(&mut self) {
        for _ in 0..self.net.host.ready.len() {
            let Some(work) = self.net.host.ready.pop_front() else { return };
            match work {
                Work::Session(slot) => self.run_session(slot),
                Work::Conversation(key) => {
                    if catch_unwind(AssertUnwindSafe(|| self.net.serve(key))).is_err() {
                        self.net.host.shared.stats.panics.add(1);
                        self.net.discard(key);
                    }
                }
                Work::Listener(slot) => self.accept(slot),
                Work::Closing(slot) => self.net.host.serve_closing(slot),
            }
            self.settle();
        }
    }

    fn run_session(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot as usize) else { return };
        session.queued = false;
        let key = session.key;
        let more = self.guarded(key, Session::turn);
        if let Some(session) = self.sessions.get_mut(slot as usize)
            && more == Some(More::Again)
        {
            queue(session, &mut self.net.host.ready);
        }
    }

    /// Runs `act` on a session; one that panics is ended. None if it is not there any more.
    fn guarded<T>(
        &mut self,
        key: SessionKey,
        act: impl FnOnce(&mut Session, &mut Net) -> T,
    ) -> Option<T> {
        let session = find(&mut self.sessions, key)?;
        let net = &mut self.net;
        if let Ok(result) = catch_unwind(AssertUnwindSafe(|| act(session, net))) {
            touch(session, &mut self.touched);
            return Some(result);
        }
        self.net.host.shared.stats.panics.add(1);
        self.end(key.slot as usize);
        None
    }

    /// Hands what came of requests to who asked.
    fn settle(&mut self) {
        while let Some((waiter, outcome)) = self.net.host.done.pop_front() {
            if waiter.worker == self.net.host.worker {
                self.deliver(waiter, outcome);
            } else {
                self.mail_outcome(waiter, outcome);
            }
        }
    }

    fn deliver(&mut self, waiter: Waiter, outcome: Outcome) {
        let Some(session) = find(&mut self.sessions, waiter.session) else {
            return self.net.drop_outcome(outcome);
        };
        // The path of every byte: no closure, and the guard costs nothing unless it is needed.
        let net = &mut self.net;
        let delivered = catch_unwind(AssertUnwindSafe(|| {
            session.deliver(waiter, outcome, net);
            if session.laden() {
                session.send(net);
            }
        }));
        if delivered.is_ok() {
            touch(session, &mut self.touched);
        } else {
            self.net.host.shared.stats.panics.add(1);
            self.end(waiter.session.slot as usize);
        }
    }

    /// What crosses to another worker leaves no buffer of this one's behind.
    fn mail_outcome(&mut self, waiter: Waiter, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Payload(payload) => {
                let bytes = payload.bytes().to_vec();
                self.net.host.pool.give(payload);
                Outcome::Bytes(bytes)
            }
            // Conversations make one for waiters of their own worker only.
            Outcome::Piped(pipe) => {
                self.net.host.pool.give_pipe(pipe);
                Outcome::Refused(Refusal::IO)
            }
            outcome => outcome,
        };
        if waiter == Waiter::NOBODY {
            return self.net.drop_outcome(outcome);
        }
        self.net.host.shared.mail(waiter.worker, Mail::Outcome { waiter, outcome });
    }

    /// Sends what sessions have to send, and ends those that are over, which may leave others
    /// something to send.
    fn send_replies(&mut self) {
        if self.patience.is_some_and(|until| until <= self.net.host.now) {
            self.patience = None;
            for slot in mem::take(&mut self.patient) {
                self.send_to(slot);
            }
        }
        while !self.touched.is_empty() {
            self.send_touched();
            self.settle();
        }
    }

    fn send_touched(&mut self) {
        while let Some(slot) = self.touched.pop() {
            let Some(session) = self.sessions.get_mut(slot as usize) else { continue };
            session.touched = false;
            if self.drain.is_none() && !session.over() && session.patient() {
                self.patient.push(slot);
                self.patience.get_or_insert(self.net.host.now + MOMENT);
            } else {
                self.send_to(slot);
            }
        }
    }

    fn send_to(&mut self, slot: u32) {
        let Some(session) = self.sessions.get_mut(slot as usize) else { return };
        let net = &mut self.net;
        let Ok(relieved) = catch_unwind(AssertUnwindSafe(|| session.send(net))) else {
            self.net.host.shared.stats.panics.add(1);
            return self.end(slot as usize);
        };
        let drained = self.drain.is_some_and(|deadline| {
            deadline <= self.net.host.now || !session.holds_conversations()
        });
        if session.over() || drained {
            self.end(slot as usize);
        } else if relieved {
            queue(session, &mut self.net.host.ready);
        }
    }

    fn read_mail(&mut self) {
        let number = self.net.host.worker;
        let mail = self.net.host.shared.mailbox(number).map(Mailbox::take);
        let mut mail: VecDeque<Mail> = mail.unwrap_or_default();
        while let Some(letter) = mail.pop_front() {
            match letter {
                Mail::Session(arrival) => self.adopt(arrival),
                Mail::Arrival(arrival) if self.open => self.deal(arrival),
                Mail::Listener(listener) if self.open => self.add_listener(listener),
                Mail::Arrival(_) | Mail::Listener(_) => {}
                Mail::Operation { waiter, key, operation } => {
                    if let Some(outcome) = self.net.perform(key, waiter, operation) {
                        self.mail_outcome(waiter, outcome);
                    }
                }
                Mail::Outcome { waiter, outcome } => self.deliver(waiter, outcome),
                Mail::Verdict { waiter, verdict } => {
                    self.guarded(waiter.session, |session, net| {
                        session.decide(&waiter, verdict, net);
                    });
                }
                Mail::Room(waiter) => self.offer_room(waiter),
                Mail::Log => {
                    let keys: Vec<_> = self.sessions.iter().map(|(_, one)| one.key).collect();
                    for key in keys {
                        self.guarded(key, Session::serve_log);
                    }
                }
                Mail::StopListening => self.stop_listening(),
                Mail::Drain(deadline) => {
                    self.stop_listening();
                    self.drain = Some(deadline);
                    self.net.host.schedule(deadline, Timer::Drain);
                    self.touch_all();
                }
                Mail::Abort => self.aborted = true,
            }
            self.settle();
        }
    }

    /// A session may ask now; if it no longer wants to, the next may.
    fn offer_room(&mut self, waiter: Waiter) {
        if self.guarded(waiter.session, Session::resume) == Some(true) {
            if let Some(session) = find(&mut self.sessions, waiter.session) {
                queue(session, &mut self.net.host.ready);
            }
        } else if let Some(next) = self.net.host.shared.upcalls.next_waiting() {
            self.net.host.shared.mail(next.worker, Mail::Room(next));
        }
    }

    fn run_timers(&mut self) {
        while let Some(timer) = self.net.host.due_timer() {
            match timer {
                Timer::Closing(slot) => self.net.host.expire_closing(slot),
                Timer::Conversation(key) => {
                    self.net.expire(key);
                    self.settle();
                }
                Timer::Attach(slot) => {
                    let Some(session) = self.sessions.get_mut(slot as usize) else { continue };
                    if !session.attached() && session.deadline <= self.net.host.now {
                        session.end();
                        touch(session, &mut self.touched);
                    }
                }
                Timer::Listener(slot) => self.net.host.ready.push_back(Work::Listener(slot)),
                Timer::Drain => self.touch_all(),
            }
        }
    }

    fn touch_all(&mut self) {
        for (_, session) in &mut self.sessions {
            touch(session, &mut self.touched);
        }
    }

    fn add_listener(&mut self, listener: OwnedFd) {
        let entry = self.listeners.vacant_entry();
        let slot = u32::try_from(entry.key()).unwrap_or(u32::MAX);
        // A listener that can't be watched is closed, which its owner sees from outside.
        if self.net.host.watch(listener.as_fd(), Source::Listener(slot)).is_ok() {
            entry.insert(listener);
            self.net.host.ready.push_back(Work::Listener(slot));
        }
    }

    fn stop_listening(&mut self) {
        self.open = false;
        self.listeners.clear();
    }

    fn accept(&mut self, slot: u32) {
        for _ in 0..ACCEPTS {
            let Some(listener) = self.listeners.get(slot as usize) else { return };
            match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(transport) => self.deal(transport.into()),
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(_) => {
                    // The edge is used up, so the listener must be come back to.
                    let when = self.net.host.now + REST;
                    return self.net.host.schedule(when, Timer::Listener(slot));
                }
            }
        }
        self.net.host.ready.push_back(Work::Listener(slot));
    }

    /// Gives a new session to the worker whose turn it is.
    fn deal(&mut self, arrival: Arrival) {
        let shared = &self.net.host.shared;
        let workers = shared.workers().len();
        let sessions = usize::try_from(shared.stats.sessions.get()).unwrap_or(usize::MAX);
        if sessions >= shared.config.limits.sessions {
            return;
        }
        shared.stats.sessions.add(1);
        shared.stats.accepted.add(1);
        // A Unix socket has neither delay nor silence, and refuses.
        let _ = set_tcp_nodelay(&arrival.transport, true)
            .and_then(|()| set_socket_keepalive(&arrival.transport, true))
            .and_then(|()| set_tcp_keepidle(&arrival.transport, SILENCE));
        let worker = self.turn_of;
        self.turn_of = if usize::from(worker) + 1 < workers { worker + 1 } else { 0 };
        if worker == self.net.host.worker {
            self.adopt(arrival);
        } else {
            shared.mail(worker, Mail::Session(arrival));
        }
    }

    /// Serves a new session; it was counted when it was accepted.
    fn adopt(&mut self, arrival: Arrival) {
        let entry = self.sessions.vacant_entry();
        let slot = u32::try_from(entry.key()).unwrap_or(u32::MAX);
        if self.net.host.watch(arrival.transport.as_fd(), Source::Session(slot)).is_err() {
            return self.net.host.shared.stats.sessions.sub(1);
        }
        self.next_serial = self.next_serial.wrapping_add(1);
        let key = SessionKey { slot, serial: self.next_serial };
        let session = entry.insert(Session::new(arrival, key, &self.net));
        self.net.host.schedule(session.deadline, Timer::Attach(slot));
        touch(session, &mut self.touched);
    }

    fn end(&mut self, slot: usize) {
        let Some(mut session) = self.sessions.try_remove(slot) else { return };
        // The session's descriptor is about to close, which ends the watch as well; said so that
        // an event of this turn can't be taken for one of the next user of the descriptor.
        let fd = session.transport().as_raw_fd();
        let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
        let net = &mut self.net;
        if catch_unwind(AssertUnwindSafe(|| session.vanish(net))).is_err() {
            self.net.host.shared.stats.panics.add(1);
        }
        self.net.host.shared.stats.sessions.sub(1);
    }
}

fn find(sessions: &mut Slab<Session>, key: SessionKey) -> Option<&mut Session> {
    sessions.get_mut(key.slot as usize).filter(|session| session.key == key)
}

fn queue(session: &mut Session, ready: &mut VecDeque<Work>) {
    if !session.queued {
        session.queued = true;
        ready.push_back(Work::Session(session.key.slot));
    }
}

fn touch(session: &mut Session, touched: &mut Vec<u32>) {
    if !session.touched {
        session.touched = true;
        touched.push(session.key.slot);
    }
}
