//! One 9P session served over a transport.
//!
//! The protocol's own rules are [`netrelay_proto::server::Server`]'s; this is what drives it: bytes
//! in (`receive`), requests to the tree and to conversations (`dispatch`, `open`, `io`), what waits
//! (`parked`), and bytes out (`replies`). A session belongs to one worker and is run by it for a
//! bounded time at a turn. It never blocks: what can't be answered is entered in the table of what
//! waits, and the session goes on with the next request.
//!
//! A session ends with its transport, with bytes that are not 9P, or with a panic of ours; all three
//! give back every fid. What its client does not read is bounded: beyond the bound the session is
//! neither read from nor given more of what conversations hold.

mod brief;
mod dispatch;
mod hostfile;
mod io;
mod open;
mod opened;
mod parked;
mod reached;
mod receive;
pub(crate) mod replies;
mod rest;
mod run;

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use netrelay_proto::dialect::Dialect;
use netrelay_proto::error::Refusal;
use netrelay_proto::ids::{Fid, Tag};
use netrelay_proto::message::{Message, Rlopen, Ropen, Rread, Rwrite};
use netrelay_proto::server::{Server, ServerConfig};

use self::brief::Brief;
pub(crate) use self::brief::MOMENT;
use self::opened::{Held, Opened};
use self::parked::{Parked, Place};
use self::reached::Reached;
use self::receive::Inbox;
pub(crate) use self::receive::More;
use self::replies::Replies;
use self::rest::Rests;
use crate::mailbox::{Arrival, SessionKey, Waiter};
use crate::net::operation::Outcome;
use crate::net::{Event, Net};
use crate::tree::qid::{File, Key, Node};
use crate::upcall::{Question, Verdict, refusal};

/// Bytes of replies that are sent before the turn is over, while they are still in the cache.
const SEND_AT: usize = 256 << 10;

/// Unsent bytes with which conversations keep theirs in the kernel. More would only be copied out of
/// the cache and back: what a socket takes next comes from here, and then there is time to receive.
const ENOUGH: usize = 256 << 10;

/// A session and its transport.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts, in any combination")]
pub(crate) struct Session {
    pub(crate) key: SessionKey,
    /// It is closed unless a fid is attached by then.
    pub(crate) deadline: Instant,
    /// It is in the ready queue.
    pub(crate) queued: bool,
    /// It is in the list of those that may have something to send at the end of the turn.
    pub(crate) touched: bool,
    transport: OwnedFd,
    /// What of that which is exported its attaches see.
    root: Box<str>,
    server: Server,
    inbox: Inbox,
    replies: Replies,
    /// Of these, the Rwrites that may wait for more.
    brief: Brief,
    /// Frames that go out behind a payload.
    behind: Vec<u8>,
    files: HashMap<Fid, Opened>,
    reached: Reached,
    parked: HashMap<Tag, Parked>,
    rests: Rests,
    /// Bytes of waiting Twrites.
    parked_bytes: usize,
    /// A question that found no room, with its waiter.
    held_question: Option<(Waiter, Question)>,
    next_serial: u32,
    /// Fids that the gateway's counter knows of.
    fids: usize,
    attached: bool,
    /// Files open that keep conversations alive.
    conversations: usize,
    /// Its client has enough to read: conversations give it nothing for now.
    held: bool,
    /// Its client leaves so much unread that nothing is read from it either.
    congested: bool,
    writable: bool,
    over: bool,
}

impl Session {
    /// A session over a transport that is watched for it already.
    pub(crate) fn new(arrival: Arrival, key: SessionKey, net: &Net) -> Self {
        let Arrival { transport, root } = arrival;
        let limits = &net.host.shared.config.limits;
        let config = ServerConfig {
            max_msize: limits.max_msize,
            max_fids: limits.session_fids,
            max_requests: limits.session_requests,
            ..ServerConfig::default()
        };
        Self {
            key,
            deadline: net.host.now + limits.handshake,
            queued: false,
            touched: false,
            transport,
            root,
            server: Server::new(config),
            inbox: Inbox::default(),
            replies: Replies::default(),
            brief: Brief::default(),
            behind: Vec::new(),
            files: HashMap::new(),
            reached: Reached::default(),
            parked: HashMap::new(),
            rests: Rests::default(),
            parked_bytes: 0,
            held_question: None,
            next_serial: 0,
            fids: 0,
            attached: false,
            conversations: 0,
            held: false,
            congested: false,
            writable: true,
            over: false,
        }
    }

    pub(crate) fn transport(&self) -> BorrowedFd<'_> {
        self.transport.as_fd()
    }

    /// It must be ended.
    pub(crate) fn end(&mut self) {
        self.over = true;
    }

    /// Whether it is done with and must be ended.
    pub(crate) fn over(&self) -> bool {
        self.over
    }

    /// Whether a fid was ever attached.
    pub(crate) fn attached(&self) -> bool {
        self.attached
    }

    /// Whether it keeps a conversation alive.
    pub(crate) fn holds_conversations(&self) -> bool {
        self.conversations > 0
    }

    /// What the loop has seen at the transport.
    pub(crate) fn note(&mut self, event: Event) {
        if event.readable {
            self.inbox.note_readable(event.doubtful);
        }
        self.writable |= event.writable;
    }

    /// What came of a request. One that is no longer waited for is undone.
    pub(crate) fn deliver(&mut self, waiter: Waiter, outcome: Outcome, net: &mut Net) {
        match self.unpark(&waiter, net) {
            Some(parked) => self.reply_outcome(&waiter, &parked, outcome, net),
            None => net.drop_outcome(outcome),
        }
    }

    /// Python's answer to a question.
    pub(crate) fn decide(&mut self, waiter: &Waiter, verdict: Verdict, net: &mut Net) {
        if waiter.tag == Tag::NOTAG {
            return self.host_text(waiter, verdict, net);
        }
        let Some(Parked { place: Place::Upcall { count, .. }, fid, .. }) = self.unpark(waiter, net)
        else {
            return;
        };
        let query = match self.files.get_mut(&fid) {
            Some(Opened::Query(query)) => Some(query),
            _ => None,
        };
        match (verdict, query) {
            (Verdict::Replies(replies), query) => {
                if let Some(query) = query {
                    query.running = false;
                    query.replies = replies;
                }
                self.reply(waiter.tag, &Message::Rwrite(Rwrite { count }), net);
            }
            (Verdict::Refused { text, errno }, query) => {
                let prefix = query.map_or("", |query| {
                    query.running = false;
                    query.prefix()
                });
                self.refuse(waiter.tag, &refusal(prefix, &text, errno), net);
            }
        }
    }

    /// Whether all it has to send may wait for [`MOMENT`].
    pub(crate) fn patient(&self) -> bool {
        let Some(fids) = self.brief.alone(self.replies.len()) else { return false };
        let awaits = |fid| match self.files.get(fid) {
            Some(Opened::Conversation(held)) => held.reads > 0,
            _ => false,
        };
        self.server.windowed() && fids.iter().all(awaits)
    }

    /// Sends what waits to be sent, as far as the transport takes it. Whether the session may be
    /// read from again, after its client had let too much lie.
    pub(crate) fn send(&mut self, net: &mut Net) -> bool {
        self.brief.clear();
        // Before the client can know: what it reads in stats is then never behind.
        self.count_fids(net);
        if self.writable && !self.replies.is_empty() {
            match self.replies.send(self.transport.as_fd(), &mut net.host.pool) {
                Ok(all) => self.writable = all,
                Err(_) => self.over = true,
            }
        }
        let unsent = self.replies.len();
        let bound = net.host.shared.config.limits.session_unread_bytes;
        if unsent > ENOUGH.min(bound) {
            self.held = true;
            net.host.hold(self.key);
        } else if self.held && unsent <= ENOUGH.min(bound) / 2 {
            self.held = false;
            net.host.relieve(self.key);
        }
        if unsent > bound {
            self.congested = true;
        } else if self.congested && unsent <= bound / 2 {
            self.congested = false;
            self.inbox.note_readable(false);
            return true;
        }
        false
    }

    /// The end: everything is given back. What is queued was sent as far as the client read it.
    pub(crate) fn vanish(&mut self, net: &mut Net) {
        self.forget(net);
        net.host.relieve(self.key);
        self.replies.discard(&mut net.host.pool);
        self.inbox.discard(&mut net.host.pool);
        net.host.shared.stats.fids.sub(self.fids);
    }

    /// Keeps the gateway's count of fids.
    fn count_fids(&mut self, net: &Net) {
        let count = self.server.fid_count();
        let stats = &net.host.shared.stats;
        stats.fids.add(count);
        stats.fids.sub(self.fids);
        self.fids = count;
    }

    /// Gives back all that waits and all that is open.
    fn forget(&mut self, net: &mut Net) {
        self.abandon_all(net);
        self.rests = Rests::default();
        self.reached = Reached::default();
        let files: Vec<Opened> = self.files.drain().map(|(_, opened)| opened).collect();
        for opened in files {
            self.close(&opened, net);
        }
    }

    /// A file is clunked.
    fn close(&mut self, opened: &Opened, net: &mut Net) {
        if let Opened::Conversation(Held { key, .. }) = opened {
            self.conversations -= 1;
            net.close(*key);
        }
    }

    /// The file of a fid keeps a conversation alive from now on.
    fn hold(&mut self, fid: Fid, key: Key, worker: u16, file: File) {
        self.conversations += 1;
        self.files.insert(fid, Opened::Conversation(Held::new(key, worker, file)));
    }

    /// Answers a request that waited.
    fn reply_outcome(&mut self, waiter: &Waiter, parked: &Parked, outcome: Outcome, net: &mut Net) {
        let tag = waiter.tag;
        match &outcome {
            Outcome::Payload(payload) => self.rests.answered(tag, payload.len()),
            Outcome::Piped(pipe) => self.rests.answered(tag, pipe.len()),
            Outcome::Bytes(data) => self.rests.answered(tag, data.len()),
            Outcome::Withdrawn => self.rests.withdrawn(tag),
            _ => self.rests.answered(tag, 0),
        }
        match outcome {
            Outcome::Payload(mut payload) => {
                // A payload is never longer than the count that msize has bounded.
                let count = u32::try_from(payload.len()).unwrap_or(u32::MAX);
                match self.server.answer_head(tag, count, &mut self.behind) {
                    Ok(head) => {
                        payload.prepend(&head);
                        self.replies.push(payload, &mut net.host.pool);
                    }
                    Err(_) => net.host.pool.give(payload),
                }
                self.append_behind(net);
            }
            Outcome::Piped(pipe) => {
                // Nor is a pipe's.
                let count = u32::try_from(pipe.len()).unwrap_or(u32::MAX);
                match self.server.answer_head(tag, count, &mut self.behind) {
                    Ok(head) => self.replies.push_pipe(&head, pipe, &mut net.host.pool),
                    Err(_) => net.host.pool.give_pipe(pipe),
                }
                self.append_behind(net);
            }
            Outcome::Bytes(data) => self.reply(tag, &Message::Rread(Rread { data: &data }), net),
            Outcome::Nothing => self.reply_nothing(tag, parked.fid, net),
            Outcome::Wrote(count) => self.reply(tag, &Message::Rwrite(Rwrite { count }), net),
            Outcome::Called { key, worker } => {
                let qid = Node::File(key, File::Ctl).qid(&net.host.facts());
                self.hold(parked.fid, key, worker, File::Ctl);
                self.reply_open(tag, qid, net);
            }
            Outcome::Withdrawn => {
                let out = self.replies.text(&mut net.host.pool);
                // Only a flush withdraws, or the fid's clunk, which answers otherwise.
                let _ = self.server.withdraw(tag, out);
            }
            Outcome::Refused(why) => self.refuse(tag, &why, net),
        }
    }

    /// Queues the frames that go out behind a payload.
    fn append_behind(&mut self, net: &mut Net) {
        if !self.behind.is_empty() {
            self.replies.text(&mut net.host.pool).append(&mut self.behind);
        }
    }

    /// Answers a Topen or a Tlopen.
    fn reply_open(&mut self, tag: Tag, qid: netrelay_proto::ids::Qid, net: &mut Net) {
        let iounit = 0;
        let reply = match self.server.dialect() {
            Dialect::L => Message::Rlopen(Rlopen { qid, iounit }),
            Dialect::P2000 | Dialect::U => Message::Ropen(Ropen { qid, iounit }),
        };
        self.reply(tag, &reply, net);
    }

    /// Answers a request. One whose answer does not fit msize, as a stat with a very long uname may
    /// not, is refused instead.
    fn reply(&mut self, tag: Tag, reply: &Message<'_>, net: &mut Net) {
        let out = self.replies.text(&mut net.host.pool);
        if self.server.answer(tag, reply, out).is_err() {
            let _ = self.server.refuse(tag, &Refusal::IO, out);
        }
    }

    /// Answers a Tread of the rest where there is nothing.
    fn reply_nothing(&mut self, tag: Tag, fid: Fid, net: &mut Net) {
        match self.rests.nothing(fid).refusal() {
            Some(why) => self.refuse(tag, &why, net),
            None => self.reply(tag, &Message::Rread(Rread { data: &[] }), net),
        }
    }

    fn refuse(&mut self, tag: Tag, why: &Refusal, net: &mut Net) {
        let out = self.replies.text(&mut net.host.pool);
        let refused = self.server.refuse(tag, why, out);
        debug_assert!(refused.is_ok(), "{refused:?}");
    }

    /// Whether replies are to be sent before the turn is over.
    pub(crate) fn laden(&self) -> bool {
        self.replies.len() >= SEND_AT
    }
}
