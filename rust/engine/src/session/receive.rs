//! From the transport to requests: receiving, cutting frames, and passing large Twrites through.
//!
//! Frames are cut where they were received and never copied whole. A Twrite on data that is only
//! there in part is not waited for: once its head is there its payload goes to the conversation as
//! it arrives (cut-through), so a large write costs neither its latency nor a buffer of its size. The
//! larger ones are spliced, and while they follow one another little is received at a time, so
//! that most of the next one is still in the kernel when its head is known.
//! What else is there in part is kept: a few bytes as a copy, more in the buffer it came in, so that
//! an idle session holds no buffer and a trickling one does not copy again and again.

use netrelay_proto::deframe::Head;
use netrelay_proto::error::Refusal;
use netrelay_proto::ids::Fid;
use netrelay_proto::message::Twrite;
use netrelay_proto::server::Step;
use rustix::io::Errno;

use super::Session;
use super::opened::Opened;
use super::parked::{At, Place};
use crate::buffers::{LARGE, ORDINARY, Payload, Pool};
use crate::mailbox::Waiter;
use crate::net::{Net, Spliced, receive};
use crate::pipe::WORTH;
use crate::tree::qid::{File, Key};

/// Receives of one turn; then others have theirs.
const RECEIVES: usize = 4;

/// A Twrite above this is passed through; below, waiting for the rest is cheaper.
const THROUGH: usize = 4 << 10;

/// What is received at a time while large Twrites follow one another: a head and little more.
const HEADS: usize = 4 << 10;

/// A partial frame up to this is kept as a copy and its buffer given back.
const COPIED: usize = 4 << 10;

/// Bytes received and not yet cut into requests.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts, in any combination")]
pub(super) struct Inbox {
    /// The last event said so and no receive has found otherwise.
    readable: bool,
    /// A short receive does not mean that nothing is left.
    doubtful: bool,
    /// The last receive filled its buffer, so the next is given a larger one.
    large: bool,
    /// A Twrite was spliced and nothing else has come since.
    bulk: bool,
    /// The begin of a frame, if it is short.
    begun: Vec<u8>,
    /// The begin of a frame, or whole ones that a full upcall queue holds back.
    partial: Option<Payload>,
    mode: Mode,
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug, Default)]
enum Mode {
    #[default]
    Frames,
    /// The payload of a Twrite for a conversation.
    Through { waiter: Waiter, key: Key, left: usize },
    /// The payload of a Twrite that was refused.
    Skip { left: usize },
}

/// Whether a session wants another turn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum More {
    /// Nothing until something happens.
    Idle,
    /// There is more to receive.
    Again,
}

impl Inbox {
    pub(super) fn note_readable(&mut self, doubtful: bool) {
        self.readable = true;
        self.doubtful |= doubtful;
    }

    pub(super) fn discard(&mut self, pool: &mut Pool) {
        if let Some(partial) = self.partial.take() {
            pool.give(partial);
        }
    }

    /// A buffer that begins with what is kept and has room for the rest of its frame.
    fn buffer(&mut self, msize: u32, pool: &mut Pool) -> Payload {
        let Some(partial) = self.partial.take() else {
            let mut buffer = pool.take(if self.large { LARGE } else { ORDINARY });
            buffer.append(&self.begun);
            self.begun.clear();
            return buffer;
        };
        let frame = match Head::parse(partial.bytes(), msize) {
            Ok(Some(head)) => head.size as usize,
            _ => 0,
        };
        if frame.saturating_sub(partial.len()) <= partial.vacant() && partial.vacant() > 0 {
            return partial;
        }
        let mut buffer = pool.take(ORDINARY.max(frame).max(partial.len() + 1));
        buffer.append(partial.bytes());
        pool.give(partial);
        buffer
    }

    /// Keeps what is left of `buffer`.
    fn keep(&mut self, buffer: Payload, pool: &mut Pool) {
        if buffer.len() > COPIED {
            self.partial = Some(buffer);
            return;
        }
        if buffer.is_empty() {
            // Nothing is kept, not even the room for it.
            self.begun = Vec::new();
        } else {
            self.begun.clear();
            self.begun.extend_from_slice(buffer.bytes());
        }
        pool.give(buffer);
    }
}

impl Session {
    /// Receives and serves requests for a bounded time.
    pub(crate) fn turn(&mut self, net: &mut Net) -> More {
        for _ in 0..RECEIVES {
            if self.blocked() {
                return More::Idle;
            }
            if self.splice(net) {
                continue;
            }
            let mut buffer = self.inbox.buffer(self.server.msize(), &mut net.host.pool);
            // Whole frames may be there from when there was no room for a question.
            self.serve(&mut buffer, net);
            if !self.blocked() && self.inbox.readable {
                self.receive(&mut buffer);
                self.serve(&mut buffer, net);
            }
            self.inbox.keep(buffer, &mut net.host.pool);
            if !self.inbox.readable {
                return More::Idle;
            }
            if self.laden() {
                self.send(net);
            }
        }
        if self.blocked() { More::Idle } else { More::Again }
    }

    /// There is room for the question that was held back: asks it. `false` if there is none.
    pub(crate) fn resume(&mut self, net: &mut Net) -> bool {
        let Some((waiter, question)) = self.held_question.take() else { return false };
        self.ask_python(waiter, question, net);
        true
    }

    /// Whether nothing may be received or served now.
    fn blocked(&self) -> bool {
        self.over || self.congested || self.held_question.is_some()
    }

    /// Splices what comes of a large Twrite; whether that did anything.
    fn splice(&mut self, net: &mut Net) -> bool {
        let Mode::Through { waiter, key, left } = self.inbox.mode else { return false };
        let empty = self.inbox.partial.is_none() && self.inbox.begun.is_empty();
        if left < WORTH || !empty || !self.inbox.readable {
            return false;
        }
        match net.splice(key, &waiter, (self.transport(), left)) {
            Spliced::Got(0) => self.over = true,
            Spliced::Got(got) => {
                self.inbox.bulk = true;
                let left = left - got;
                self.inbox.mode = match left {
                    0 => Mode::Frames,
                    left => Mode::Through { waiter, key, left },
                };
            }
            Spliced::Nothing => {
                self.inbox.readable = false;
                self.inbox.doubtful = false;
            }
            Spliced::Unable => return false,
        }
        true
    }

    fn receive(&mut self, buffer: &mut Payload) {
        let room = buffer.room(match self.inbox.mode {
            Mode::Through { left, .. } if self.inbox.bulk => left + HEADS,
            Mode::Frames if self.inbox.bulk => HEADS,
            _ => usize::MAX,
        });
        let asked = room.len();
        match receive(self.transport(), room) {
            Ok(0) => self.over = true,
            Ok(got) => {
                buffer.filled(got);
                self.inbox.readable = got == asked || self.inbox.doubtful;
                if !self.inbox.bulk {
                    self.inbox.large = got == asked || self.inbox.large && got > ORDINARY;
                }
            }
            Err(Errno::AGAIN) => {
                self.inbox.readable = false;
                self.inbox.doubtful = false;
            }
            Err(_) => self.over = true,
        }
    }

    /// Takes requests off the front of `buffer` as far as they are there.
    fn serve(&mut self, buffer: &mut Payload, net: &mut Net) {
        let mut at = 0;
        while let Some(rest) = buffer.bytes().get(at..).filter(|rest| !rest.is_empty()) {
            match self.advance(rest, net) {
                0 => break,
                used => at += used,
            }
        }
        buffer.consume(at);
    }

    /// Takes one step at the front of `rest`; how many bytes it took, 0 when more must come.
    fn advance(&mut self, rest: &[u8], net: &mut Net) -> usize {
        match &mut self.inbox.mode {
            Mode::Frames => {}
            Mode::Through { waiter, key, left } => {
                let piece = rest.get(..*left).unwrap_or(rest);
                *left -= piece.len();
                let (waiter, key, done) = (*waiter, *key, *left == 0);
                if done {
                    self.inbox.mode = Mode::Frames;
                }
                net.feed(key, &waiter, piece);
                return piece.len();
            }
            Mode::Skip { left } => {
                let count = rest.len().min(*left);
                *left -= count;
                if *left == 0 {
                    self.inbox.mode = Mode::Frames;
                }
                return count;
            }
        }
        if self.over || self.held_question.is_some() {
            return 0;
        }
        let Ok(head) = Head::parse(rest, self.server.msize()) else {
            self.broken(net);
            return 0;
        };
        let Some(head) = head else { return 0 };
        if let Some(frame) = rest.get(..head.size as usize) {
            self.inbox.bulk = false;
            if head.kind == Twrite::KIND
                && let used @ 1.. = self.write_run(rest, frame.len(), net)
            {
                return used;
            }
            self.request(frame, net);
            return frame.len();
        }
        match rest.get(..Twrite::HEAD) {
            Some(start) if head.kind == Twrite::KIND && head.size as usize > THROUGH => {
                self.begin_write(start, net)
            }
            _ => 0,
        }
    }

    /// Begins a Twrite by its head, if it is one on data of a conversation of this worker; how
    /// many bytes it took.
    fn begin_write(&mut self, head: &[u8], net: &mut Net) -> usize {
        let fid = head.get(7..).and_then(|rest| rest.first_chunk());
        let fid = fid.map(|bytes| Fid(u32::from_le_bytes(*bytes)));
        let Some(Opened::Conversation(held)) = fid.and_then(|fid| self.files.get(&fid)) else {
            return 0;
        };
        let at = At { key: held.key, worker: held.worker };
        let streams = at.key.branch.protocol.streams();
        if held.file != File::Data || at.worker != net.host.worker || !streams {
            return 0;
        }
        let ask = match self.server.begin_write(head) {
            Ok(Some(ask)) => ask,
            Ok(None) => return 0,
            Err(_) => {
                self.broken(net);
                return 0;
            }
        };
        let count = ask.count as usize;
        let waiter = self.waiter(ask.tag, ask.fid.fid, net);
        let begun = self
            .admit_write(ask.fid.fid, net)
            .and_then(|()| net.begin_write(at.key, waiter, count));
        self.inbox.mode = match begun {
            Ok(()) => {
                self.park(waiter, Place::Write(at, count), net);
                Mode::Through { waiter, key: at.key, left: count }
            }
            Err(why) => {
                self.refuse(ask.tag, &why, net);
                Mode::Skip { left: count }
            }
        };
        head.len()
    }

    fn request(&mut self, frame: &[u8], net: &mut Net) {
        let out = self.replies.text(&mut net.host.pool);
        match self.server.request(frame, out) {
            Ok(Step::Done) => {}
            Ok(Step::Ask(ask)) => self.ask(&ask, net),
            Ok(Step::Withdraw(tag)) => self.withdraw(tag, net),
            Ok(Step::Reset) => self.forget(net),
            Err(_) => self.broken(net),
        }
    }

    /// The bytes are not 9P; nothing after them can be trusted.
    fn broken(&mut self, net: &Net) {
        net.host.shared.stats.broken_sessions.add(1);
        self.over = true;
    }

    /// Whether another Twrite may wait at `fid`.
    pub(super) fn admit_write(&mut self, fid: Fid, net: &Net) -> Result<(), Refusal> {
        let shared = &net.host.shared;
        let limits = &shared.config.limits;
        let gateway = usize::try_from(shared.stats.parked_bytes.get()).unwrap_or(usize::MAX);
        let full = self.parked_bytes >= limits.session_write_bytes
            || gateway >= limits.gateway_write_bytes;
        match self.files.get_mut(&fid) {
            Some(Opened::Conversation(held)) => held.admit_write(full, limits),
            _ => Ok(()),
        }
    }
}
