//! What the tree says to each request.
//!
//! Everything that is computed is answered here at once; opens, reads and writes have files of their
//! own. A message that the tree has no use for is refused: what would change the tree with
//! `permission denied`, the rest as unknown.

use netrelay_proto::error::Refusal;
use netrelay_proto::ids::Tag;
use netrelay_proto::message::{
    Message, Rattach, Rclunk, Rfsync, Rsetattr, Rstat, Rstatfs, Rwalk, Rwstat,
};
use netrelay_proto::server::{Ask, FidView};

use super::Session;
use crate::net::Net;
use crate::tree::qid::Node;
use crate::tree::stat::Description;
use crate::tree::wstat::{self, Change};
use crate::tree::{Facts, access, walk};

impl Session {
    /// Answers a request, or has it wait.
    pub(super) fn ask(&mut self, ask: &Ask<'_>, net: &mut Net) {
        let tag = ask.tag;
        let Some(view) = ask.fid else { return self.enter(tag, &ask.message, net) };
        match ask.message {
            Message::Tread(asked) => {
                self.read(tag, &view, (asked.offset, asked.count), net);
            }
            Message::Twrite(asked) => self.write(tag, &view, asked.offset, asked.data, net),
            Message::Twalk(asked) => {
                match walk::walk(view.root, view.walked, &asked.wname, &*net.host.shared) {
                    Ok(wqid) => self.reply(tag, &Message::Rwalk(Rwalk { wqid }), net),
                    Err(why) => self.refuse(tag, &why, net),
                }
            }
            Message::Topen(asked) => self.open(tag, &view, asked.mode, net),
            Message::Tlopen(asked) => {
                if let Some(node) = Node::of(view.walked.path) {
                    self.rests.open(view.fid, node, asked.flags);
                }
                self.open(tag, &view, access::mode_of_flags(asked.flags), net);
            }
            Message::Tclunk(_) => {
                self.clunk(&view, net);
                self.reply(tag, &Message::Rclunk(Rclunk {}), net);
            }
            Message::Tremove(_) => {
                self.clunk(&view, net);
                self.refuse(tag, &Refusal::PERMISSION_DENIED, net);
            }
            Message::Tstat(_) => {
                if let Some(description) = self.describe(tag, &view, net) {
                    let stat = description.stat();
                    self.reply(tag, &Message::Rstat(Rstat { stat }), net);
                }
            }
            Message::Tgetattr(asked) => {
                self.rests.look(asked.request_mask);
                if let Some(description) = self.describe(tag, &view, net) {
                    self.reply(tag, &Message::Rgetattr(description.attributes()), net);
                }
            }
            Message::Twstat(asked) => {
                let changed = self.change(&view, net, |node, user, facts| {
                    wstat::wstat(node, &asked.stat, user, facts)
                });
                self.changed(tag, changed, &Message::Rwstat(Rwstat {}), net);
            }
            Message::Tsetattr(asked) => {
                let changed = self.change(&view, net, |node, user, facts| {
                    wstat::setattr(node, &asked, user, facts)
                });
                self.changed(tag, changed, &Message::Rsetattr(Rsetattr {}), net);
            }
            Message::Treaddir(asked) => {
                self.read_entries(tag, &view, (asked.offset, asked.count), net);
            }
            Message::Tfsync(_) => self.reply(tag, &Message::Rfsync(Rfsync {}), net),
            Message::Tstatfs(_) => self.reply(tag, &Message::Rstatfs(STATFS), net),
            Message::Tcreate(_)
            | Message::Tlcreate(_)
            | Message::Tsymlink(_)
            | Message::Tmknod(_)
            | Message::Trename(_)
            | Message::Tlink(_)
            | Message::Tmkdir(_)
            | Message::Trenameat(_)
            | Message::Tunlinkat(_) => self.refuse(tag, &Refusal::PERMISSION_DENIED, net),
            _ => self.refuse(tag, &Refusal::UNKNOWN_MESSAGE, net),
        }
    }

    /// Tauth and Tattach (docs/tree.md, section 7).
    fn enter(&mut self, tag: Tag, message: &Message<'_>, net: &mut Net) {
        let Message::Tattach(asked) = message else {
            return self.refuse(tag, &Refusal::NO_AUTHENTICATION, net);
        };
        let shared = &net.host.shared;
        match walk::attach(asked.aname, shared.root, &**shared) {
            Ok(qid) => {
                self.attached = true;
                self.reply(tag, &Message::Rattach(Rattach { qid }), net);
            }
            Err(why) => self.refuse(tag, &why, net),
        }
    }

    /// Describes what a fid stands for: what it was opened as, if it is open.
    fn describe(&mut self, tag: Tag, view: &FidView, net: &mut Net) -> Option<Description> {
        let node = Node::of(place(view));
        let description = node.map(|node| Description::of(node, &*net.host.shared));
        if description.is_none() {
            self.refuse(tag, &Refusal::FILE_DOES_NOT_EXIST, net);
        }
        description
    }

    /// Carries out what `decide` permits.
    fn change<'a>(
        &self,
        view: &FidView,
        net: &Net,
        decide: impl FnOnce(Node, &str, &dyn Facts) -> Result<Change<'a>, Refusal>,
    ) -> Result<(), Refusal> {
        let shared = &*net.host.shared;
        let node = Node::of(place(view)).ok_or(Refusal::FILE_DOES_NOT_EXIST)?;
        let change = decide(node, self.server.uname(view.attach), shared)?;
        if let Node::File(key, _) = node
            && let Some(registry) = shared.registry(key.branch)
        {
            registry.change(key.number, change);
        }
        Ok(())
    }

    fn changed(
        &mut self,
        tag: Tag,
        changed: Result<(), Refusal>,
        reply: &Message<'_>,
        net: &mut Net,
    ) {
        match changed {
            Ok(()) => self.reply(tag, reply, net),
            Err(why) => self.refuse(tag, &why, net),
        }
    }
}

/// The path of what a fid stands for.
fn place(view: &FidView) -> u64 {
    view.open.map_or(view.walked, |(qid, _)| qid).path
}

/// What statfs(2) is told: a file system of this protocol that has no blocks to count.
const STATFS: Rstatfs = Rstatfs {
    kind: 0x0102_1997,
    bsize: 4096,
    blocks: 0,
    bfree: 0,
    bavail: 0,
    files: 0,
    ffree: 0,
    fsid: 0,
    namelen: 255,
};
