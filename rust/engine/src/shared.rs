//! What all workers of a gateway share.
//!
//! Everything here is immutable or behind its own lock, and none of the locks is taken while bytes
//! move. Lock order: none, as no two of them are ever held together.

use std::sync::Arc;

use netrelay_proto::ids::Qid;

use crate::config::Config;
use crate::error::EngineError;
use crate::log::Log;
use crate::mailbox::{Mail, Mailbox};
use crate::net::guard::Guard;
use crate::net::registry::Registry;
use crate::stats::Stats;
use crate::tree::qid::Node;
use crate::tree::walk;
use crate::upcall::Upcalls;

/// One gateway's settings, tables and counters.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) registry: Registry,
    pub(crate) guard: Guard,
    pub(crate) stats: Arc<Stats>,
    pub(crate) upcalls: Upcalls,
    pub(crate) log: Log,
    /// The qid of `config.root`.
    pub(crate) root: Qid,
    mailboxes: Vec<Mailbox>,
}

impl Shared {
    /// Compiles the settings; one mailbox a worker, in their order.
    ///
    /// # Errors
    /// The root is not in the tree, a prefix is none, or the host has no descriptors left.
    pub(crate) fn new(config: Config, mailboxes: Vec<Mailbox>) -> Result<Self, EngineError> {
        let invalid = |op, text: String| {
            EngineError::new(op, std::io::Error::new(std::io::ErrorKind::InvalidInput, text))
        };
        let limit = config.limits.conversations;
        let registry = Registry::new(&config.host_owner, config.started, &config.ndb, limit);
        let root = walk::attach(&config.root, Node::Root.qid(&registry), &registry)
            .map_err(|refusal| invalid("root", refusal.text.into_owned()))?;
        let guard = Guard::new(&config.allow_dial)
            .map_err(|error| invalid("allow_dial", error.to_string()))?;
        let upcalls = Upcalls::new(config.limits.upcalls)?;
        let (stats, log) = (Arc::default(), Log::default());
        Ok(Self { config, registry, guard, stats, upcalls, log, root, mailboxes })
    }

    /// Sends mail to a worker.
    pub(crate) fn mail(&self, worker: u16, mail: Mail) {
        if let Some(mailbox) = self.mailboxes.get(usize::from(worker)) {
            mailbox.send(mail);
        }
    }

    /// The mailbox of a worker.
    pub(crate) fn mailbox(&self, worker: u16) -> Option<&Mailbox> {
        self.mailboxes.get(usize::from(worker))
    }

    /// Every worker's number.
    pub(crate) fn workers(&self) -> impl ExactSizeIterator<Item = u16> + use<> {
        // There are at most as many as Gateway::start makes, which it counts in 16 bits.
        0..u16::try_from(self.mailboxes.len()).unwrap_or(u16::MAX)
    }
}
