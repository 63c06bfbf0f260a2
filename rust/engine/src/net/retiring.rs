//! Connections that nobody holds any more: the last clunk frees a number at once, and what is left
//! to do is done in the background by the [`super::host::Host`].

use std::fmt;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use super::conversation::Event;
use super::host::Host;
use super::operation::Outcome;
use crate::mailbox::Waiter;

/// A connection on its way out.
pub(crate) trait Retiring: fmt::Debug + Send {
    /// What the loop is to watch.
    fn socket(&self) -> BorrowedFd<'_>;

    /// When [`Self::expire`] is to be called.
    fn deadline(&self) -> Instant;

    /// What the loop has seen at the socket; it is served after that.
    fn note(&mut self, event: Event, host: &Host);

    /// Goes on.
    fn serve(&mut self, host: &mut Host) -> Progress;

    /// The deadline has come.
    fn expire(&mut self, host: &mut Host) -> Progress;

    /// Takes a waiting Twrite back, as a flush or a vanished session wants.
    fn withdraw(&mut self, waiter: &Waiter, host: &mut Host) -> Option<Outcome>;

    /// Whether that Twrite waits here.
    fn holds(&self, waiter: &Waiter) -> bool;

    /// Feeds a Twrite that was still arriving at the last clunk.
    fn feed(&mut self, waiter: &Waiter, bytes: &[u8], host: &mut Host) {
        let _ = (waiter, bytes, host);
    }

    /// Gives up: what still waits is refused, and the socket closes as it stands.
    fn abandon(self: Box<Self>, host: &mut Host);
}

/// Where a closing connection stands after a turn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Progress {
    /// It waits for the network.
    Waiting,
    /// There is more to do.
    Again,
    /// It is over and may be dropped.
    Over,
}
