//! The way from a conversation's socket to its readers.
//!
//! Treads wait in order of arrival and each takes what is there, at least one byte. A payload is
//! received into the buffer it will be sent from, or spliced where it is large. Nothing is received unless a Tread waits, so
//! the kernel's window is the back-pressure towards the network and an idle conversation holds no
//! buffer. A withdrawn Tread has therefore taken no byte.
//!
//! After the end of the stream readers get 0 bytes three times and then `i/o on hungup channel`,
//! which stops programs that loop; after a failure they get its text at once.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;

use netrelay_proto::error::Refusal;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::buffers::{LARGE, ORDINARY, Payload};
use crate::error::refusal;
use crate::mailbox::Waiter;
use crate::net::conversation::More;
use crate::net::host::Host;
use crate::net::operation::Outcome;
use crate::pipe::{Pipe, ROOM, WORTH};
use crate::tree::qid::Key;

/// Bytes one conversation may receive before others have their turn.
const TURN: usize = 1 << 20;

/// What a hung-up conversation keeps of what had arrived; more is only there when a client has
/// let it lie, and the kernel's own default bound for a socket is about as large.
const KEPT: usize = 4 << 20;

/// Reads of the end of the stream that return 0 bytes before they are refused.
const ZEROS: u8 = 3;

/// Waiting Treads and what is known of the stream's end.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts, in any combination")]
pub(crate) struct Inbound {
    reads: VecDeque<(Waiter, u32)>,
    /// The last event said so and no receive has found otherwise.
    readable: bool,
    /// A short receive does not mean that nothing is left.
    doubtful: bool,
    /// The last receive filled its buffer.
    large: bool,
    /// The last receive was worth a splice, so the next may be one.
    bulk: bool,
    /// What had arrived when the conversation was hung up.
    arrived: VecDeque<u8>,
    end: Option<End>,
    zeros: u8,
}

/// How the stream ended.
#[derive(Debug)]
enum End {
    Fin,
    Failed(Refusal),
}

/// Why nothing more will be received.
enum Stop {
    End,
    Error(Errno),
}

impl Inbound {
    /// The socket may have something to say; `doubtful` if it may say it in pieces.
    pub(crate) fn note_readable(&mut self, doubtful: bool) {
        self.readable = true;
        self.doubtful |= doubtful;
    }

    /// Queues a Tread of at least one byte.
    pub(crate) fn park(&mut self, waiter: Waiter, count: u32) {
        self.reads.push_back((waiter, count));
    }

    /// Takes a waiting Tread back; whether it was there.
    pub(crate) fn withdraw(&mut self, waiter: &Waiter) -> bool {
        let place = self.reads.iter().position(|(parked, _)| parked == waiter);
        place.and_then(|place| self.reads.remove(place)).is_some()
    }

    /// Refuses every waiting Tread.
    pub(crate) fn refuse(&mut self, why: &Refusal, host: &mut Host) {
        for (waiter, _) in self.reads.drain(..) {
            host.finish(waiter, Outcome::Refused(why.clone()));
        }
    }

    /// The stream ends here for readers: what has arrived, then the end of file.
    pub(crate) fn hang_up(&mut self, socket: Option<BorrowedFd<'_>>) {
        if self.end.is_none() {
            if let Some(socket) = socket {
                self.keep_arrived(socket);
            }
            self.end = Some(End::Fin);
        }
    }

    /// The stream failed: what has arrived, then `why`.
    pub(crate) fn fail(&mut self, why: Refusal) {
        self.end = Some(End::Failed(why));
    }

    /// Whether there may be something to answer a Tread with.
    pub(crate) fn has_input(&self) -> bool {
        self.readable || self.end.is_some() || !self.arrived.is_empty()
    }

    /// What the stream failed with, as far as readers have come.
    pub(crate) fn failure(&self) -> Option<&Refusal> {
        match &self.end {
            Some(End::Failed(why)) => Some(why),
            _ => None,
        }
    }

    /// Answers waiting Treads while there is something to answer them with. `failure` is what a
    /// write or an event has found out about the connection; it is told once all is read.
    pub(crate) fn serve(
        &mut self,
        key: Key,
        socket: Option<BorrowedFd<'_>>,
        failure: Option<&Refusal>,
        host: &mut Host,
    ) -> More {
        let mut budget = TURN;
        while let Some((waiter, count)) = self.reads.front().copied() {
            if host.holds(&waiter, key) {
                break;
            }
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            let outcome = match (&self.end, socket) {
                _ if !self.arrived.is_empty() => {
                    let count = count.min(self.arrived.len()).min(LARGE);
                    Outcome::Bytes(self.arrived.drain(..count).collect())
                }
                (None, Some(_)) if !self.readable => break,
                (None, Some(_)) if budget == 0 => return More::Again,
                (None, Some(socket)) => match self.take(socket, (waiter, count), host) {
                    Ok(Some((got, payload))) => {
                        budget = budget.saturating_sub(got);
                        host.shared.stats.bytes_down.add(got);
                        payload
                    }
                    Ok(None) => break,
                    Err(found) => {
                        self.end = Some(match (failure, found) {
                            (Some(why), _) => End::Failed(why.clone()),
                            (None, Stop::End) => End::Fin,
                            (None, Stop::Error(error)) => End::Failed(refusal(error)),
                        });
                        continue;
                    }
                },
                _ => self.past_end(),
            };
            self.reads.pop_front();
            host.finish(waiter, outcome);
        }
        if self.reads.is_empty() {
            // An idle conversation keeps no room for those that may come.
            self.reads = VecDeque::new();
        }
        More::Idle
    }

    /// Takes what there is for one Tread: how many bytes, and the payload; none if nothing is there
    /// now. On a stream in full flow it stays in the kernel.
    fn take(
        &mut self,
        socket: BorrowedFd<'_>,
        (waiter, count): (Waiter, usize),
        host: &mut Host,
    ) -> Result<Option<(usize, Outcome)>, Stop> {
        // A pipe can't be mailed: it is this worker's.
        if self.bulk
            && count >= WORTH
            && waiter.worker == host.worker
            && let Some(pipe) = host.pool.pipe()
        {
            return self.splice(socket, count, pipe, host);
        }
        let payload = self.receive(socket, count, host)?;
        Ok(payload.map(|payload| (payload.len(), Outcome::Payload(payload))))
    }

    fn splice(
        &mut self,
        socket: BorrowedFd<'_>,
        count: usize,
        mut pipe: Pipe,
        host: &mut Host,
    ) -> Result<Option<(usize, Outcome)>, Stop> {
        let stop = match pipe.fill(socket, count.min(ROOM)) {
            Ok(0) => Err(Stop::End),
            Ok(got) => {
                self.bulk = got >= WORTH;
                return Ok(Some((got, Outcome::Piped(pipe))));
            }
            Err(Errno::AGAIN) => {
                self.readable = false;
                self.doubtful = false;
                Ok(None)
            }
            Err(error) => Err(Stop::Error(error)),
        };
        host.pool.give_pipe(pipe);
        stop
    }

    fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        count: usize,
        host: &mut Host,
    ) -> Result<Option<Payload>, Stop> {
        let most = count.min(if self.large { LARGE } else { ORDINARY });
        // Never less than a pooled buffer: one made to measure would cost an allocation.
        let mut payload = host.pool.take(most.max(ORDINARY));
        let room = payload.room(most);
        let asked = room.len();
        let stop = match receive(socket, room) {
            Ok(0) => Err(Stop::End),
            Ok(got) => {
                payload.filled(got);
                self.readable = got == asked || self.doubtful;
                self.large = asked >= ORDINARY && (got == asked || got > ORDINARY);
                self.bulk = got >= WORTH;
                return Ok(Some(payload));
            }
            Err(Errno::AGAIN) => {
                self.readable = false;
                self.doubtful = false;
                Ok(None)
            }
            Err(error) => Err(Stop::Error(error)),
        };
        host.pool.give(payload);
        stop
    }

    /// What a read past the end gets.
    fn past_end(&mut self) -> Outcome {
        match &self.end {
            Some(End::Failed(why)) => Outcome::Refused(why.clone()),
            _ if self.zeros < ZEROS => {
                self.zeros += 1;
                Outcome::Bytes(Vec::new())
            }
            _ => Outcome::Refused(Refusal::HUNGUP),
        }
    }

    fn keep_arrived(&mut self, socket: BorrowedFd<'_>) {
        let mut chunk = [0; 16 << 10];
        while self.arrived.len() < KEPT {
            match receive(socket, &mut chunk) {
                Ok(0) | Err(_) => return,
                Ok(got) => self.arrived.extend(chunk.get(..got).unwrap_or_default()),
            }
        }
    }
}

/// One receive that neither blocks nor is interrupted.
pub(crate) fn receive(socket: BorrowedFd<'_>, room: &mut [u8]) -> Result<usize, Errno> {
    receive_with(socket, room, RecvFlags::DONTWAIT)
}

/// Takes up to `room`'s length of bytes off a TCP socket without their being copied: `room` stays as
/// it is (tcp(7), `MSG_TRUNC`).
pub(super) fn discard(socket: BorrowedFd<'_>, room: &mut [u8]) -> Result<usize, Errno> {
    receive_with(socket, room, RecvFlags::DONTWAIT | RecvFlags::TRUNC)
}

fn receive_with(socket: BorrowedFd<'_>, room: &mut [u8], flags: RecvFlags) -> Result<usize, Errno> {
    loop {
        match recv(socket, &mut *room, flags) {
            Ok((got, _)) => return Ok(got),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}
