//! Tread, Treaddir and Twrite of each file.
//!
//! A read of data waits at its conversation even when there are bytes: conversations are run by
//! the worker's loop, where each has its share. A conversation of another worker is asked by mail
//! for everything. Small files are read from a text made for the purpose, at the offset asked for.

use netrelay_proto::dialect::Dialect;
use netrelay_proto::error::Refusal;
use netrelay_proto::ids::Tag;
use netrelay_proto::message::{Message, Rread, Rreaddir, Rwrite};
use netrelay_proto::server::FidView;

use super::Session;
use super::opened::Opened;
use super::parked::{At, Place};
use super::reached::Way;
use crate::mailbox::{Mail, Waiter};
use crate::net::Net;
use crate::net::operation::{Operation, Outcome};
use crate::tree::qid::{Common, File, Key, Node};
use crate::tree::slice;
use crate::upcall::Question;

impl Session {
    /// A Tread of at most `count` bytes at `offset`.
    pub(super) fn read(&mut self, tag: Tag, view: &FidView, at: (u64, u32), net: &mut Net) {
        let (offset, count) = at;
        let node = view.open.and_then(|(qid, _)| Node::of(qid.path));
        match (node, self.files.get_mut(&view.fid)) {
            (_, Some(Opened::Conversation(held))) => {
                let place = At { key: held.key, worker: held.worker };
                match held.file {
                    File::Ctl => {
                        let Key { branch, number } = held.key;
                        let number = branch.protocol.number_text(number);
                        self.reply_text(tag, number.as_bytes(), at, net);
                    }
                    File::Data => {
                        let rest = self.rests.wanted(view.fid, at);
                        if rest && !held.key.branch.protocol.streams() {
                            return self.reply_nothing(tag, view.fid, net);
                        }
                        if let Err(why) = held.admit_read(&net.host.shared.config.limits) {
                            return self.refuse(tag, &why, net);
                        }
                        self.rests.admit(tag, view.fid, at);
                        let waiter = self.waiter(tag, view.fid, net);
                        let operation = Operation::Read { count, waits: !rest };
                        self.operate(waiter, Place::Read(place), operation, net);
                    }
                    _ => {
                        if let Err(why) = self.admit_wait(view.fid, net) {
                            return self.refuse(tag, &why, net);
                        }
                        let waiter = self.waiter(tag, view.fid, net);
                        self.operate(waiter, Place::Other(place), Operation::ReadErr, net);
                    }
                }
            }
            // It has Treaddir for them.
            (_, Some(Opened::Directory(_))) if self.server.dialect() == Dialect::L => {
                self.refuse(tag, &Refusal::BAD_USE_OF_FID, net);
            }
            (_, Some(Opened::Directory(listing))) => {
                let mut data = net.host.pool.text();
                let facts = net.host.facts();
                let Way { position, .. } = self.reached.way(view, &facts);
                let dialect = self.server.dialect();
                match listing.read(&position, at, dialect, &facts, &mut data) {
                    Ok(()) => self.reply(tag, &Message::Rread(Rread { data: &data }), net),
                    Err(why) => self.refuse(tag, &why, net),
                }
                net.host.pool.give_text(data);
            }
            (_, Some(Opened::Query(query))) => {
                let data = query.read(offset, count).to_vec();
                self.reply(tag, &Message::Rread(Rread { data: &data }), net);
            }
            (Some(node), Some(Opened::Host(_))) => {
                self.read_host((tag, view.fid), node, at, net);
            }
            (_, Some(Opened::Log(..))) => {
                let rest = self.rests.wanted(view.fid, at);
                if let Err(why) = self.admit_wait(view.fid, net) {
                    return self.refuse(tag, &why, net);
                }
                self.rests.admit(tag, view.fid, at);
                let waiter = self.waiter(tag, view.fid, net);
                self.park(waiter, Place::Log { count }, net);
                self.serve_log(net);
                if rest {
                    // Meets nobody if there was a line.
                    self.deliver(waiter, Outcome::Nothing, net);
                }
            }
            (Some(Node::Common(stack, Common::Ndb)), None) => {
                let data = net.host.shared.stack(stack).ndb().read(offset, count).to_vec();
                self.reply(tag, &Message::Rread(Rread { data: &data }), net);
            }
            (Some(Node::Stats(branch)), None) => {
                let text = net.stats(branch);
                self.reply_text(tag, text.as_bytes(), at, net);
            }
            (Some(Node::Told(branch, told)), None) => {
                let text = net.told(branch, told);
                self.reply_text(tag, text.as_bytes(), at, net);
            }
            (Some(Node::File(key, file)), None) => {
                self.read_text(tag, view, (key, file), at, net);
            }
            _ => self.refuse(tag, &Refusal::PERMISSION_DENIED, net),
        }
    }

    /// A Treaddir of at most `count` bytes behind the cookie `offset`.
    pub(super) fn read_entries(&mut self, tag: Tag, view: &FidView, at: (u64, u32), net: &mut Net) {
        let Some(Opened::Directory(listing)) = self.files.get_mut(&view.fid) else {
            return self.refuse(tag, &Refusal::NOT_A_DIRECTORY, net);
        };
        let mut data = net.host.pool.text();
        let facts = net.host.facts();
        let Way { position, root } = self.reached.way(view, &facts);
        listing.read_entries((&root, &position), at, &facts, &mut data);
        self.reply(tag, &Message::Rreaddir(Rreaddir { data: &data }), net);
        net.host.pool.give_text(data);
    }

    /// A Twrite of `data` at `offset`.
    pub(super) fn write(
        &mut self,
        tag: Tag,
        view: &FidView,
        offset: u64,
        data: &[u8],
        net: &mut Net,
    ) {
        let node = view.open.and_then(|(qid, _)| Node::of(qid.path));
        match (node, self.files.get_mut(&view.fid)) {
            (_, Some(Opened::Conversation(held))) => {
                let place = At { key: held.key, worker: held.worker };
                match held.file {
                    File::Data => self.write_data(tag, view, place, data, net),
                    File::Ctl => self.write_ctl(tag, view, place, data, net),
                    _ => self.refuse(tag, &Refusal::PERMISSION_DENIED, net),
                }
            }
            (_, Some(Opened::Query(query))) => match query.admit(offset, data.len()) {
                Ok(()) => {
                    let question = query.ask(data);
                    let waiter = self.waiter(tag, view.fid, net);
                    // A query is at most 1023 bytes.
                    let count = u32::try_from(data.len()).unwrap_or(u32::MAX);
                    self.park(waiter, Place::Upcall { id: None, count }, net);
                    self.ask_python(waiter, question, net);
                }
                Err(why) => self.refuse(tag, &why, net),
            },
            (_, Some(Opened::Host(_))) => self.write_host(tag, view.fid, data, net),
            (Some(Node::Common(stack, Common::Log)), _) => {
                let written = net.host.shared.stack(stack).log.control(data);
                self.reply_written(tag, written, data.len(), net);
            }
            (Some(Node::Common(stack, Common::Ndb)), _) => {
                let written = net.host.shared.stack(stack).ndb().write(offset, data);
                self.reply_written(tag, written, data.len(), net);
            }
            // A write to clone's or listen's fid is one to the ctl they became; the rest can't be
            // opened for writing.
            _ => self.refuse(tag, &Refusal::PERMISSION_DENIED, net),
        }
    }

    /// Asks Python. Without room for the question the session is not read from until there is.
    pub(super) fn ask_python(&mut self, waiter: Waiter, question: Question, net: &mut Net) {
        let shared = &net.host.shared;
        if let Some(id) = shared.upcalls.ask(waiter, &question) {
            shared.stats.interpreter_entries.add(1);
            self.note_question(&waiter, id);
        } else {
            self.held_question = Some((waiter, question));
        }
    }

    /// Gives waiting reads of log what there is, in order.
    pub(crate) fn serve_log(&mut self, net: &mut Net) {
        for (tag, parked) in self.waiting(|parked| matches!(parked.place, Place::Log { .. })) {
            let Place::Log { count } = parked.place else { continue };
            let Some(Opened::Log(stack, reader)) = self.files.get_mut(&parked.fid) else {
                continue;
            };
            let lines = net.host.shared.stack(*stack).log.read(reader, count);
            if !lines.is_empty() || count == 0 {
                let waiter = self.waiter_of(tag, &parked, net);
                self.deliver(waiter, Outcome::Bytes(lines), net);
            }
        }
    }

    fn write_data(&mut self, tag: Tag, view: &FidView, at: At, data: &[u8], net: &mut Net) {
        if let Err(why) = self.admit_write(view.fid, net) {
            return self.refuse(tag, &why, net);
        }
        let waiter = self.waiter(tag, view.fid, net);
        let place = Place::Write(at, data.len());
        if at.worker != net.host.worker {
            let operation = Operation::Write { data: data.to_vec() };
            return self.operate(waiter, place, operation, net);
        }
        let outcome = net.write(at.key, waiter, data);
        self.answer_write(waiter, place, outcome, net);
    }

    /// Answers a Twrite of data of a conversation of this worker, or has it wait.
    pub(super) fn answer_write(
        &mut self,
        waiter: Waiter,
        place: Place,
        outcome: Option<Outcome>,
        net: &mut Net,
    ) {
        match outcome {
            Some(Outcome::Wrote(count)) => {
                let before = self.replies.len();
                self.reply(waiter.tag, &Message::Rwrite(Rwrite { count }), net);
                self.brief.note(waiter.fid, count as usize, self.replies.len() - before);
            }
            Some(Outcome::Refused(why)) => self.refuse(waiter.tag, &why, net),
            _ => self.park(waiter, place, net),
        }
    }

    fn write_ctl(&mut self, tag: Tag, view: &FidView, at: At, data: &[u8], net: &mut Net) {
        let waiter = self.waiter(tag, view.fid, net);
        let operation = Operation::Control { line: data.to_vec() };
        self.operate(waiter, Place::Other(at), operation, net);
    }

    fn read_text(
        &mut self,
        tag: Tag,
        view: &FidView,
        (key, file): (Key, File),
        (offset, count): (u64, u32),
        net: &mut Net,
    ) {
        let here = net.host.worker;
        let registry = net.host.shared.registry(key.branch);
        let worker = registry.and_then(|registry| registry.worker(key.number)).unwrap_or(here);
        if worker == here {
            let text = net.text(key, file);
            return self.reply_text(tag, text.as_bytes(), (offset, count), net);
        }
        let waiter = self.waiter(tag, view.fid, net);
        let operation = Operation::Text { file, offset, count };
        self.operate(waiter, Place::Other(At { key, worker }), operation, net);
    }

    /// Asks a conversation, here or by mail, and enters the request as waiting if it does.
    fn operate(&mut self, waiter: Waiter, place: Place, operation: Operation, net: &mut Net) {
        let (Place::Read(at) | Place::Write(at, _) | Place::Other(at)) = place else { return };
        // Entered first: what comes of it may come while it is carried out.
        self.park(waiter, place, net);
        if at.worker == net.host.worker {
            if let Some(outcome) = net.perform(at.key, waiter, operation) {
                self.deliver(waiter, outcome, net);
            }
        } else {
            let mail = Mail::Operation { waiter, key: at.key, operation };
            net.host.shared.mail(at.worker, mail);
        }
    }

    fn reply_text(&mut self, tag: Tag, text: &[u8], (offset, count): (u64, u32), net: &mut Net) {
        let data = slice(text, offset, count);
        self.reply(tag, &Message::Rread(Rread { data }), net);
    }

    fn reply_written(
        &mut self,
        tag: Tag,
        written: Result<(), Refusal>,
        length: usize,
        net: &mut Net,
    ) {
        match written {
            Ok(()) => {
                // An msize bounds the length.
                let count = u32::try_from(length).unwrap_or(u32::MAX);
                self.reply(tag, &Message::Rwrite(Rwrite { count }), net);
            }
            Err(why) => self.refuse(tag, &why, net),
        }
    }
}
