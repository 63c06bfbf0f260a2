//! What all workers of a gateway share.
//!
//! Everything here is immutable or behind its own lock, and none of the locks is taken while bytes
//! move. Lock order: none, as no two of them are ever held together.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use netrelay_proto::error::Refusal;

use crate::config::{Config, Namespace};
use crate::error::EngineError;
use crate::mailbox::{Mail, Mailbox};
use crate::net::ether::interface::Interface;
use crate::net::guard::Guard;
use crate::net::registry::Registry;
use crate::net::sockets::Sockets;
use crate::net::stack::Stack;
use crate::stats::Stats;
use crate::tree::mounts::Mounts;
use crate::tree::position::Position;
use crate::tree::qid::{Branch, Key, StackId};
use crate::tree::{Facts, Standing, walk};
use crate::upcall::Upcalls;

/// One gateway's settings, tables and counters.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) guard: Guard,
    pub(crate) stats: Arc<Stats>,
    pub(crate) upcalls: Upcalls,
    /// The ports of TCP that sessions come to.
    ports: Mutex<Vec<u16>>,
    /// What is mounted where, and how often that changed.
    mounts: Mutex<Arc<Mounts>>,
    changes: AtomicU64,
    /// The process's own stack, and the others by number less one.
    first: Stack,
    others: Vec<Stack>,
    names: Vec<Box<str>>,
    mailboxes: Vec<Mailbox>,
}

impl Shared {
    /// Compiles the settings; one mailbox a worker, in their order. The thread that calls is in the
    /// network namespace that the workers will be in.
    ///
    /// # Errors
    /// The root is not in the tree, a prefix is none, a stack or an interface can't be had, or the
    /// host has no descriptors left.
    pub(crate) fn new(config: Config, mailboxes: Vec<Mailbox>) -> Result<Self, EngineError> {
        let guard = Guard::new(&config.allow_dial)
            .map_err(|error| invalid("allow_dial", error.to_string()))?;
        let mut others = Vec::new();
        let mut names: Vec<Box<str>> = vec!["".into()];
        for each in &config.stacks {
            let sockets = Sockets::new(each).map_err(|error| {
                let op = format!("stack {}: {} {}", each.name, each.kind.name(), each.value);
                EngineError::new(op, error)
            })?;
            others.push(Stack::new(&config, sockets, Vec::new()));
            names.push(each.name.as_str().into());
        }
        let ethers = config.ethers.iter().map(|name| {
            let interface = Interface::new(name);
            interface.map_err(|error| EngineError::new(format!("ether {name}"), error))
        });
        let ethers = ethers.collect::<Result<_, _>>()?;
        let namespace = config.namespace.clone().unwrap_or_else(|| Mounts::of_stacks(&names));
        let shared = Self {
            guard,
            stats: Arc::default(),
            ports: Mutex::default(),
            upcalls: Upcalls::new(config.limits.upcalls)?,
            mounts: Mutex::default(),
            changes: AtomicU64::default(),
            first: Stack::new(&config, Sockets::Own, ethers),
            others,
            names,
            mailboxes,
            config,
        };
        shared.set_namespace(&namespace).map_err(|why| invalid("namespace", why))?;
        let facts = Now { shared: &shared, mounts: &shared.mounts() };
        walk::attach(&shared.config.root, &Position::ROOT, &facts)
            .map_err(|refusal| invalid("root", refusal.text.into_owned()))?;
        Ok(shared)
    }

    /// What is mounted where from now on.
    ///
    /// # Errors
    /// A spot that no file can be at; then all stays as it was.
    pub(crate) fn set_namespace(&self, namespace: &Namespace) -> Result<(), String> {
        let mounts = Mounts::new(namespace, self.stack_count(), self.first.ethers())?;
        *self.mounts.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(mounts);
        self.changes.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// What is mounted where.
    pub(crate) fn mounts(&self) -> Arc<Mounts> {
        // Its only change is to be another one, so a panic leaves nothing half done.
        Arc::clone(&self.mounts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How often what is mounted has changed.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// A stack. Ids come from qids, which are made of stacks that there are.
    pub(crate) fn stack(&self, id: StackId) -> &Stack {
        let other = usize::from(id.0).checked_sub(1);
        other.and_then(|index| self.others.get(index)).unwrap_or(&self.first)
    }

    /// Sessions come to that port of TCP, too.
    pub(crate) fn add_port(&self, port: u16) {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner).push(port);
    }

    /// The ports of TCP that sessions come to.
    pub(crate) fn ports(&self) -> Vec<u16> {
        // Its only change is a push, so a panic leaves nothing half done.
        self.ports.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the operator has granted something.
    ///
    /// # Errors
    /// `permission denied`.
    pub(crate) fn granted(&self, name: &str) -> Result<(), Refusal> {
        let granted = self.config.grant.iter().any(|grant| grant == name);
        if granted { Ok(()) } else { Err(Refusal::PERMISSION_DENIED) }
    }

    /// The name of a stack; empty for `/net`.
    pub(crate) fn stack_name(&self, id: StackId) -> &str {
        self.names.get(usize::from(id.0)).map_or("", |name| name)
    }

    /// How many stacks there are.
    pub(crate) fn stack_count(&self) -> usize {
        self.names.len()
    }

    /// Who has which number of a protocol of a stack; none of one whose directories are the host's.
    pub(crate) fn registry(&self, branch: Branch) -> Option<&Registry> {
        self.stack(branch.stack).registry(branch.protocol)
    }

    /// Nobody wants to know the answer to a question any more; another session may ask instead.
    pub(crate) fn forget_question(&self, id: u64) {
        if let Some(next) = self.upcalls.forget(id) {
            self.mail(next.worker, Mail::Room(next));
        }
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

/// A gateway with what is mounted there now.
pub(crate) struct Now<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) mounts: &'a Mounts,
}

impl Facts for Now<'_> {
    fn stacks(&self) -> &[Box<str>] {
        &self.shared.names
    }

    fn mounts(&self) -> &Mounts {
        self.mounts
    }

    fn conversations(&self, branch: Branch) -> u32 {
        self.shared.stack(branch.stack).conversations(branch.protocol)
    }

    fn ethers(&self, stack: StackId) -> u8 {
        self.shared.stack(stack).ethers()
    }

    fn standing(&self, key: Key) -> Standing {
        self.shared.stack(key.branch.stack).standing(key.branch.protocol, key.number)
    }

    fn ndb(&self, stack: StackId) -> (u64, u32) {
        self.shared.stack(stack).ndb().facts()
    }

    fn host_owner(&self) -> &str {
        &self.shared.config.host_owner
    }

    fn started(&self) -> u32 {
        self.shared.config.started
    }
}

fn invalid(op: &'static str, text: String) -> EngineError {
    EngineError::new(op, io::Error::new(io::ErrorKind::InvalidInput, text))
}
