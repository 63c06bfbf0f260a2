//! What the tree says to each request.
//!
//! Everything that is computed is answered here at once; opens, reads and writes have files of their
//! own. A message that the tree has no use for is refused: what would change the tree with
//! `permission denied`, the rest as unknown.

use netrelay_proto::error::Refusal;
use netrelay_proto::ids::Tag;
use netrelay_proto::message::{
    Message, Qids, Rattach, Rclunk, Rfsync, Rsetattr, Rstat, Rstatfs, Rwalk, Rwstat, Twalk,
};
use netrelay_proto::server::{Ask, FidView};

use super::Session;
use super::reached::Way;
use crate::net::Net;
use crate::tree::position::Position;
use crate::tree::qid::Node;
use crate::tree::stat::Description;
use crate::tree::wstat::{self, Change};
use crate::tree::{Facts, access, walk};

impl Session {
    /// Answers a request, or has it wait.
    pub(super) fn ask(&mut self, ask: &Ask<'_>, net: &mut Net) {
        let tag = ask.tag;
        net.host.refresh();
        let Some(view) = ask.fid else { return self.enter(tag, &ask.message, net) };
        match ask.message {
            Message::Tread(asked) => {
                self.read(tag, &view, (asked.offset, asked.count), net);
            }
            Message::Twrite(asked) => self.write(tag, &view, asked.offset, asked.data, net),
            Message::Twalk(asked) => match self.walk(&view, &asked, net) {
                Ok(wqid) => self.reply(tag, &Message::Rwalk(Rwalk { wqid }), net),
                Err(why) => self.refuse(tag, &why, net),
            },
            Message::Topen(asked) => self.open(tag, &view, asked.mode, net),
            Message::Tlopen(asked) => {
                let facts = net.host.facts();
                let node = self.reached.way(&view, &facts).position.seen(&facts);
                self.rests.open(view.fid, node, asked.flags);
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
                let description = self.describe(&view, net);
                let stat = description.stat();
                self.reply(tag, &Message::Rstat(Rstat { stat }), net);
            }
            Message::Tgetattr(asked) => {
                self.rests.look(asked.request_mask);
                let attributes = self.describe(&view, net).attributes();
                self.reply(tag, &Message::Rgetattr(attributes), net);
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
        let facts = net.host.facts();
        let top = walk::attach(&net.host.shared.config.root, &Position::ROOT, &facts);
        let top = top.and_then(|top| walk::attach(&self.root, &top, &facts));
        match top.and_then(|top| walk::attach(asked.aname, &top, &facts)) {
            Ok(root) => {
                let qid = root.seen(&facts).qid(&facts);
                self.reached.note(asked.fid, Way { position: root.clone(), root }, &facts);
                self.attached = true;
                self.reply(tag, &Message::Rattach(Rattach { qid }), net);
            }
            Err(why) => self.refuse(tag, &why, net),
        }
    }

    /// Walks, and takes note of where a fid is that gets all the way.
    fn walk(&mut self, view: &FidView, asked: &Twalk<'_>, net: &Net) -> Result<Qids, Refusal> {
        let facts = net.host.facts();
        let Way { position, root } = self.reached.way(view, &facts);
        let (wqid, position) = walk::walk(&root, position, &asked.wname, &facts)?;
        if wqid.len() == asked.wname.len() {
            self.reached.note(asked.newfid, Way { position, root }, &facts);
        }
        Ok(wqid)
    }

    /// Describes what a fid stands for: an open file by itself, whatever was walked to.
    fn describe(&self, view: &FidView, net: &Net) -> Description {
        let facts = net.host.facts();
        match view.open.and_then(|(qid, _)| Node::of(qid.path)) {
            Some(node) if !node.directory() => Description::of(node, &facts),
            _ => Description::seen(self.reached.way(view, &facts).position.node, &facts),
        }
    }

    /// Carries out what `decide` permits.
    fn change<'a>(
        &self,
        view: &FidView,
        net: &Net,
        decide: impl FnOnce(Node, &str, &dyn Facts) -> Result<Change<'a>, Refusal>,
    ) -> Result<(), Refusal> {
        let facts = net.host.facts();
        let opened = view.open.and_then(|(qid, _)| Node::of(qid.path));
        let node = opened.unwrap_or_else(|| self.reached.way(view, &facts).position.seen(&facts));
        let change = decide(node, self.server.uname(view.attach), &facts)?;
        if let Node::File(key, _) = node
            && let Some(registry) = net.host.shared.registry(key.branch)
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
