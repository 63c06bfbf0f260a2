//! The conversations of one worker, by number.
//!
//! Sessions of this worker call [`Net`]; requests of other workers' sessions come as
//! [`Operation`]s and go through the same calls. A number is an index here because the registry
//! gives out the lowest free one; a slot is empty for a number that is idle or another worker's.

pub(crate) mod address;
mod calls;
mod closing;
mod command;
mod conversation;
pub(crate) mod ctl;
pub(crate) mod guard;
mod held;
pub(crate) mod host;
mod inbound;
pub(crate) mod operation;
mod outbound;
pub(crate) mod registry;
pub(crate) mod status;
mod tcp;
mod tcp_info;

use std::os::fd::AsFd;

use netrelay_proto::error::Refusal;
use rustix::io::Errno;

use self::conversation::Conversation;
pub(crate) use self::conversation::Event;
use self::ctl::Command;
use self::host::Host;
use self::inbound::More;
pub(crate) use self::inbound::receive;
use self::operation::{Operation, Outcome};
use crate::error::refusal;
use crate::log::Event as Note;
use crate::mailbox::{Mail, Waiter};
use crate::tree::{qid::File, slice};
use crate::work::{Source, Work};

/// One worker's conversations and what they need.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) host: Host,
    // Boxed: most numbers of a busy gateway are other workers' or idle.
    #[allow(clippy::vec_box, reason = "an empty slot must be small")]
    table: Vec<Option<Box<Conversation>>>,
    /// Slots in use.
    count: usize,
}

impl Net {
    pub(crate) fn new(host: Host) -> Self {
        Self { host, table: Vec::new(), count: 0 }
    }

    /// Whether this worker holds no conversation.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Makes the conversation of a number that the registry has given to this worker.
    pub(crate) fn create(&mut self, number: u32) {
        self.put(Conversation::new(number));
    }

    /// A Tread of data: it waits until its conversation is run.
    pub(crate) fn read(&mut self, number: u32, waiter: Waiter, count: u32) -> Option<Outcome> {
        let Some(conversation) = find(&mut self.table, number) else { return Some(GONE) };
        let outcome = conversation.read(waiter, count);
        if outcome.is_none() && conversation.has_input() {
            queue(conversation, &mut self.host);
        }
        outcome
    }

    /// A Tread of err.
    pub(crate) fn read_err(&mut self, number: u32, waiter: Waiter) -> Option<Outcome> {
        let Some(conversation) = find(&mut self.table, number) else { return Some(GONE) };
        conversation.read_err(waiter);
        None
    }

    /// A Twrite of data, whole.
    pub(crate) fn write(&mut self, number: u32, waiter: Waiter, data: &[u8]) -> Option<Outcome> {
        let Some(conversation) = find(&mut self.table, number) else { return Some(GONE) };
        conversation.write(waiter, data, &mut self.host)
    }

    /// A Twrite of data whose payload is to come by [`Self::feed`].
    ///
    /// # Errors
    /// It is refused; the payload is still on its way.
    pub(crate) fn begin_write(
        &mut self,
        number: u32,
        waiter: Waiter,
        count: usize,
    ) -> Result<(), Refusal> {
        let conversation = find(&mut self.table, number).ok_or(Refusal::HUNGUP)?;
        conversation.begin_write(waiter, count)
    }

    /// The next bytes of a Twrite that was begun.
    pub(crate) fn feed(&mut self, number: u32, waiter: &Waiter, bytes: &[u8]) {
        match find(&mut self.table, number) {
            Some(conversation) if conversation.holds_write(waiter) => {
                conversation.feed(waiter, bytes, &mut self.host);
            }
            _ => self.host.feed_closing(waiter, bytes),
        }
    }

    /// A Twrite of `count` bytes to ctl.
    pub(crate) fn control(
        &mut self,
        number: u32,
        waiter: Waiter,
        command: Command,
        count: u32,
    ) -> Option<Outcome> {
        let Some(conversation) = find(&mut self.table, number) else { return Some(GONE) };
        conversation.control(waiter, command, count, &mut self.host)
    }

    /// A Topen of listen.
    pub(crate) fn listen(&mut self, number: u32, waiter: Waiter) -> Option<Outcome> {
        let Some(conversation) = find(&mut self.table, number) else {
            return Some(Outcome::Refused(Refusal::NOT_ANNOUNCED));
        };
        match conversation.listen(waiter) {
            Ok(()) => {
                queue(conversation, &mut self.host);
                None
            }
            Err(why) => Some(Outcome::Refused(why)),
        }
    }

    /// The text of local, remote or status; that of an idle number if it is nobody's.
    pub(crate) fn text(&mut self, number: u32, file: File) -> String {
        match find(&mut self.table, number) {
            Some(conversation) => conversation.text(file),
            None => Conversation::new(number).text(file),
        }
    }

    /// Takes `waiter`'s request back: what is left to say of it, or nothing when what came of it
    /// is on its way already.
    pub(crate) fn withdraw(&mut self, number: u32, waiter: &Waiter) -> Option<Outcome> {
        let conversation = find(&mut self.table, number);
        let outcome = conversation.and_then(|found| found.withdraw(waiter, &mut self.host));
        outcome.or_else(|| self.host.withdraw_closing(waiter))
    }

    /// Ends a conversation whose number the registry has taken back.
    pub(crate) fn release(&mut self, number: u32) {
        if let Some(conversation) = self.take(number) {
            conversation.release(&mut self.host);
        }
    }

    /// A clunk of an opened ctl, data or err of `number`, whoever's it is.
    pub(crate) fn close(&mut self, number: u32) {
        match self.host.shared.registry.close(number) {
            Some(worker) if worker == self.host.worker => self.release(number),
            Some(worker) => {
                let waiter = Waiter::NOBODY;
                let mail = Mail::Operation { waiter, number, operation: Operation::Release };
                self.host.shared.mail(worker, mail);
            }
            None => {}
        }
    }

    /// What came of a request that nobody waits for any more is undone.
    pub(crate) fn drop_outcome(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Payload(payload) => self.host.pool.give(payload),
            Outcome::Called { number, .. } => self.close(number),
            _ => {}
        }
    }

    /// Drops a conversation that panicked. Its number stays taken until its fids are clunked.
    pub(crate) fn discard(&mut self, number: u32) {
        self.take(number);
    }

    /// What the session of another worker asks; what came of it, or nothing if it waits.
    pub(crate) fn perform(
        &mut self,
        number: u32,
        waiter: Waiter,
        operation: Operation,
    ) -> Option<Outcome> {
        match operation {
            Operation::Read { count } => self.read(number, waiter, count),
            Operation::ReadErr => self.read_err(number, waiter),
            Operation::Write { data } => self.write(number, waiter, &data),
            Operation::Control { command, count } => self.control(number, waiter, command, count),
            Operation::Listen => self.listen(number, waiter),
            Operation::Text { file, offset, count } => {
                let text = self.text(number, file);
                Some(Outcome::Bytes(slice(text.as_bytes(), offset, count).to_vec()))
            }
            Operation::Withdraw => self.withdraw(number, &waiter),
            Operation::Release => {
                self.release(number);
                None
            }
        }
    }

    /// What the loop has seen at a conversation's socket.
    pub(crate) fn note(&mut self, number: u32, event: Event) {
        if let Some(conversation) = find(&mut self.table, number) {
            conversation.note(event);
            queue(conversation, &mut self.host);
        }
    }

    /// Runs a conversation of the ready queue.
    pub(crate) fn serve(&mut self, number: u32) {
        let Some(conversation) = find(&mut self.table, number) else { return };
        conversation.queued = false;
        if conversation.serve(&mut self.host) == More::Again {
            queue(conversation, &mut self.host);
        }
        self.take_calls(number);
    }

    /// Takes calls of an announced conversation for the listens that wait.
    fn take_calls(&mut self, number: u32) {
        while let Some(conversation) = find(&mut self.table, number)
            && conversation.calls.wanted()
        {
            let Some(listener) = conversation.socket.as_ref() else { return };
            let accepted = tcp::accept(listener.as_fd());
            if let Err(Errno::AGAIN) = accepted {
                return conversation.calls.note_empty();
            }
            let Some(waiter) = conversation.calls.next() else { return };
            let outcome = match accepted.map_err(refusal).and_then(|call| self.admit(number, call))
            {
                Ok(called) => Outcome::Called { number: called, worker: self.host.worker },
                Err(why) => Outcome::Refused(why),
            };
            self.host.finish(waiter, outcome);
        }
    }

    /// Makes a conversation of a call to `announced`; its number.
    fn admit(&mut self, announced: u32, call: std::os::fd::OwnedFd) -> Result<u32, Refusal> {
        let shared = &self.host.shared;
        let owner = shared.registry.owner(announced).ok_or(Refusal::LISTEN_HUNGUP)?;
        let number = shared.registry.allocate(&owner, self.host.worker).inspect_err(|_| {
            tcp::reset_on_close(call.as_fd());
        })?;
        if let Err(error) = self.host.watch(call.as_fd(), Source::Conversation(number)) {
            shared.registry.close(number);
            return Err(refusal(error));
        }
        shared.stats.calls.add(1);
        let conversation = Conversation::called(number, call);
        if let Some(remote) = conversation.remote {
            self.host.record(number, Note::Call(remote));
        }
        self.put(conversation);
        Ok(number)
    }

    fn put(&mut self, conversation: Conversation) {
        let index = conversation.number as usize;
        if self.table.len() <= index {
            self.table.resize_with(index + 1, || None);
        }
        if let Some(slot) = self.table.get_mut(index) {
            *slot = Some(Box::new(conversation));
            self.count += 1;
            self.host.shared.stats.conversations.add(1);
        }
    }

    fn take(&mut self, number: u32) -> Option<Box<Conversation>> {
        let conversation = self.table.get_mut(number as usize)?.take()?;
        self.count -= 1;
        self.host.shared.stats.conversations.sub(1);
        Some(conversation)
    }
}

fn find(table: &mut [Option<Box<Conversation>>], number: u32) -> Option<&mut Conversation> {
    table.get_mut(number as usize)?.as_deref_mut()
}

fn queue(conversation: &mut Conversation, host: &mut Host) {
    if !conversation.queued {
        conversation.queued = true;
        host.ready.push_back(Work::Conversation(conversation.number));
    }
}

/// What a request to a conversation that has just ended gets.
const GONE: Outcome = Outcome::Refused(Refusal::HUNGUP);
