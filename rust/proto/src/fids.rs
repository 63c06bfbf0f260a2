//! The fids of one session: numbers that the client chose for places in the tree.
//!
//! A fid remembers where it was walked to and, once open, what it became: an open of `clone` turns it
//! into the `ctl` of a conversation, yet a clone of the fid is `clone` again. A number is taken from
//! the moment a request asks for it (it is *promised*), so that two requests in flight can't both get it.
//!
//! Small numbers, which every client uses, are an index; the others go through a hash with a secret, as a
//! hostile client chooses them.

use std::collections::HashMap;

use crate::ids::{Fid, NONUNAME, Qid};

/// Which attach of a session a fid descends from; see [`crate::server::Server::uname`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct AttachId(pub u32);

/// What a session knows of a fid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FidView {
    /// Its number.
    pub fid: Fid,
    /// Where it was walked to.
    pub walked: Qid,
    /// What it became when it was opened, and the mode.
    pub open: Option<(Qid, u8)>,
    /// Its attach's root.
    pub root: Qid,
    /// Its attach.
    pub attach: AttachId,
}

/// A fid, or the promise of one. Kept small: a session may have very many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Where it was walked to.
    pub(crate) walked: Qid,
    /// What it became, if there is a mode.
    opened: Qid,
    mode: Option<u8>,
    pub(crate) attach: AttachId,
    /// Differs from that of every other fid of the session, whatever their numbers.
    pub(crate) serial: u64,
    /// A request in flight will make it: nobody may use it yet.
    pub(crate) promised: bool,
    /// A request in flight opens it or walks it in place.
    pub(crate) held: bool,
}

impl Entry {
    /// The promise of a fid at `walked`.
    pub(crate) fn promise(walked: Qid, attach: AttachId, serial: u64) -> Self {
        let opened = Qid::default();
        Self { walked, opened, mode: None, attach, serial, promised: true, held: false }
    }

    /// What it became when it was opened, and the mode.
    #[inline]
    pub(crate) fn open(&self) -> Option<(Qid, u8)> {
        self.mode.map(|mode| (self.opened, mode))
    }

    pub(crate) fn set_open(&mut self, qid: Qid, mode: u8) {
        (self.opened, self.mode) = (qid, Some(mode));
    }

    /// As `fid`, in an attach whose root is `root`.
    #[inline]
    pub(crate) fn view(&self, fid: Fid, root: Qid) -> FidView {
        FidView { fid, walked: self.walked, open: self.open(), root, attach: self.attach }
    }
}

/// Fids below this are an index; clients count from 0. A table in full use has 14 KiB.
const SMALL: usize = 256;

/// All fids of a session, with those that are promised.
#[derive(Debug, Default)]
pub(crate) struct Fids {
    small: Vec<Option<Entry>>,
    large: HashMap<Fid, Entry>,
    count: usize,
}

impl Fids {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The fid, unless it is unknown or only promised.
    #[inline]
    pub(crate) fn get(&mut self, fid: Fid) -> Option<&mut Entry> {
        self.entry(fid).filter(|entry| !entry.promised)
    }

    /// The fid or the promise of it.
    #[inline]
    pub(crate) fn entry(&mut self, fid: Fid) -> Option<&mut Entry> {
        match index(fid) {
            Some(index) => self.small.get_mut(index)?.as_mut(),
            None => self.large.get_mut(&fid),
        }
    }

    /// The fid that a request came for; none when it has been clunked since.
    pub(crate) fn same(&mut self, fid: Fid, serial: u64) -> Option<&mut Entry> {
        self.entry(fid).filter(|entry| entry.serial == serial)
    }

    /// Takes a number that is free.
    pub(crate) fn put(&mut self, fid: Fid, entry: Entry) {
        let before = match index(fid) {
            Some(index) => {
                if self.small.len() <= index {
                    self.small.resize(index + 1, None);
                }
                self.small.get_mut(index).and_then(|place| place.replace(entry))
            }
            None => self.large.insert(fid, entry),
        };
        self.count += usize::from(before.is_none());
    }

    pub(crate) fn remove(&mut self, fid: Fid) -> Option<Entry> {
        let gone = match index(fid) {
            Some(index) => self.small.get_mut(index)?.take(),
            None => self.large.remove(&fid),
        };
        self.count -= usize::from(gone.is_some());
        gone
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Every fid that is not only promised, in no order.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Fid, &Entry)> {
        let small = (0..).map(Fid).zip(&self.small);
        let small = small.filter_map(|(fid, entry)| Some((fid, entry.as_ref()?)));
        let large = self.large.iter().map(|(fid, entry)| (*fid, entry));
        small.chain(large).filter(|(_, entry)| !entry.promised)
    }
}

#[inline]
fn index(fid: Fid) -> Option<usize> {
    usize::try_from(fid.0).ok().filter(|index| *index < SMALL)
}

/// Those who attached, each as long as a fid descends from the attach.
#[derive(Debug, Default)]
pub(crate) struct Attaches {
    slots: Vec<Attach>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Attach {
    uname: String,
    root: Qid,
    fids: u32,
}

impl Attaches {
    /// A new one, with one fid. Who has no name is called by number, and who has none either `none`.
    pub(crate) fn add(&mut self, uname: &str, n_uname: u32) -> AttachId {
        let uname = match uname {
            "" if n_uname == NONUNAME => "none".to_owned(),
            "" => n_uname.to_string(),
            uname => uname.to_owned(),
        };
        let slot = Attach { uname, root: Qid::default(), fids: 1 };
        if let Some(id) = self.free.pop() {
            if let Some(place) = usize::try_from(id).ok().and_then(|id| self.slots.get_mut(id)) {
                *place = slot;
            }
            return AttachId(id);
        }
        self.slots.push(slot);
        // There are at most as many as fids, which are counted in 32 bits.
        AttachId(u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX))
    }

    /// One more fid.
    pub(crate) fn hold(&mut self, id: AttachId) {
        if let Some(attach) = self.slot(id) {
            attach.fids += 1;
        }
    }

    /// Where its `..` stops.
    pub(crate) fn set_root(&mut self, id: AttachId, root: Qid) {
        if let Some(attach) = self.slot(id) {
            attach.root = root;
        }
    }

    #[inline]
    pub(crate) fn root(&self, id: AttachId) -> Qid {
        let slot = usize::try_from(id.0).ok().and_then(|id| self.slots.get(id));
        slot.map(|attach| attach.root).unwrap_or_default()
    }

    /// One fid less. The name stays readable until the next attach, for who was just told the id.
    pub(crate) fn drop(&mut self, id: AttachId) {
        if let Some(attach) = self.slot(id) {
            attach.fids -= 1;
            if attach.fids == 0 {
                self.free.push(id.0);
            }
        }
    }

    pub(crate) fn uname(&self, id: AttachId) -> &str {
        let slot = usize::try_from(id.0).ok().and_then(|id| self.slots.get(id));
        slot.map_or("none", |attach| &attach.uname)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn slot(&mut self, id: AttachId) -> Option<&mut Attach> {
        usize::try_from(id.0).ok().and_then(|id| self.slots.get_mut(id))
    }
}
