//! How the fids of a session were reached, where their qids don't say (docs/namespaces.md).
//!
//! A fid of an ordinary name space needs nothing here: what is seen there tells its position. So a
//! session costs no more for being able to walk through what is mounted.

use std::collections::HashMap;

use netrelay_proto::ids::{Fid, Qid};
use netrelay_proto::server::FidView;

use crate::tree::Facts;
use crate::tree::position::Position;
use crate::tree::qid::Node;

/// The positions of a session's fids, and of the roots of their attaches.
#[derive(Debug, Default)]
pub(super) struct Reached(HashMap<Fid, Way>);

/// Where a fid is.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub(super) position: Position,
    /// The root of its attach.
    pub(super) root: Position,
}

impl Reached {
    /// The position of a fid and that of its attach's root.
    pub(super) fn way(&self, view: &FidView, facts: &dyn Facts) -> Way {
        let known = self.0.get(&view.fid).cloned();
        known.unwrap_or_else(|| Way {
            position: natural(view.walked, facts),
            root: natural(view.root, facts),
        })
    }

    /// A fid is there from now on.
    pub(super) fn note(&mut self, fid: Fid, way: Way, facts: &dyn Facts) {
        if way.position.told(facts) && way.root.told(facts) {
            self.0.remove(&fid);
        } else {
            self.0.insert(fid, way);
        }
    }

    /// A fid is clunked.
    pub(super) fn forget(&mut self, fid: Fid) {
        self.0.remove(&fid);
    }
}

/// The position that a qid tells.
fn natural(qid: Qid, facts: &dyn Facts) -> Position {
    // Qids come from us, so there is none that tells nothing.
    Node::of(qid.path).map_or(Position::ROOT, |node| Position::natural(node, facts))
}
