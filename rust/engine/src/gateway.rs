//! The handle that a program holds of a running gateway.
//!
//! A gateway is its worker threads; the handle only sends them mail and reads counters, so it may
//! be used from any thread and no call of it blocks but [`Gateway::wait_closed`]. What the engine
//! wants from the program is announced by two descriptors that an event loop can watch: one
//! readable when questions wait, one when all workers have ended.
//!
//! It never makes a listener: binding, permissions and the dial string's grammar are the program's.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use mio::{Poll, Token, Waker};
use rustix::event::{EventfdFlags, eventfd};

use crate::config::{Config, Namespace};
use crate::error::EngineError;
use crate::mailbox::{Arrival, Mail, Mailbox};
use crate::shared::Shared;
use crate::tree::qid::StackId;
use crate::upcall::{Upcall, Verdict};
use crate::work::Source;
use crate::worker::Worker;

/// A running gateway. Dropping it ends it at once.
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    ending: Arc<Ending>,
}

impl Gateway {
    /// Starts the workers. Nothing is served before [`Gateway::listen`].
    ///
    /// # Errors
    /// A setting is no good (the root, a prefix), or the host has no threads or descriptors left.
    pub fn start(config: Config) -> Result<Self, EngineError> {
        let workers = match config.workers {
            0 => thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        let workers = u16::try_from(workers).unwrap_or(MOST_WORKERS).min(MOST_WORKERS);
        let mut polls = Vec::new();
        let mut mailboxes = Vec::new();
        for _ in 0..workers {
            let poll = Poll::new().map_err(|error| EngineError::new("epoll_create", error))?;
            let waker = Waker::new(poll.registry(), Token(Source::Mail.token()));
            let waker = waker.map_err(|error| EngineError::new("eventfd", error))?;
            mailboxes.push(Mailbox::new(waker));
            polls.push(poll);
        }
        let shared = Arc::new(Shared::new(config, mailboxes)?);
        let gateway = Self { shared, ending: Arc::new(Ending::new()?) };
        for (number, poll) in (0..workers).zip(polls) {
            let worker = Worker::new(number, poll, Arc::clone(&gateway.shared));
            let worker = worker.map_err(|error| EngineError::new("epoll_create", error))?;
            let running = Running::new(Arc::clone(&gateway.ending));
            let name = format!("netrelay-{number}");
            let spawned = thread::Builder::new().name(name).spawn(move || {
                worker.run();
                drop(running);
            });
            spawned.map_err(|error| EngineError::new("thread", error))?;
        }
        Ok(gateway)
    }

    /// Serves sessions that come to `listener`: a bound and listening stream socket, TCP or Unix.
    ///
    /// Owns: the listener is closed when the gateway stops listening.
    ///
    /// # Errors
    /// The descriptor can't be made non-blocking.
    pub fn listen(&self, listener: OwnedFd) -> Result<(), EngineError> {
        rustix::io::ioctl_fionbio(&listener, true)
            .map_err(|error| EngineError::new("ioctl", error))?;
        let name = rustix::net::getsockname(&listener).ok();
        if let Some(Ok(address)) = name.map(SocketAddr::try_from) {
            self.shared.add_port(address.port());
        }
        self.shared.mail(0, Mail::Listener(listener));
        Ok(())
    }

    /// Serves one session over `transport`: a connected stream socket, whoever made it. Its attaches
    /// see the subtree `root` of what is exported.
    ///
    /// Owns: it is closed when the session ends, or at once if there are too many.
    ///
    /// # Errors
    /// The descriptor can't be made non-blocking.
    pub fn serve(&self, transport: OwnedFd, root: &str) -> Result<(), EngineError> {
        rustix::io::ioctl_fionbio(&transport, true)
            .map_err(|error| EngineError::new("ioctl", error))?;
        self.shared.mail(0, Mail::Arrival(Arrival { transport, root: root.into() }));
        Ok(())
    }

    /// Readable when [`Gateway::upcalls`] has something to take.
    pub fn upcall_fd(&self) -> BorrowedFd<'_> {
        self.shared.upcalls.bell()
    }

    /// Takes the questions that wait.
    pub fn upcalls(&self) -> Vec<Upcall> {
        self.shared.upcalls.take()
    }

    /// Answers a question. One that was flushed meanwhile, or answered, is no error.
    pub fn answer(&self, id: u64, verdict: Verdict) {
        let (asker, next) = self.shared.upcalls.answer(id);
        if let Some(waiter) = asker {
            self.shared.mail(waiter.worker, Mail::Verdict { waiter, verdict });
        }
        if let Some(next) = next {
            self.shared.mail(next.worker, Mail::Room(next));
        }
    }

    /// What is mounted where from now on; what is open goes on.
    ///
    /// # Errors
    /// A spot that no file can be at; then all stays as it was.
    pub fn set_namespace(&self, namespace: &Namespace) -> Result<(), String> {
        self.shared.set_namespace(namespace)
    }

    /// `ipifc` of stack `stack` lists `count` interfaces from now on; false if there is no such
    /// stack.
    pub fn set_interfaces(&self, stack: usize, count: u32) -> bool {
        let id = u8::try_from(stack).ok().filter(|_| stack < self.shared.stack_count());
        id.inspect(|id| self.shared.stack(StackId(*id)).set_interfaces(count)).is_some()
    }

    /// The counters by name; see the engine's `stats`.
    pub fn stats(&self) -> Vec<(&'static str, u64)> {
        self.shared.stats.snapshot()
    }

    /// Closes the listeners; sessions go on.
    pub fn stop_listening(&self) {
        self.tell(|| Mail::StopListening);
    }

    /// Stops listening and closes sessions as soon as they hold no conversation; at `deadline`
    /// from now all that are left. Returns at once; see [`Gateway::wait_closed`].
    pub fn shutdown(&self, deadline: Duration) {
        let now = Instant::now();
        // A deadline beyond what the clock can tell is none.
        let at = now.checked_add(deadline).unwrap_or(now + A_YEAR);
        self.tell(|| Mail::Drain(at));
    }

    /// Ends everything now.
    pub fn abort(&self) {
        self.tell(|| Mail::Abort);
    }

    /// Readable, and for ever, once all workers have ended.
    pub fn closed_fd(&self) -> BorrowedFd<'_> {
        self.ending.bell.as_fd()
    }

    /// Waits until all workers have ended, at most `timeout`; whether they have.
    ///
    /// Blocks.
    pub fn wait_closed(&self, timeout: Duration) -> bool {
        let running = self.ending.running.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.ending.over.wait_timeout_while(running, timeout, |left| *left > 0);
        *waited.unwrap_or_else(PoisonError::into_inner).0 == 0
    }

    fn tell(&self, mail: impl Fn() -> Mail) {
        for worker in self.shared.workers() {
            self.shared.mail(worker, mail());
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.abort();
    }
}

/// How many workers still run.
#[derive(Debug)]
struct Ending {
    running: Mutex<usize>,
    over: Condvar,
    bell: OwnedFd,
}

impl Ending {
    fn new() -> Result<Self, EngineError> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let bell = bell.map_err(|error| EngineError::new("eventfd", error))?;
        Ok(Self { running: Mutex::new(0), over: Condvar::new(), bell })
    }
}

/// A worker that runs; dropped when its thread ends, however it ends.
#[derive(Debug)]
struct Running(Arc<Ending>);

impl Running {
    fn new(ending: Arc<Ending>) -> Self {
        *ending.running.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self(ending)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        *running -= 1;
        if *running == 0 {
            // The counter can't be full: it is written once.
            let _ = rustix::io::write(&self.0.bell, &1_u64.to_ne_bytes());
            self.0.over.notify_all();
        }
    }
}

/// Beyond it a machine has other limits; the number is one of 16 bits in every waiter.
const MOST_WORKERS: u16 = 1024;

/// Longer than any gateway is asked to drain.
const A_YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
