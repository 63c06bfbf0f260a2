//! The handle of an importer: what an embedding program holds.
//!
//! Calls put a command into the worker's mailbox and return its id at once; what came of it waits
//! in the queue of completions. Nothing here blocks but [`Importer::close`], and that only for
//! the worker's current turn.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;

use mio::{Poll, Waker};
use netrelay_proto::client::Client;
use netrelay_proto::dialect::{VERSIONS, WINDOWED};
use netrelay_proto::error::{Refusal, UsageError};
use netrelay_proto::ids::{Fid, MAXWELEM, MIN_MSIZE, Tag};
use netrelay_proto::message::{Message, encode};

use super::completion::{Completion, Completions, Outcome};
use super::core::Command;
use super::dial::Errand;
use super::fids::Fids;
use super::link::Agreed;
use super::stats::Counters;
use super::stream::Stream;
use super::worker::{SESSION, WAKER, Worker};

/// What an importer asks of the server.
#[derive(Clone, Debug)]
pub struct Options {
    /// Largest frame, header included.
    pub msize: u32,
    /// The version to offer; the plain one is offered to a server that answers `unknown`.
    pub version: String,
}

impl Default for Options {
    /// A mebibyte, beyond which bulk gains nothing, and the version with the window.
    fn default() -> Self {
        Self { msize: 1 << 20, version: WINDOWED.to_owned() }
    }
}

/// Why a call was not begun.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Refused {
    /// The call itself is wrong.
    Usage(UsageError),
    /// The path has no name, or more than a Twalk carries with what the importer adds.
    Path,
    /// The options are out of range.
    Options,
    /// Too much is under way, or uncollected.
    Busy,
    /// The host refused a descriptor or a thread: its error number.
    Host(i32),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Usage(error) => error.fmt(f),
            Self::Path => f.write_str("a path must have 1 to 14 names"),
            Self::Options => f.write_str("msize or version out of range"),
            Self::Busy => f.write_str("too many requests"),
            Self::Host(errno) => std::io::Error::from_raw_os_error(*errno).fmt(f),
        }
    }
}

impl std::error::Error for Refused {}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Self {
        Self::Host(error.raw_os_error().unwrap_or_default())
    }
}

/// One 9P session used as a client, with its own thread.
///
/// Dropping it closes the session.
#[derive(Debug)]
pub struct Importer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What handle and worker both see.
#[derive(Debug)]
pub(crate) struct Shared {
    mailbox: Mutex<Mailbox>,
    waker: Waker,
    agreed: OnceLock<Agreed>,
    ids: AtomicU64,
    pub(crate) completions: Completions,
    pub(crate) fids: Fids,
    pub(crate) counters: Counters,
}

#[derive(Debug, Default)]
struct Mailbox {
    commands: Vec<Command>,
    closed: bool,
}

impl Importer {
    /// Takes over a connected stream socket to a gateway and begins a session on it.
    ///
    /// Owns `stream`. A completion with id 0 tells when requests may be made.
    ///
    /// # Errors
    /// The options are out of range, or the host has no descriptors or threads left.
    pub fn start(stream: OwnedFd, options: &Options) -> Result<Self, Refused> {
        if options.msize < MIN_MSIZE || !VERSIONS.contains(&options.version.as_str()) {
            return Err(Refused::Options);
        }
        let poll = Poll::new()?;
        let stream = Stream::new(stream)?;
        stream.register(poll.registry(), SESSION)?;
        let shared = Arc::new(Shared {
            mailbox: Mutex::default(),
            waker: Waker::new(poll.registry(), WAKER)?,
            agreed: OnceLock::new(),
            ids: AtomicU64::new(1),
            completions: Completions::new()?,
            fids: Fids::after(Self::ROOT),
            counters: Counters::default(),
        });
        let worker = Worker::new(poll, stream, shared.clone());
        let session = Client::new(options.msize, &options.version);
        let builder = std::thread::Builder::new().name("netrelay-import".into());
        let thread = Mutex::new(Some(builder.spawn(move || worker.run(session))?));
        Ok(Self { shared, thread })
    }

    /// Readable while completions wait.
    pub fn completion_fd(&self) -> BorrowedFd<'_> {
        self.shared.completions.event()
    }

    /// Takes the completions that wait.
    pub fn completions(&self) -> Vec<Completion> {
        Counters::add(&self.shared.counters.entries, 1);
        self.shared.completions.take()
    }

    /// What was agreed on, once it was.
    pub fn agreed(&self) -> Option<Agreed> {
        self.shared.agreed.get().copied()
    }

    /// The fid that the embedding program attaches first, and that paths begin at.
    pub const ROOT: Fid = Fid(0);

    /// A fid number that is not in use, never that of the root. It is free again when a Tclunk or Tremove of it, made by
    /// [`Importer::rpc`] or by a pump, is answered.
    pub fn new_fid(&self) -> Fid {
        self.shared.fids.take()
    }

    /// Gives back a number that the server never came to know, its attach or walk having failed.
    pub fn free_fid(&self, fid: Fid) {
        self.shared.fids.give(fid);
    }

    /// Makes a request; its reply is the completion with the returned id.
    ///
    /// # Errors
    /// No version is agreed on yet, the dialect lacks the message, it does not fit msize, or too
    /// much is under way.
    pub fn rpc(&self, message: &Message<'_>) -> Result<u64, Refused> {
        let agreed = self.agreed().ok_or(Refused::Usage(UsageError::NoVersion))?;
        // A Tversion would end what is under way, a Tflush is `flush`'s, and an R-message is
        // no request.
        if matches!(message, Message::Tversion(_) | Message::Tflush(_)) || message.kind() % 2 == 1 {
            return Err(Refused::Usage(UsageError::NoRequest(message.name())));
        }
        let mut frame = Vec::new();
        encode(Tag(0), message, agreed.dialect, agreed.msize, &mut frame)
            .map_err(|error| Refused::Usage(UsageError::TooBig(error)))?;
        self.begin(|id| Command::Rpc { id, frame })
    }

    /// Withdraws what was begun under `id`.
    ///
    /// An rpc completes as flushed, or with its reply if that was on its way; a dial or a listen
    /// is refused as `interrupted`; a pump ends with a hangup. An id that is completed already,
    /// or was never given out, is let be.
    pub fn flush(&self, id: u64) {
        self.put(Command::Flush { id });
    }

    /// Dials `remote` (`addr!port`) by the clone file at `clone`, a path below [`Importer::ROOT`].
    ///
    /// # Errors
    /// The path is empty or too long, or too much is under way.
    pub fn dial(&self, clone: Vec<String>, remote: String) -> Result<u64, Refused> {
        self.errand(clone, Errand::Dial(remote))
    }

    /// The same, and then pumps the conversation to `local`, which it owns: completes as a dial
    /// and then, at its end, as a pump. A dial that fails is the end of it, and `local` is reset.
    ///
    /// # Errors
    /// As for [`Importer::dial`]; `local` is closed.
    pub fn dial_and_pump(
        &self,
        clone: Vec<String>,
        remote: String,
        local: OwnedFd,
    ) -> Result<u64, Refused> {
        let local = Stream::new(local)?;
        self.errand(clone, Errand::DialAndPump(remote, local))
    }

    /// Waits for the next call of the announced conversation whose directory `path` is.
    ///
    /// # Errors
    /// As for [`Importer::dial`].
    pub fn listen(&self, path: Vec<String>) -> Result<u64, Refused> {
        self.errand(path, Errand::Listen)
    }

    /// Pumps bytes between the open fid `data` and `local`, both ways, until both have ended.
    ///
    /// Owns `local`, `data` and `ctl` ([`Fid::NOFID`] for none): the fids are clunked at the end.
    ///
    /// # Errors
    /// The descriptor is no stream, or too much is under way; `local` is closed.
    pub fn pump(&self, ctl: Fid, data: Fid, local: OwnedFd) -> Result<u64, Refused> {
        let local = Stream::new(local)?;
        self.begin(|id| Command::Pump { id, ctl, data, local })
    }

    /// The counters and their names.
    pub fn stats(&self) -> Vec<(&'static str, u64)> {
        self.shared.counters.all()
    }

    /// Ends the session. All that is under way completes, then an [`Outcome::Ended`].
    ///
    /// Blocks for the worker's current turn.
    pub fn close(&self) {
        self.put(Command::Close);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic of the worker was caught and counted there.
            let _ = thread.join();
        }
    }

    fn errand(&self, path: Vec<String>, errand: Errand) -> Result<u64, Refused> {
        // Two names are added at most: a number's directory and a file in it.
        if path.is_empty() || path.len() > MAXWELEM - 2 {
            return Err(Refused::Path);
        }
        self.begin(|id| Command::Errand { id, root: Self::ROOT, path, errand })
    }

    fn begin(&self, command: impl FnOnce(u64) -> Command) -> Result<u64, Refused> {
        if !self.shared.completions.begin() {
            return Err(Refused::Busy);
        }
        let id = self.shared.ids.fetch_add(1, Ordering::Relaxed);
        self.put(command(id));
        Ok(id)
    }

    fn put(&self, command: Command) {
        Counters::add(&self.shared.counters.entries, 1);
        let mut mailbox = self.shared.mailbox();
        let first = mailbox.commands.is_empty();
        mailbox.commands.push(command);
        if mailbox.closed {
            let late = std::mem::take(&mut mailbox.commands);
            drop(mailbox);
            self.shared.refuse(late);
        } else if first {
            drop(mailbox);
            // It fails only when the poll is gone, and then the mailbox is closed.
            let _ = self.shared.waker.wake();
        }
    }
}

impl Drop for Importer {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// Takes the commands that wait.
    pub(crate) fn commands(&self) -> Vec<Command> {
        std::mem::take(&mut self.mailbox().commands)
    }

    /// Whether a close waits; commands before it stay where they are.
    pub(crate) fn closing(&self) -> bool {
        self.mailbox().commands.iter().any(|command| matches!(command, Command::Close))
    }

    pub(crate) fn agree(&self, agreed: Agreed) {
        // There is one worker, and it agrees once.
        let _ = self.agreed.set(agreed);
        self.completions.push(0, Outcome::Ready(agreed));
    }

    /// The session is over: what waits is refused, and all that comes later.
    pub(crate) fn end(&self, why: Option<String>) {
        let mut mailbox = self.mailbox();
        mailbox.closed = true;
        let left = std::mem::take(&mut mailbox.commands);
        drop(mailbox);
        self.refuse(left);
        self.completions.push(0, Outcome::Ended(why));
    }

    fn refuse(&self, commands: Vec<Command>) {
        for command in commands {
            let (id, outcome) = match command {
                Command::Rpc { id, .. } => (id, Outcome::Refused(Refusal::HUNGUP)),
                Command::Errand { id, errand, .. } => (id, errand.refused(Refusal::HUNGUP)),
                Command::Pump { id, local, .. } => {
                    local.reset_on_close();
                    let error = Some(Refusal::HUNGUP.text.into());
                    (id, Outcome::Pumped { up: 0, down: 0, error })
                }
                Command::Flush { .. } | Command::Close => continue,
            };
            self.completions.push(id, outcome);
        }
    }

    fn mailbox(&self) -> MutexGuard<'_, Mailbox> {
        // A panic elsewhere can't leave a list of whole commands torn.
        self.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
