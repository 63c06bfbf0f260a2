//! An open file of the host's own network, whose text Python has (docs/tree.md, section 6).
//!
//! The first read of a fid, and each at offset 0, asks for the whole text; what comes is kept for the
//! fid, so that a text that changes does not tear between reads. Reads that come while it is asked
//! for wait for it. Who waits is in the session's table of what is parked; here is only what the
//! fid remembers.

use netrelay_proto::ids::{Fid, Tag};
use netrelay_proto::message::{Message, Rread};

use super::Session;
use super::opened::Opened;
use super::parked::{Parked, Place};
use crate::mailbox::Waiter;
use crate::net::Net;
use crate::net::operation::Outcome;
use crate::tree::qid::{File, Key, Node};
use crate::tree::slice;
use crate::upcall::{Kind, Question, Verdict, refusal};

/// Bytes of a text that are kept; the rest of a longer one is cut off.
const KEPT: usize = 1 << 20;

/// What a fid remembers of such a file.
#[derive(Debug)]
pub(super) struct HostFile {
    /// What Python knows it by, below the stack's directory.
    path: Box<str>,
    user: Box<str>,
    stack: Box<str>,
    text: Option<Vec<u8>>,
    asked: Asked,
}

/// Whether the text is being asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Asked {
    No,
    /// By this name, with the question's id; none while there is no room for the question.
    Yes {
        serial: u32,
        id: Option<u64>,
    },
}

impl HostFile {
    /// The open file at `node`, if its text is Python's.
    pub(super) fn of(node: Node, user: &str, net: &Net) -> Option<Self> {
        let path = match node {
            Node::Common(_, file) if file.of_host() => file.name().to_owned(),
            Node::Stats(branch) if branch.protocol.of_host() => {
                format!("{}/stats", branch.protocol.name())
            }
            Node::File(Key { branch, number }, file) if branch.protocol.of_host() => {
                format!("{}/{number}/{}", branch.protocol.name(), file.name())
            }
            _ => return None,
        };
        let stack = net.host.shared.stack_name(node.stack()).into();
        // The text of an interface's ctl is its number, and nobody need be asked for it.
        let text = match node {
            Node::File(key, File::Ctl) => Some(key.number.to_string().into_bytes()),
            _ => None,
        };
        Some(Self { path: path.into(), user: user.into(), stack, text, asked: Asked::No })
    }

    fn question(&self, query: Vec<u8>) -> Question {
        let (user, stack) = (self.user.clone(), self.stack.clone());
        Question { kind: Kind::Host, user, query, stack }
    }

    /// What a read at `offset` is answered with now, if with anything.
    fn ready(&self, node: Node, (offset, count): (u64, u32)) -> Option<&[u8]> {
        let fixed = matches!(node, Node::File(_, File::Ctl));
        let text = self.text.as_ref()?;
        let current = fixed || offset > 0 && self.asked == Asked::No;
        current.then(|| slice(text, offset, count))
    }
}

impl Session {
    /// A Tread of such a file.
    pub(super) fn read_host(
        &mut self,
        (tag, fid): (Tag, Fid),
        node: Node,
        (offset, count): (u64, u32),
        net: &mut Net,
    ) {
        let waiter = self.waiter(tag, fid, net);
        if let Err(why) = self.admit_wait(fid, net) {
            return self.refuse(tag, &why, net);
        }
        let Some(Opened::Host(file)) = self.files.get_mut(&fid) else { return };
        if let Some(data) = file.ready(node, (offset, count)) {
            let data = data.to_vec();
            return self.reply(tag, &Message::Rread(Rread { data: &data }), net);
        }
        let asks = file.asked == Asked::No;
        let question = file.question(format!("read {}", file.path).into_bytes());
        if asks {
            file.asked = Asked::Yes { serial: waiter.serial, id: None };
        }
        self.park(waiter, Place::HostRead { offset, count }, net);
        if asks {
            // The question is the fid's and not this request's, which may be flushed.
            self.ask_python(Waiter { tag: Tag::NOTAG, ..waiter }, question, net);
        }
    }

    /// A Twrite of such a file: it is answered when the change has been made.
    pub(super) fn write_host(&mut self, tag: Tag, fid: Fid, data: &[u8], net: &mut Net) {
        let waiter = self.waiter(tag, fid, net);
        let Some(Opened::Host(file)) = self.files.get_mut(&fid) else { return };
        let mut query = format!("write {}\n", file.path).into_bytes();
        query.extend_from_slice(data);
        let question = file.question(query);
        // An msize bounds the length.
        let count = u32::try_from(data.len()).unwrap_or(u32::MAX);
        self.park(waiter, Place::Upcall { id: None, count }, net);
        self.ask_python(waiter, question, net);
    }

    /// The question for a fid's text has this id.
    pub(super) fn note_host_question(&mut self, waiter: &Waiter, question: u64) {
        if let Some(Opened::Host(file)) = self.files.get_mut(&waiter.fid)
            && let Asked::Yes { serial, id } = &mut file.asked
            && *serial == waiter.serial
        {
            *id = Some(question);
        }
    }

    /// The text of a fid's file has come, or its refusal: the reads that wait are answered.
    pub(super) fn host_text(&mut self, waiter: &Waiter, verdict: Verdict, net: &mut Net) {
        let Some(Opened::Host(file)) = self.files.get_mut(&waiter.fid) else { return };
        if !matches!(file.asked, Asked::Yes { serial, .. } if serial == waiter.serial) {
            return;
        }
        file.asked = Asked::No;
        let refusal = match verdict {
            Verdict::Replies(replies) => {
                let mut text = replies.concat();
                text.truncate(KEPT);
                file.text = Some(text);
                None
            }
            Verdict::Refused { text, errno } => {
                file.text = None;
                Some(refusal("", &text, errno))
            }
        };
        for (tag, parked) in self.host_reads_of(waiter.fid) {
            let Place::HostRead { offset, count } = parked.place else { continue };
            let outcome = match (&refusal, self.files.get(&waiter.fid)) {
                (Some(why), _) => Outcome::Refused(why.clone()),
                (None, Some(Opened::Host(file))) => {
                    let text = file.text.as_deref().unwrap_or_default();
                    Outcome::Bytes(slice(text, offset, count).to_vec())
                }
                _ => continue,
            };
            let reader = self.waiter_of(tag, &parked, net);
            self.deliver(reader, outcome, net);
        }
    }

    /// A read of a fid was taken back: if it was the last, nobody wants to know any more.
    pub(super) fn forget_host_read(&mut self, fid: Fid, net: &Net) {
        if self.host_reads_of(fid).len() > 1 {
            return;
        }
        let Some(Opened::Host(file)) = self.files.get_mut(&fid) else { return };
        let Asked::Yes { id, .. } = std::mem::replace(&mut file.asked, Asked::No) else { return };
        match id {
            Some(id) => net.host.shared.forget_question(id),
            None => self.held_question = None,
        }
    }

    fn host_reads_of(&self, fid: Fid) -> Vec<(Tag, Parked)> {
        let reads = |parked: &Parked| matches!(parked.place, Place::HostRead { .. });
        self.waiting(|parked| parked.fid == fid && reads(parked))
    }
}
