//! The conversations of one worker, by key.
//!
//! Sessions of this worker call [`Net`]; requests of other workers' sessions come as
//! [`Operation`]s and go through the same calls. A number is an index here because registries give
//! out the lowest free one; a slot is empty for a number that is idle or another worker's.
//!
//! What a protocol does is behind [`conversation::Conversation`]; reads of err, which wait for what
//! never comes, are the same in all and kept here.

pub(crate) mod address;
mod binding;
mod calls;
pub(crate) mod claims;
pub(crate) mod conversation;
pub(crate) mod ctl;
mod esp;
pub(crate) mod ether;
mod filter;
mod gre;
pub(crate) mod guard;
mod held;
pub(crate) mod host;
mod icmp;
mod il;
mod info;
mod ipmux;
pub(crate) mod operation;
mod packets;
mod random;
pub(crate) mod registry;
mod retiring;
mod snmp;
pub(crate) mod sockets;
pub(crate) mod stack;
mod tcp;
mod tuning;
mod udp;

use std::os::fd::BorrowedFd;

use netrelay_proto::error::Refusal;

pub(crate) use self::conversation::Event;
use self::conversation::{Call, Conversation, More};
use self::ether::interface::Interface;
use self::host::Host;
use self::operation::{Operation, Outcome};
use self::registry::Registry;
pub(crate) use self::tcp::Spliced;
pub(crate) use self::tcp::inbound::receive;
use crate::mailbox::{Mail, Waiter};
use crate::tree::protocol::Protocol;
use crate::tree::qid::{Branch, File, Key, Told};
use crate::tree::slice;
use crate::work::{Timer, Work};

/// One worker's conversations and what they need.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) host: Host,
    /// By stack, protocol and number.
    tables: Vec<Vec<Table>>,
    /// Slots in use.
    count: usize,
}

type Table = Vec<Option<Slot>>;

/// A conversation in use.
#[derive(Debug)]
struct Slot {
    // Behind a box: most numbers of a busy gateway are other workers' or idle.
    conversation: Box<dyn Conversation>,
    /// It is in the ready queue.
    queued: bool,
    /// Reads of err, which only a flush or a clunk ends.
    err_reads: Vec<Waiter>,
}

impl Net {
    pub(crate) fn new(host: Host) -> Self {
        Self { host, tables: Vec::new(), count: 0 }
    }

    /// Whether this worker holds no conversation.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Makes the conversation of a number that the registry has given to this worker.
    pub(crate) fn create(&mut self, key: Key) {
        if let Some(conversation) = conversation::make(key) {
            self.put(key, conversation);
        }
    }

    /// A Tread of data: it waits until its conversation is run.
    pub(crate) fn read(&mut self, key: Key, waiter: Waiter, count: u32) -> Option<Outcome> {
        let Some(slot) = find(&mut self.tables, key) else { return Some(GONE) };
        let outcome = slot.conversation.read(waiter, count);
        if outcome.is_none() && slot.conversation.has_input() {
            queue(key, slot, &mut self.host);
        }
        outcome
    }

    /// A Tread of a stream that is not to wait.
    fn read_now(&mut self, key: Key, waiter: Waiter, count: u32) -> Option<Outcome> {
        let Some(slot) = find(&mut self.tables, key) else { return Some(GONE) };
        slot.conversation.read_now(waiter, count, &mut self.host)
    }

    /// A Tread of err.
    pub(crate) fn read_err(&mut self, key: Key, waiter: Waiter) -> Option<Outcome> {
        let Some(slot) = find(&mut self.tables, key) else { return Some(GONE) };
        slot.err_reads.push(waiter);
        None
    }

    /// A Twrite of data, whole.
    pub(crate) fn write(&mut self, key: Key, waiter: Waiter, data: &[u8]) -> Option<Outcome> {
        let Some(slot) = find(&mut self.tables, key) else { return Some(GONE) };
        slot.conversation.write(waiter, data, &mut self.host)
    }

    /// Twrites of data of one size each; true if all were carried out, else none was.
    pub(crate) fn write_run(&mut self, key: Key, data: &[&[u8]]) -> bool {
        let host = &mut self.host;
        find(&mut self.tables, key).is_some_and(|slot| slot.conversation.write_run(data, host))
    }

    /// A Twrite of data of a stream whose payload is to come by [`Self::feed`].
    ///
    /// # Errors
    /// It is refused; the payload is still on its way.
    pub(crate) fn begin_write(
        &mut self,
        key: Key,
        waiter: Waiter,
        count: usize,
    ) -> Result<(), Refusal> {
        let slot = find(&mut self.tables, key).ok_or(Refusal::HUNGUP)?;
        slot.conversation.begin_write(waiter, count)
    }

    /// The next bytes of a Twrite that was begun.
    pub(crate) fn feed(&mut self, key: Key, waiter: &Waiter, bytes: &[u8]) {
        match find(&mut self.tables, key) {
            Some(slot) if slot.conversation.holds_write(waiter) => {
                slot.conversation.feed(waiter, bytes, &mut self.host);
            }
            _ => self.host.feed_closing(waiter, bytes),
        }
    }

    /// Takes bytes of a Twrite that was begun from the session's own socket, at most so many.
    pub(crate) fn splice(
        &mut self,
        key: Key,
        waiter: &Waiter,
        from: (BorrowedFd<'_>, usize),
    ) -> Spliced {
        let Some(slot) = find(&mut self.tables, key) else { return Spliced::Unable };
        slot.conversation.splice(waiter, from, &mut self.host)
    }

    /// A Twrite of ctl.
    pub(crate) fn control(&mut self, key: Key, waiter: Waiter, line: &[u8]) -> Option<Outcome> {
        let Some(slot) = find(&mut self.tables, key) else { return Some(GONE) };
        let outcome = slot.conversation.control(waiter, line, &mut self.host);
        // It may have left Treads that take more than one turn to answer.
        queue(key, slot, &mut self.host);
        outcome
    }

    /// A Topen of listen.
    pub(crate) fn listen(&mut self, key: Key, waiter: Waiter) -> Option<Outcome> {
        let Some(slot) = find(&mut self.tables, key) else {
            return Some(Outcome::Refused(Refusal::NOT_ANNOUNCED));
        };
        match slot.conversation.listen(waiter) {
            Ok(()) => {
                queue(key, slot, &mut self.host);
                None
            }
            Err(why) => Some(Outcome::Refused(why)),
        }
    }

    /// The text of local, remote or status; that of an idle number if it is nobody's.
    pub(crate) fn text(&mut self, key: Key, file: File) -> String {
        if let Some(slot) = find(&mut self.tables, key) {
            return slot.conversation.text(file, &mut self.host);
        }
        let idle = conversation::make(key);
        idle.map(|mut idle| idle.text(file, &mut self.host)).unwrap_or_default()
    }

    /// The text of a protocol's stats.
    pub(crate) fn stats(&self, branch: Branch) -> String {
        let stack = self.host.shared.stack(branch.stack);
        let limit = stack.registry(branch.protocol).map_or(0, Registry::limit);
        match branch.protocol {
            Protocol::Tcp => tcp::status::stats(limit, &stack.sockets.proc("snmp")),
            Protocol::Udp => {
                udp::stats::text(&stack.sockets.proc("snmp"), &stack.sockets.proc("snmp6"))
            }
            Protocol::Icmp => icmp::stats::text(&stack.sockets.proc("snmp")),
            Protocol::Icmpv6 => icmp::stats::text_six(&stack.sockets.proc("snmp6")),
            Protocol::Gre => stack.gre.text(),
            Protocol::Ipmux => stack.filters.text(),
            Protocol::Esp => stack.esp.text(),
            Protocol::Il => stack.il.text(),
            Protocol::Ether(_) => {
                let interface = stack.ether(branch.protocol);
                interface.map(Interface::stats).unwrap_or_default()
            }
            Protocol::Ipifc => String::new(),
        }
    }

    /// The text of addr or ifstats of an interface.
    pub(crate) fn told(&self, branch: Branch, told: Told) -> String {
        let interface = self.host.shared.stack(branch.stack).ether(branch.protocol);
        match told {
            Told::Addr => interface.map(Interface::address).unwrap_or_default(),
            Told::Ifstats => String::new(),
        }
    }

    /// Takes `waiter`'s request back: what is left to say of it, or nothing when what came of it
    /// is on its way already.
    pub(crate) fn withdraw(&mut self, key: Key, waiter: &Waiter) -> Option<Outcome> {
        if let Some(slot) = find(&mut self.tables, key) {
            let reads = slot.err_reads.len();
            slot.err_reads.retain(|parked| parked != waiter);
            if slot.err_reads.len() != reads {
                return Some(Outcome::Withdrawn);
            }
            let outcome = slot.conversation.withdraw(waiter, &mut self.host);
            if outcome.is_some() {
                return outcome;
            }
        }
        self.host.withdraw_closing(waiter)
    }

    /// Ends a conversation whose number the registry has taken back.
    pub(crate) fn release(&mut self, key: Key) {
        let Some(slot) = self.take(key) else { return };
        for waiter in slot.err_reads {
            self.host.finish(waiter, Outcome::Refused(Refusal::INTERRUPTED));
        }
        slot.conversation.release(&mut self.host);
    }

    /// A clunk of an opened ctl, data or err, whoever's the conversation is.
    pub(crate) fn close(&mut self, key: Key) {
        let registry = self.host.shared.registry(key.branch);
        match registry.and_then(|registry| registry.close(key.number)) {
            Some(worker) if worker == self.host.worker => self.release(key),
            Some(worker) => {
                let waiter = Waiter::NOBODY;
                let mail = Mail::Operation { waiter, key, operation: Operation::Release };
                self.host.shared.mail(worker, mail);
            }
            None => {}
        }
    }

    /// What came of a request that nobody waits for any more is undone.
    pub(crate) fn drop_outcome(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Payload(payload) => self.host.pool.give(payload),
            Outcome::Piped(pipe) => self.host.pool.give_pipe(pipe),
            Outcome::Called { key, .. } => self.close(key),
            _ => {}
        }
    }

    /// Drops a conversation that panicked. Its number stays taken until its fids are clunked.
    pub(crate) fn discard(&mut self, key: Key) {
        self.take(key);
    }

    /// What the session of another worker asks; what came of it, or nothing if it waits.
    pub(crate) fn perform(
        &mut self,
        key: Key,
        waiter: Waiter,
        operation: Operation,
    ) -> Option<Outcome> {
        match operation {
            Operation::Read { count, waits: true } => self.read(key, waiter, count),
            Operation::Read { count, waits: false } => self.read_now(key, waiter, count),
            Operation::ReadErr => self.read_err(key, waiter),
            Operation::Write { data } => self.write(key, waiter, &data),
            Operation::Control { line } => self.control(key, waiter, &line),
            Operation::Listen => self.listen(key, waiter),
            Operation::Text { file, offset, count } => {
                let text = self.text(key, file);
                Some(Outcome::Bytes(slice(text.as_bytes(), offset, count).to_vec()))
            }
            Operation::Withdraw => self.withdraw(key, &waiter),
            Operation::Release => {
                self.release(key);
                None
            }
        }
    }

    /// What the loop has seen at a conversation's socket.
    pub(crate) fn note(&mut self, key: Key, event: Event) {
        if let Some(slot) = find(&mut self.tables, key) {
            slot.conversation.note(event);
            queue(key, slot, &mut self.host);
        }
    }

    /// Runs a conversation of the ready queue.
    pub(crate) fn serve(&mut self, key: Key) {
        let Some(slot) = find(&mut self.tables, key) else { return };
        slot.queued = false;
        if slot.conversation.serve(&mut self.host) == More::Again {
            queue(key, slot, &mut self.host);
        }
        self.take_calls(key);
    }

    /// A conversation may have lain unused.
    pub(crate) fn expire(&mut self, key: Key) {
        if let Some(slot) = find(&mut self.tables, key) {
            slot.conversation.expire(&mut self.host);
        }
    }

    /// Drops the timers next in line that are for nothing any more; `idle` says so of those of
    /// sessions.
    pub(crate) fn forget_timers(&mut self, idle: impl Fn(&Timer) -> bool) {
        let tables = &self.tables;
        self.host.forget_timers(|timer| match timer {
            Timer::Conversation(key) => !holds(tables, *key),
            timer => idle(timer),
        });
    }

    /// Takes calls of an announced conversation for the listens that wait.
    fn take_calls(&mut self, key: Key) {
        while let Some(slot) = find(&mut self.tables, key)
            && let Some((waiter, call)) = slot.conversation.take_call(&mut self.host)
        {
            let outcome = match call.and_then(|call| self.admit(key, call)) {
                Ok(called) => Outcome::Called { key: called, worker: self.host.worker },
                Err(why) => Outcome::Refused(why),
            };
            self.host.finish(waiter, outcome);
        }
    }

    /// Gives a call to `announced` a number; it is the announced one's owner's.
    fn admit(&mut self, announced: Key, mut call: Call) -> Result<Key, Refusal> {
        let shared = &self.host.shared;
        let registry = shared.registry(announced.branch).ok_or(Refusal::LISTEN_HUNGUP)?;
        let owner = registry.owner(announced.number).ok_or(Refusal::LISTEN_HUNGUP)?;
        let number = registry.allocate(&owner, self.host.worker);
        let number = number.inspect_err(|_| call.turn_away(&mut self.host))?;
        let key = announced.branch.key(number);
        if let Err(why) = call.begin(key, &mut self.host) {
            self.close(key);
            return Err(why);
        }
        self.host.shared.stats.calls.add(1);
        self.put(key, call);
        Ok(key)
    }

    fn put(&mut self, key: Key, conversation: Box<dyn Conversation>) {
        let (stack, protocol, number) = place(key);
        let stack = at(&mut self.tables, stack, Vec::new);
        let table = stack.and_then(|protocols| at(protocols, protocol, Vec::new));
        if let Some(slot) = table.and_then(|table| at(table, number, || None)) {
            *slot = Some(Slot { conversation, queued: false, err_reads: Vec::new() });
            self.count += 1;
            self.host.shared.stats.conversations.add(1);
        }
    }

    fn take(&mut self, key: Key) -> Option<Slot> {
        let slot = row(&mut self.tables, key)?.take()?;
        self.count -= 1;
        self.host.shared.stats.conversations.sub(1);
        Some(slot)
    }
}

fn place(key: Key) -> (usize, usize, usize) {
    let protocol = key.branch.protocol.number();
    (key.branch.stack.0.into(), usize::from(protocol), key.number as usize)
}

/// Element `index` of a vector, which grows to have one.
fn at<T>(vector: &mut Vec<T>, index: usize, make: impl FnMut() -> T) -> Option<&mut T> {
    if vector.len() <= index {
        vector.resize_with(index + 1, make);
    }
    vector.get_mut(index)
}

fn row(tables: &mut [Vec<Table>], key: Key) -> Option<&mut Option<Slot>> {
    let (stack, protocol, number) = place(key);
    tables.get_mut(stack)?.get_mut(protocol)?.get_mut(number)
}

fn holds(tables: &[Vec<Table>], key: Key) -> bool {
    let (stack, protocol, number) = place(key);
    let table = tables.get(stack).and_then(|protocols| protocols.get(protocol));
    table.and_then(|table| table.get(number)).is_some_and(Option::is_some)
}

fn find(tables: &mut [Vec<Table>], key: Key) -> Option<&mut Slot> {
    row(tables, key)?.as_mut()
}

fn queue(key: Key, slot: &mut Slot, host: &mut Host) {
    if !slot.queued {
        slot.queued = true;
        host.ready.push_back(Work::Conversation(key));
    }
}

/// What a request to a conversation that has just ended gets.
const GONE: Outcome = Outcome::Refused(Refusal::HUNGUP);
