//! A pump's way up: bytes of the local socket to the conversation, as Twrites.
//!
//! Bytes are received into the buffer that they are sent from, behind room for the header, or
//! spliced while they come in large pieces. How many may be unanswered is the window's to say; while it is shut the local socket is not read,
//! and its sender feels it.

use std::collections::VecDeque;

use netrelay_proto::ids::{Fid, Tag};

use crate::client::buffers::CAPACITY;
use crate::client::link::Link;
use crate::client::outbound::Lane;
use crate::client::stream::{Moved, Stream};
use crate::client::window::write_room;
use crate::pipe::{Pipe, ROOM, WORTH};

/// Twrites of one pump outstanding: keystrokes must not use up a server's requests. What comes
/// meanwhile is gathered by the kernel and goes with the next.
const MOST: usize = 64;

/// How far the way up has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    Open,
    /// The local side ended; Twrites are still to be answered.
    Draining,
    /// `shutdown write` is on its way.
    Finishing,
    /// The remote takes no more: what comes is thrown away until the local side ends.
    Discarding,
    Ended,
}

/// What a turn at the local socket brought.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Pulled {
    /// There may be more: come again.
    More,
    /// Nothing to do until the poll or an answer says so.
    Rest,
    /// The local socket is broken.
    Broken,
}

#[derive(Debug)]
pub(super) struct Up {
    pub(super) state: State,
    /// Twrites outstanding.
    pub(super) asked: VecDeque<Tag>,
    pub(super) bytes: u64,
    /// The poll said that there is something to read.
    pub(super) readable: bool,
    /// The poll said that the local side has ended, so it must be read until it says so itself.
    pub(super) closing: bool,
    /// Payloads in the session's slow lane.
    pub(super) queued: usize,
    unanswered: usize,
    /// The last receive was worth a splice, so the next may be one.
    bulk: bool,
}

impl Up {
    pub(super) fn new() -> Self {
        let asked = VecDeque::new();
        Self {
            state: State::Open,
            asked,
            bytes: 0,
            readable: true,
            closing: false,
            queued: 0,
            unanswered: 0,
            bulk: false,
        }
    }

    /// Where a frame must wait that may not overtake this pump's payloads.
    pub(super) fn lane(&self) -> Lane {
        if self.queued > 0 { Lane::Behind } else { Lane::Ahead }
    }

    /// Reads the local socket once, and sends what came.
    pub(super) fn pull(
        &mut self,
        fid: Fid,
        owner: usize,
        local: &Stream,
        link: &mut Link,
    ) -> Pulled {
        let room = match self.state {
            State::Open => self.room(link),
            State::Discarding => CAPACITY,
            State::Draining | State::Finishing | State::Ended => 0,
        };
        if room == 0 || !self.readable {
            return Pulled::Rest;
        }
        let splice = self.state == State::Open && self.bulk && room >= WORTH;
        let moved = match if splice { link.pool.pipe() } else { None } {
            Some(pipe) => self.splice(fid, owner, (local, pipe, room), link),
            None => self.receive(fid, owner, (local, room.min(CAPACITY)), link),
        };
        let Some(moved) = moved else { return Pulled::Broken };
        match moved {
            Moved::Bytes(_) => Pulled::More,
            Moved::Blocked => {
                self.readable = false;
                Pulled::Rest
            }
            Moved::End => {
                let refused = self.state == State::Discarding;
                self.state = if refused { State::Ended } else { State::Draining };
                Pulled::Rest
            }
            Moved::Broken => Pulled::Broken,
        }
    }

    /// Receives once and sends what came; none when it can't be sent.
    fn receive(
        &mut self,
        fid: Fid,
        owner: usize,
        (local, room): (&Stream, usize),
        link: &mut Link,
    ) -> Option<Moved> {
        let mut buffer = link.pool.take();
        let moved = local.recv(buffer.room(0, room));
        if let (Moved::Bytes(len), State::Open) = (moved, self.state) {
            let sent = link.write(fid, self.bytes, (buffer, len), self.lane(), owner);
            let (tag, slow) = sent?;
            self.sent(tag, len, slow);
            // Edge-triggered: less than was asked for is all there was, and the poll tells of
            // more. Only an end that is there already would not be told again.
            self.readable = len == room || self.closing;
        } else {
            link.pool.give(buffer);
        }
        Some(moved)
    }

    fn splice(
        &mut self,
        fid: Fid,
        owner: usize,
        (local, mut pipe, room): (&Stream, Pipe, usize),
        link: &mut Link,
    ) -> Option<Moved> {
        let moved = local.fill(&mut pipe, room.min(ROOM));
        if let Moved::Bytes(len) = moved {
            let tag = link.write_piped(fid, self.bytes, pipe, owner)?;
            self.sent(tag, len, true);
        } else {
            link.pool.give_pipe(pipe);
        }
        Some(moved)
    }

    /// Notes a Twrite of `len` bytes.
    fn sent(&mut self, tag: Tag, len: usize, slow: bool) {
        self.asked.push_back(tag);
        self.queued += usize::from(slow);
        self.unanswered += len;
        self.bytes += len as u64;
        self.bulk = len >= WORTH;
    }

    /// Notes that `len` bytes sent under `tag` are answered, for good or ill.
    pub(super) fn answered(&mut self, tag: Tag, len: u32, link: &mut Link) {
        let len = len as usize;
        self.asked.retain(|asked| *asked != tag);
        self.unanswered = self.unanswered.saturating_sub(len);
        link.unanswered = link.unanswered.saturating_sub(len);
    }

    /// Whether a turn at the local socket would do something.
    pub(super) fn eager(&self, link: &Link) -> bool {
        match self.state {
            State::Open => self.readable && self.room(link) > 0,
            State::Discarding => self.readable,
            State::Draining | State::Finishing | State::Ended => false,
        }
    }

    pub(super) fn starved(&self, link: &Link) -> bool {
        self.state == State::Open && self.readable && self.asked.is_empty() && !self.eager(link)
    }

    fn room(&self, link: &Link) -> usize {
        let most = if link.calls.crowded() { 1 } else { MOST };
        if self.asked.len() >= most {
            return 0;
        }
        let iounit = link.agreed.iounit() as usize;
        write_room(link.agreed.windowed, iounit, self.unanswered, link.unanswered)
    }
}
