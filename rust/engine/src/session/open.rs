//! Topen and Tlopen, and what a clunk gives back (open(5); docs/tree.md, section 4).
//!
//! An open of clone, ctl, data or err counts in the registry and is given back by the clunk. An open
//! of listen waits for a call and becomes the ctl of its conversation.

use netrelay_proto::error::Refusal;
use netrelay_proto::ids::{Tag, mode::OTRUNC};
use netrelay_proto::server::FidView;

use super::Session;
use super::hostfile::HostFile;
use super::opened::{Opened, Queried, Query};
use super::parked::{At, Place};
use crate::mailbox::Mail;
use crate::net::Net;
use crate::net::operation::{Operation, Outcome};
use crate::net::registry::Opened as Found;
use crate::tree::access;
use crate::tree::directory::Listing;
use crate::tree::qid::{Common, File, Key, Node};

impl Session {
    /// Opens the file that `view` was walked to.
    pub(super) fn open(&mut self, tag: Tag, view: &FidView, mode: u8, net: &mut Net) {
        let opened = match self.may_open(view, mode, net) {
            Ok(Node::File(key, File::Listen)) => return self.listen(tag, view, key, net),
            Ok(node) => self.open_now(view, (node, mode), net),
            Err(why) => Err(why),
        };
        match opened {
            Ok(node) => {
                let qid = node.qid(&net.host.facts());
                self.reply_open(tag, qid, net);
            }
            Err(why) => self.refuse(tag, &why, net),
        }
    }

    /// A fid is clunked or removed: what waits there is interrupted, what it held given back.
    pub(super) fn clunk(&mut self, view: &FidView, net: &mut Net) {
        self.interrupt(view.fid, net);
        self.rests.close(view.fid);
        self.reached.forget(view.fid);
        if let Some(opened) = self.files.remove(&view.fid) {
            self.close(&opened, net);
        }
    }

    fn may_open(&self, view: &FidView, mode: u8, net: &Net) -> Result<Node, Refusal> {
        let facts = net.host.facts();
        let node = self.reached.way(view, &facts).position.seen(&facts);
        access::open(node, mode, self.server.uname(view.attach), &facts)?;
        Ok(node)
    }

    /// An open that waits for nothing; what the file is from now on.
    fn open_now(
        &mut self,
        view: &FidView,
        (node, mode): (Node, u8),
        net: &mut Net,
    ) -> Result<Node, Refusal> {
        let worker = net.host.worker;
        let user = self.server.uname(view.attach);
        let shared = &net.host.shared;
        let opened = match node {
            Node::Clone(branch) => {
                let registry = shared.registry(branch).ok_or(Refusal::PERMISSION_DENIED)?;
                let key = branch.key(registry.allocate(user, worker)?);
                net.create(key);
                self.hold(view.fid, key, worker, File::Ctl);
                return Ok(Node::File(key, File::Ctl));
            }
            Node::File(key, file) if file.holds() && !key.branch.protocol.of_host() => {
                let registry = shared.registry(key.branch).ok_or(Refusal::PERMISSION_DENIED)?;
                let holder = match registry.open(key.number, mode, user, worker)? {
                    Found::Claimed => {
                        net.create(key);
                        worker
                    }
                    Found::Held(holder) => holder,
                };
                self.hold(view.fid, key, holder, file);
                return Ok(node);
            }
            Node::Common(stack, Common::Ndb) if mode & OTRUNC != 0 => {
                shared.stack(stack).ndb().truncate();
                return Ok(node);
            }
            Node::Common(stack, Common::Cs) => {
                Opened::Query(Query::new(Queried::Cs, user, shared.stack_name(stack)).into())
            }
            Node::Common(stack, Common::Dns) => {
                Opened::Query(Query::new(Queried::Dns, user, shared.stack_name(stack)).into())
            }
            Node::Common(stack, Common::Log) => {
                Opened::Log(stack, shared.stack(stack).log.reader())
            }
            _ if node.directory() => Opened::Directory(Listing::default()),
            _ => match HostFile::of(node, user, net) {
                Some(file) => Opened::Host(file.into()),
                None => return Ok(node),
            },
        };
        self.files.insert(view.fid, opened);
        Ok(node)
    }

    fn listen(&mut self, tag: Tag, view: &FidView, key: Key, net: &mut Net) {
        let registry = net.host.shared.registry(key.branch);
        let Some(worker) = registry.and_then(|registry| registry.worker(key.number)) else {
            return self.refuse(tag, &Refusal::NOT_ANNOUNCED, net);
        };
        let waiter = self.waiter(tag, view.fid, net);
        let at = At { key, worker };
        if worker != net.host.worker {
            let mail = Mail::Operation { waiter, key, operation: Operation::Listen };
            net.host.shared.mail(worker, mail);
        } else if let Some(Outcome::Refused(why)) = net.listen(key, waiter) {
            return self.refuse(tag, &why, net);
        }
        self.park(waiter, Place::Other(at), net);
    }
}
