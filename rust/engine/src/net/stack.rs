//! One stack: where its sockets come from, the numbers of its conversations, its ndb and its log
//! (docs/tree.md, section 9).
//!
//! Nothing of one stack is ever seen in another. Each part has a lock of its own, held for single
//! calls only.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::claims::Claims;
use super::esp;
use super::ether::interface::{Interface, SLOTS};
use super::gre;
use super::il::stats::Totals;
use super::ipmux::listing::Listing;
use super::registry::Registry;
use super::sockets::Sockets;
use crate::config::Config;
use crate::log::Log;
use crate::tree::Standing;
use crate::tree::ndb::Ndb;
use crate::tree::protocol::Protocol;
use crate::tree::qid::MAX_CONVERSATIONS;

/// A stack and all that is its own.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) sockets: Sockets,
    pub(crate) log: Log,
    pub(crate) claims: Claims,
    /// What conversations of esp have counted.
    pub(crate) esp: esp::stats::Totals,
    /// What conversations of gre have counted.
    pub(crate) gre: gre::stats::Totals,
    /// The filters of conversations of ipmux.
    pub(crate) filters: Listing,
    /// What conversations of il have counted.
    pub(crate) il: Totals,
    /// The interfaces whose frames are given away: ether0 on.
    ethers: Vec<Interface>,
    registries: HashMap<Protocol, Registry>,
    ndb: Mutex<Ndb>,
    /// How many the host has, ever had; Python tells.
    interfaces: AtomicU32,
}

impl Stack {
    /// A stack without conversations.
    pub(crate) fn new(config: &Config, sockets: Sockets, ethers: Vec<Interface>) -> Self {
        let registry = |most| Registry::new(&config.host_owner, most);
        let made = Protocol::ALL.into_iter().filter(|protocol| !protocol.of_host());
        let made = made.map(|protocol| (protocol, registry(config.limits.conversations)));
        let slots =
            (0..).zip(&ethers).map(|(number, _)| (Protocol::Ether(number), registry(SLOTS)));
        Self {
            sockets,
            log: Log::default(),
            claims: Claims::default(),
            esp: esp::stats::Totals::default(),
            gre: gre::stats::Totals::default(),
            filters: Listing::default(),
            il: Totals::default(),
            registries: made.chain(slots).collect(),
            ethers,
            ndb: Mutex::new(Ndb::new(&config.ndb)),
            interfaces: AtomicU32::new(0),
        }
    }

    /// Who has which number of a protocol; none of one whose directories are the host's.
    pub(crate) fn registry(&self, protocol: Protocol) -> Option<&Registry> {
        self.registries.get(&protocol)
    }

    /// How many numbers of a protocol were ever used.
    pub(crate) fn conversations(&self, protocol: Protocol) -> u32 {
        let registry = self.registry(protocol).map(Registry::count);
        registry.unwrap_or_else(|| self.interfaces.load(Ordering::Relaxed))
    }

    /// How many interfaces give their frames away.
    pub(crate) fn ethers(&self) -> u8 {
        // Python allows far fewer.
        u8::try_from(self.ethers.len()).unwrap_or(u8::MAX)
    }

    /// The interface that a protocol is; none if it is another one.
    pub(crate) fn ether(&self, protocol: Protocol) -> Option<&Interface> {
        match protocol {
            Protocol::Ether(number) => self.ethers.get(usize::from(number)),
            _ => None,
        }
    }

    /// Whose a conversation is.
    pub(crate) fn standing(&self, protocol: Protocol, number: u32) -> Standing {
        let registry = self.registry(protocol);
        registry.map_or_else(Standing::idle, |registry| registry.standing(number))
    }

    /// The text of ndb, locked for as long as the guard lives.
    pub(crate) fn ndb(&self) -> MutexGuard<'_, Ndb> {
        // Its changes are single calls on a vector, so a panic leaves nothing half done.
        self.ndb.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `ipifc` lists so many interfaces from now on, as far as the qid has numbers for them.
    pub(crate) fn set_interfaces(&self, count: u32) {
        self.interfaces.store(count.min(MAX_CONVERSATIONS), Ordering::Relaxed);
    }
}
