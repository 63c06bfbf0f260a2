//! An interface whose frames the operator gives away, and what its slots share.

use std::fmt::Write as _;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};

use super::link;
use super::rtnetlink::{Link, Which, link};

/// Slots of an interface, as the original has them.
pub(crate) const SLOTS: u32 = 8;

/// An interface as it was when the gateway started.
#[derive(Debug)]
pub(crate) struct Interface {
    pub(super) index: u32,
    /// Frames that slots had no room for.
    pub(super) lost: AtomicU64,
    /// Frames that the interface had no room for.
    pub(super) unsent: AtomicU64,
}

impl Interface {
    /// The interface of that name.
    ///
    /// # Errors
    /// There is none, its frames are not Ethernet's, or the gateway may not have them.
    pub(crate) fn new(name: &str) -> Result<Self, io::Error> {
        let Link { index, hardware, .. } = link(Which::Named(name))?;
        if !matches!(hardware, libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not Ethernet"));
        }
        link::open(index)?;
        Ok(Self { index, lost: AtomicU64::new(0), unsent: AtomicU64::new(0) })
    }

    /// The text of addr.
    pub(crate) fn address(&self) -> String {
        digits(&self.now())
    }

    /// The text of stats.
    pub(crate) fn stats(&self) -> String {
        let link = self.now();
        let counters = link.counters;
        let socket = link::open(self.index).ok();
        let speed = socket.map_or(0, |socket| link::speed(socket.as_fd(), self.index));
        let lines = [
            ("in", counters.received),
            ("link", link.carrier.into()),
            ("out", counters.sent),
            ("crc errs", counters.crc_errors),
            ("overflows", counters.over_errors),
            ("soft overflows", self.lost.load(Ordering::Relaxed)),
            ("framing errs", counters.frame_errors),
            ("buffer errs", counters.fifo_errors),
            ("output errs", counters.send_errors + self.unsent.load(Ordering::Relaxed)),
            ("prom", link.promiscuous.into()),
            ("mbps", speed.into()),
        ];
        let mut text = String::new();
        for (name, count) in lines {
            // A string takes all that is written to it.
            let _ = writeln!(text, "{name}: {count}");
        }
        text + "addr: " + &digits(&link) + "\n"
    }

    /// What is known of it now; nothing of one that is gone.
    fn now(&self) -> Link {
        link(Which::Numbered(self.index)).unwrap_or_default()
    }
}

fn digits(link: &Link) -> String {
    link.mac.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
