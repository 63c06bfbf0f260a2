//! The way from a conversation's writers to its socket.
//!
//! Twrites are carried out in order of arrival and each is answered when the kernel has taken all
//! of it. Bytes go to the socket straight from where they were received; only what the socket
//! won't take is copied, once, into a buffer of the Twrite's own. A large Twrite need not be whole:
//! it is begun, fed as it arrives, and holds its place in the order meanwhile. The first in the
//! order is spliced as long as the socket keeps up: its bytes are in its pipe then, and those in
//! its buffer come behind them.
//!
//! A Twrite with a buffer of its own can be withdrawn from the middle of the queue. One that has
//! begun to go is cut where it is, and its count says how much went. How much may wait is bounded
//! by the session, which knows the fids.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::os::fd::BorrowedFd;

use netrelay_proto::error::Refusal;
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags, Shutdown, send, sendmsg, shutdown};

use crate::buffers::Payload;
use crate::mailbox::Waiter;
use crate::net::host::Host;
use crate::net::operation::Outcome;
use crate::pipe::{Pipe, ROOM};

/// Waiting Twrites that one send may take from.
const SLICES: usize = 32;

/// Waiting Twrites and the half-close behind them.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    writes: VecDeque<Write>,
    /// The last event said so and no send has found otherwise.
    writable: bool,
    fin: Fin,
}

#[derive(Debug)]
struct Write {
    waiter: Waiter,
    count: usize,
    /// Bytes that the kernel has.
    gone: usize,
    /// Bytes that the session has not received yet.
    arriving: usize,
    /// Before what is queued; of the first Twrite only.
    piped: Option<Pipe>,
    queued: Option<Payload>,
}

/// What came of splicing from a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Spliced {
    /// So many bytes came; 0 is the session's end.
    Got(usize),
    /// Nothing is there.
    Nothing,
    /// It can't be done here and now; the bytes must be received.
    Unable,
}

/// The end of our direction.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Fin {
    #[default]
    No,
    Wanted,
    Sent,
}

impl Outbound {
    /// The socket takes bytes again.
    pub(crate) fn note_writable(&mut self) {
        self.writable = true;
    }

    /// Whether no Twrite waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Whether our direction is closed to further Twrites.
    pub(crate) fn finishing(&self) -> bool {
        self.fin != Fin::No
    }

    /// Carries out a Twrite of `data`, whole; what came of it, or nothing if it waits.
    ///
    /// # Errors
    /// The connection failed; the Twrite is not queued.
    pub(crate) fn write(
        &mut self,
        socket: Option<BorrowedFd<'_>>,
        waiter: Waiter,
        data: &[u8],
        host: &mut Host,
    ) -> Result<Option<Outcome>, Errno> {
        let mut write = Write::new(waiter, data.len());
        if self.writes.is_empty() {
            write.gone = self.send(socket, data, host)?;
            if write.gone == write.count {
                return Ok(Some(write.outcome()));
            }
        }
        write.queue(data.get(write.gone..).unwrap_or_default(), host);
        write.arriving = 0;
        self.writes.push_back(write);
        Ok(None)
    }

    /// Queues a Twrite whose `count` bytes are to come by [`Self::feed`].
    pub(crate) fn begin(&mut self, waiter: Waiter, count: usize) {
        self.writes.push_back(Write::new(waiter, count));
    }

    /// Takes the next bytes of a Twrite that was begun. One that is gone is not fed.
    ///
    /// # Errors
    /// The connection failed.
    pub(crate) fn feed(
        &mut self,
        socket: Option<BorrowedFd<'_>>,
        waiter: &Waiter,
        bytes: &[u8],
        host: &mut Host,
    ) -> Result<(), Errno> {
        let Some(place) = self.writes.iter().rposition(|write| write.waiter == *waiter) else {
            return Ok(());
        };
        let direct = place == 0 && self.writes.front().is_some_and(Write::is_bare);
        let sent = if direct { self.send(socket, bytes, host)? } else { 0 };
        if let Some(write) = self.writes.get_mut(place) {
            write.gone += sent;
            write.arriving = write.arriving.saturating_sub(sent);
            write.queue(bytes.get(sent..).unwrap_or_default(), host);
        }
        self.finish_first(host);
        Ok(())
    }

    /// Takes at most `most` bytes of a Twrite that was begun from the session's own socket.
    ///
    /// # Errors
    /// The connection failed.
    pub(crate) fn splice(
        &mut self,
        socket: Option<BorrowedFd<'_>>,
        waiter: &Waiter,
        (session, most): (BorrowedFd<'_>, usize),
        host: &mut Host,
    ) -> Result<Spliced, Errno> {
        let Some(write) = self.writes.front_mut() else { return Ok(Spliced::Unable) };
        if write.waiter != *waiter || write.queued.is_some() {
            return Ok(Spliced::Unable);
        }
        let empty = write.piped.is_none();
        let Some(mut pipe) = write.piped.take().or_else(|| host.pool.pipe()) else {
            return Ok(Spliced::Unable);
        };
        let spliced = match pipe.fill(session, most.min(write.arriving).min(ROOM)) {
            Ok(got) => {
                write.arriving -= got;
                Spliced::Got(got)
            }
            Err(Errno::AGAIN) if empty => Spliced::Nothing,
            // It may be full, or the session's end may have to be found out by a receive.
            Err(_) => Spliced::Unable,
        };
        if pipe.is_empty() {
            host.pool.give_pipe(pipe);
            return Ok(spliced);
        }
        write.piped = Some(pipe);
        if let Some(socket) = socket {
            self.send_piped(socket, host)?;
        }
        self.finish_first(host);
        Ok(spliced)
    }

    /// Goes on with what waits.
    ///
    /// # Errors
    /// The connection failed.
    pub(crate) fn serve(&mut self, socket: BorrowedFd<'_>, host: &mut Host) -> Result<(), Errno> {
        while self.writable && self.send_piped(socket, host)? && self.send_queued(socket, host)? {}
        if self.writes.is_empty() && self.fin == Fin::Wanted {
            self.fin = Fin::Sent;
            // A connection that is gone by now has nothing to be told.
            let _ = shutdown(socket, Shutdown::Write);
        }
        Ok(())
    }

    /// No further Twrites: FIN goes out behind those that wait.
    pub(crate) fn finish_after_queue(&mut self) {
        if self.fin == Fin::No {
            self.fin = Fin::Wanted;
        }
    }

    /// Whether that Twrite waits here.
    pub(crate) fn holds(&self, waiter: &Waiter) -> bool {
        self.writes.iter().any(|write| write.waiter == *waiter)
    }

    /// Takes a waiting Twrite back: what is left to say of it, or nothing if it was not there.
    pub(crate) fn withdraw(&mut self, waiter: &Waiter, host: &mut Host) -> Option<Outcome> {
        let place = self.writes.iter().position(|write| write.waiter == *waiter)?;
        let mut write = self.writes.remove(place)?;
        write.give(host);
        let outcome = if write.gone == 0 { Outcome::Withdrawn } else { write.outcome() };
        self.finish_first(host);
        Some(outcome)
    }

    /// Refuses every waiting Twrite.
    pub(crate) fn refuse(&mut self, why: &Refusal, host: &mut Host) {
        for mut write in self.writes.drain(..) {
            write.give(host);
            host.finish(write.waiter, Outcome::Refused(why.clone()));
        }
    }

    /// Sends bytes that nothing is queued before; how many the kernel took.
    fn send(
        &mut self,
        socket: Option<BorrowedFd<'_>>,
        bytes: &[u8],
        host: &mut Host,
    ) -> Result<usize, Errno> {
        let Some(socket) = socket.filter(|_| self.writable) else { return Ok(0) };
        let sent = loop {
            match send(socket, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(sent) => break sent,
                Err(Errno::AGAIN) => break 0,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        };
        self.writable = sent == bytes.len();
        host.shared.stats.bytes_up.add(sent);
        Ok(sent)
    }

    /// Sends what the first Twrite has in its pipe; whether that is all gone.
    fn send_piped(&mut self, socket: BorrowedFd<'_>, host: &mut Host) -> Result<bool, Errno> {
        let Some(write) = self.writes.front_mut() else { return Ok(true) };
        let Some(mut pipe) = write.piped.take() else { return Ok(true) };
        let sent = if self.writable { pipe.drain(socket) } else { Ok(0) };
        let sent = sent.inspect_err(|_| self.writable = false);
        let done = pipe.is_empty();
        if done {
            host.pool.give_pipe(pipe);
        } else {
            write.piped = Some(pipe);
            self.writable = false;
        }
        write.gone += sent?;
        host.shared.stats.bytes_up.add(sent?);
        self.finish_first(host);
        Ok(done)
    }

    /// One send of queued bytes; whether another may follow.
    fn send_queued(&mut self, socket: BorrowedFd<'_>, host: &mut Host) -> Result<bool, Errno> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut used = 0;
        let mut offered = 0;
        for (slot, write) in slices.iter_mut().zip(&self.writes) {
            let bytes = write.queued.as_ref().map(Payload::bytes).unwrap_or_default();
            if !bytes.is_empty() {
                *slot = IoSlice::new(bytes);
                offered += bytes.len();
                used += 1;
            }
            if write.arriving > 0 || bytes.is_empty() {
                break;
            }
        }
        if used == 0 {
            return Ok(false);
        }
        let slices = slices.get(..used).unwrap_or_default();
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let sent = match sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), flags) {
            Ok(sent) => sent,
            Err(Errno::AGAIN) => 0,
            Err(Errno::INTR) => return Ok(true),
            Err(error) => return Err(error),
        };
        self.writable = sent == offered;
        host.shared.stats.bytes_up.add(sent);
        self.consume(sent, host);
        Ok(self.writable)
    }

    fn consume(&mut self, mut sent: usize, host: &mut Host) {
        for write in &mut self.writes {
            let Some(queued) = &mut write.queued else { break };
            let count = sent.min(queued.len());
            queued.consume(count);
            write.gone += count;
            sent -= count;
            if queued.is_empty() {
                write.queued.take().into_iter().for_each(|queued| host.pool.give(queued));
            }
            if sent == 0 {
                break;
            }
        }
        self.finish_first(host);
    }

    /// Answers the Twrites at the front that have gone whole.
    fn finish_first(&mut self, host: &mut Host) {
        while let Some(write) = self.writes.front().filter(|write| write.gone == write.count) {
            host.finish(write.waiter, write.outcome());
            self.writes.pop_front();
        }
    }
}

impl Write {
    fn new(waiter: Waiter, count: usize) -> Self {
        Self { waiter, count, gone: 0, arriving: count, piped: None, queued: None }
    }

    /// Whether nothing of it waits here.
    fn is_bare(&self) -> bool {
        self.piped.is_none() && self.queued.is_none()
    }

    /// Keeps bytes that have arrived and could not be sent.
    fn queue(&mut self, bytes: &[u8], host: &mut Host) {
        if bytes.is_empty() {
            return;
        }
        self.arriving = self.arriving.saturating_sub(bytes.len());
        let left = self.count - self.gone;
        // All that can still come fits: the buffer is made for it when the first byte must wait,
        // and again should it have been emptied and given back since.
        self.queued.get_or_insert_with(|| host.pool.take(left)).append(bytes);
    }

    fn give(&mut self, host: &mut Host) {
        if let Some(queued) = self.queued.take() {
            host.pool.give(queued);
        }
        if let Some(piped) = self.piped.take() {
            host.pool.give_pipe(piped);
        }
    }

    /// An msize bounds the count, so it fits.
    fn outcome(&self) -> Outcome {
        Outcome::Wrote(u32::try_from(self.gone).unwrap_or(u32::MAX))
    }
}
