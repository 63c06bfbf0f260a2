//! Connections that nobody holds any more, closed in the background.
//!
//! The last clunk frees a conversation's number at once, but its connection may have Twrites to
//! carry out, then a FIN to send, and input that nobody will read: closing a socket with unread
//! input would turn the FIN into a reset and cost the peer what was still on its way. So the input
//! is drained until the peer ends too, or there has been no progress for
//! [`Limits::linger`](crate::limits::Limits::linger). A peer that goes on sending regardless is not
//! listened to for long: beyond [`DRAINED`] bytes it gets its reset after all, which is the one thing
//! that stops it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use netrelay_proto::error::Refusal;
use rustix::io::Errno;

use super::inbound::discard;
use super::outbound::Outbound;
use crate::buffers::ORDINARY;
use crate::mailbox::Waiter;
use crate::net::conversation::Event;
use crate::net::host::Host;
use crate::net::operation::Outcome;
use crate::net::retiring::{Progress, Retiring};

/// Receives that one turn spends on draining.
const TURN: usize = 8;

/// Bytes that a peer may send after the end: more than a socket's buffer holds by default, so that
/// what was on its way is drained, and no more than a moment of a fast peer.
const DRAINED: usize = 8 << 20;

/// A connection on its way out.
#[derive(Debug)]
pub(crate) struct Closing {
    socket: OwnedFd,
    outbound: Outbound,
    drained: usize,
    deadline: Instant,
}

impl Closing {
    /// Takes over a connection whose readers are gone.
    pub(crate) fn new(socket: OwnedFd, mut outbound: Outbound, host: &Host) -> Self {
        outbound.finish_after_queue();
        Self { socket, outbound, drained: 0, deadline: host.now + host.shared.config.limits.linger }
    }
}

impl Retiring for Closing {
    fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Where the socket takes bytes again and some wait, that is progress.
    fn note(&mut self, event: Event, host: &Host) {
        if !event.writable {
            return;
        }
        self.outbound.note_writable();
        if !self.outbound.is_empty() {
            self.deadline = host.now + host.shared.config.limits.linger;
        }
    }

    /// Sends what waits, ends our direction, drains the other.
    fn serve(&mut self, host: &mut Host) -> Progress {
        if let Err(error) = self.outbound.serve(self.socket.as_fd(), host) {
            self.outbound.refuse(&crate::error::refusal(error), host);
            return Progress::Over;
        }
        let mut sink = host.pool.take(ORDINARY);
        let mut progress = Progress::Again;
        for _ in 0..TURN {
            progress = match discard(self.socket.as_fd(), sink.room(ORDINARY)) {
                Ok(0) if self.outbound.is_empty() => Progress::Over,
                Ok(0) | Err(Errno::AGAIN) => Progress::Waiting,
                Ok(got) => {
                    self.drained += got;
                    if self.drained <= DRAINED {
                        continue;
                    }
                    Progress::Over
                }
                Err(_) => Progress::Over,
            };
            break;
        }
        host.pool.give(sink);
        if progress == Progress::Over {
            self.outbound.refuse(&Refusal::RESET, host);
        }
        progress
    }

    /// There was no progress.
    fn expire(&mut self, _: &mut Host) -> Progress {
        Progress::Over
    }

    fn withdraw(&mut self, waiter: &Waiter, host: &mut Host) -> Option<Outcome> {
        self.outbound.withdraw(waiter, host)
    }

    fn holds(&self, waiter: &Waiter) -> bool {
        self.outbound.holds(waiter)
    }

    /// A failure is met again by [`Self::serve`].
    fn feed(&mut self, waiter: &Waiter, bytes: &[u8], host: &mut Host) {
        let _ = self.outbound.feed(Some(self.socket.as_fd()), waiter, bytes, host);
    }

    fn abandon(mut self: Box<Self>, host: &mut Host) {
        self.outbound.refuse(&Refusal::HUNGUP, host);
    }
}
