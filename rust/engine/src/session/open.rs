//! Topen and Tlopen, and what a clunk gives back (open(5); docs/tree.md, section 4).
//!
//! An open of clone, ctl, data or err counts in the registry and is given back by the clunk. An open
//! of listen waits for a call and becomes the ctl of its conversation.

use netrelay_proto::error::Refusal;
use netrelay_proto::ids::{Tag, mode::OTRUNC};
use netrelay_proto::server::FidView;

use super::Session;
use super::opened::{Opened, Query};
use super::parked::{At, Place};
use crate::mailbox::Mail;
use crate::net::Net;
use crate::net::operation::{Operation, Outcome};
use crate::net::registry::Opened as Found;
use crate::tree::access;
use crate::tree::directory::Listing;
use crate::tree::qid::{File, Node};
use crate::upcall::Kind;

impl Session {
    /// Opens the file that `view` was walked to.
    pub(super) fn open(&mut self, tag: Tag, view: &FidView, mode: u8, net: &mut Net) {
        let opened = match Node::of(view.walked.path) {
            Some(Node::File(_, number, File::Listen)) => {
                return match self.may_open(view, mode, net) {
                    Ok(_) => self.listen(tag, view, number, net),
                    Err(why) => self.refuse(tag, &why, net),
                };
            }
            _ => self.open_now(view, mode, net),
        };
        match opened {
            Ok(node) => {
                let qid = node.qid(&net.host.shared.registry);
                self.reply_open(tag, qid, net);
            }
            Err(why) => self.refuse(tag, &why, net),
        }
    }

    /// A fid is clunked or removed: what waits there is interrupted, what it held given back.
    pub(super) fn clunk(&mut self, view: &FidView, net: &mut Net) {
        self.interrupt(view.fid, net);
        if let Some(opened) = self.files.remove(&view.fid) {
            self.close(&opened, net);
        }
    }

    fn may_open(&self, view: &FidView, mode: u8, net: &Net) -> Result<Node, Refusal> {
        let registry = &net.host.shared.registry;
        let node = Node::of(view.walked.path).ok_or(Refusal::FILE_DOES_NOT_EXIST)?;
        access::open(node, mode, self.server.uname(view.attach), registry)?;
        Ok(node)
    }

    /// An open that waits for nothing; what the file is from now on.
    fn open_now(&mut self, view: &FidView, mode: u8, net: &mut Net) -> Result<Node, Refusal> {
        let node = self.may_open(view, mode, net)?;
        let worker = net.host.worker;
        let user = self.server.uname(view.attach);
        let registry = &net.host.shared.registry;
        let opened = match node {
            Node::Clone(protocol) => {
                let number = registry.allocate(user, worker)?;
                net.create(number);
                self.hold(view.fid, number, worker, File::Ctl);
                return Ok(Node::File(protocol, number, File::Ctl));
            }
            Node::File(_, number, file) if file.holds() => {
                let holder = match registry.open(number, mode, user, worker)? {
                    Found::Claimed => {
                        net.create(number);
                        worker
                    }
                    Found::Held(holder) => holder,
                };
                self.hold(view.fid, number, holder, file);
                return Ok(node);
            }
            Node::Ndb if mode & OTRUNC != 0 => {
                registry.ndb_text().truncate();
                return Ok(node);
            }
            Node::Cs => Opened::Query(Query::new(Kind::Cs, user)),
            Node::Dns => Opened::Query(Query::new(Kind::Dns, user)),
            Node::Log => Opened::Log(net.host.shared.log.reader()),
            _ if node.directory() => Opened::Directory(Listing::default()),
            _ => return Ok(node),
        };
        self.files.insert(view.fid, opened);
        Ok(node)
    }

    fn listen(&mut self, tag: Tag, view: &FidView, number: u32, net: &mut Net) {
        let Some(worker) = net.host.shared.registry.worker(number) else {
            return self.refuse(tag, &Refusal::NOT_ANNOUNCED, net);
        };
        let waiter = self.waiter(tag, view.fid, net);
        let at = At { number, worker };
        if worker != net.host.worker {
            let mail = Mail::Operation { waiter, number, operation: Operation::Listen };
            net.host.shared.mail(worker, mail);
        } else if let Some(Outcome::Refused(why)) = net.listen(number, waiter) {
            return self.refuse(tag, &why, net);
        }
        self.park(waiter, Place::Other(at), net);
    }
}
