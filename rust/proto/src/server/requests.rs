//! What the session says to a request: its own refusal or answer, or an ask.
//!
//! The order of the checks is part of the protocol page: the twin refuses with the same text.

use super::{Ask, Server, Step, reads, writes};
use crate::error::Refusal;
use crate::fids::{AttachId, Entry, FidView};
use crate::ids::{Fid, Qid, Tag};
use crate::message::{
    Message, Tclunk, Tcreate, Tlcreate, Tlopen, Topen, Tremove, Twalk, Txattrcreate,
};
use crate::tags::Request;

impl Server {
    pub(super) fn consider<'a>(
        &mut self,
        tag: Tag,
        message: &Message<'a>,
        out: &mut Vec<u8>,
    ) -> Result<Step<'a>, Refusal> {
        let mut request = Request::new(message.kind());
        let mut message = *message;
        let fid = match &mut message {
            Message::Tread(asked) => {
                let view = self.readable(asked.fid, asked.offset, asked.count, &mut request)?;
                asked.count = asked.count.min(self.iounit());
                Some(view)
            }
            Message::Twrite(asked) => {
                let count = u64::try_from(asked.data.len()).unwrap_or(u64::MAX);
                let (view, serial) = self.writable(asked.fid, asked.offset, count)?;
                (request.fid, request.serial) = (asked.fid, serial);
                Some(view)
            }
            Message::Treaddir(asked) => {
                let view = self.readable(asked.fid, asked.offset, asked.count, &mut request)?;
                asked.count = asked.count.min(self.iounit());
                Some(view)
            }
            Message::Tflush(asked) => return self.flush(tag, asked.oldtag, out),
            Message::Tauth(asked) => {
                self.enter(asked.afid, asked.uname, asked.n_uname)?;
                request.makes = asked.afid;
                None
            }
            Message::Tattach(asked) => {
                if asked.afid != Fid::NOFID {
                    self.known(asked.afid)?;
                }
                self.enter(asked.fid, asked.uname, asked.n_uname)?;
                request.makes = asked.fid;
                None
            }
            Message::Twalk(asked) => Some(self.walk(asked, &mut request)?),
            other => Some(self.other(other, &mut request)?),
        };
        self.tags.begin(tag, request);
        Ok(Step::Ask(Ask { tag, message, fid }))
    }

    /// The fid of a Tread or Treaddir, if it may be read there.
    #[inline]
    fn readable(
        &mut self,
        fid: Fid,
        offset: u64,
        count: u32,
        request: &mut Request,
    ) -> Result<FidView, Refusal> {
        let entry = *self.known(fid)?;
        if !reads(entry.open()) {
            return Err(Refusal::BAD_USE_OF_FID);
        }
        offset.checked_add(u64::from(count)).ok_or(Refusal::BAD_OFFSET)?;
        (request.fid, request.serial) = (fid, entry.serial);
        Ok(self.view(fid, &entry))
    }

    /// The fid of a Twrite and its serial, if it may be written there.
    #[inline]
    pub(super) fn writable(
        &mut self,
        fid: Fid,
        offset: u64,
        count: u64,
    ) -> Result<(FidView, u64), Refusal> {
        let entry = *self.known(fid)?;
        if !writes(entry.open()) {
            return Err(Refusal::BAD_USE_OF_FID);
        }
        offset.checked_add(count).ok_or(Refusal::BAD_OFFSET)?;
        Ok((self.view(fid, &entry), entry.serial))
    }

    /// walk(5).
    fn walk(&mut self, asked: &Twalk<'_>, request: &mut Request) -> Result<FidView, Refusal> {
        let entry = *self.known(asked.fid)?;
        let view = self.view(asked.fid, &entry);
        (request.fid, request.serial) = (asked.fid, entry.serial);
        // At most 16, as the list is.
        request.names = u8::try_from(asked.wname.len()).unwrap_or(16);
        if asked.newfid != asked.fid {
            self.promise(asked.newfid, view.walked, view.attach)?;
            request.makes = asked.newfid;
        } else if view.open.is_some() || entry.held {
            return Err(Refusal::BAD_USE_OF_FID);
        } else {
            self.known(asked.fid)?.held = true;
            request.holds = true;
        }
        Ok(view)
    }

    /// Everything that is about one fid, with or without others beside it.
    fn other(&mut self, message: &Message<'_>, request: &mut Request) -> Result<FidView, Refusal> {
        let (fid, beside) = subject(message);
        if let Some(beside) = beside {
            self.known(beside)?;
        }
        let entry = *self.known(fid)?;
        let view = self.view(fid, &entry);
        (request.fid, request.serial) = (fid, entry.serial);
        if let Some(mode) = opens(message) {
            if view.open.is_some() || entry.held {
                return Err(Refusal::BAD_USE_OF_FID);
            }
            self.known(fid)?.held = true;
            (request.holds, request.mode) = (true, mode);
        }
        if let Message::Txattrwalk(asked) = message {
            self.promise(asked.newfid, view.walked, view.attach)?;
            request.makes = asked.newfid;
        }
        if matches!(message.kind(), Tclunk::KIND | Tremove::KIND) {
            self.drop_fid(fid);
        }
        Ok(view)
    }

    /// Promises the fid of an attach by that name.
    fn enter(&mut self, fid: Fid, uname: &str, n_uname: u32) -> Result<(), Refusal> {
        self.vacant(fid)?;
        let attach = self.attaches.add(uname, n_uname);
        self.put_promise(fid, Qid::default(), attach);
        Ok(())
    }

    /// Takes a number for a fid that a request in flight will make.
    fn promise(&mut self, fid: Fid, walked: Qid, attach: AttachId) -> Result<(), Refusal> {
        self.vacant(fid)?;
        self.attaches.hold(attach);
        self.put_promise(fid, walked, attach);
        Ok(())
    }

    fn vacant(&mut self, fid: Fid) -> Result<(), Refusal> {
        if fid == Fid::NOFID || self.fids.entry(fid).is_some() {
            return Err(Refusal::DUPLICATE_FID);
        }
        if self.fids.len() >= self.config.max_fids {
            return Err(Refusal::TOO_MANY_FIDS);
        }
        Ok(())
    }

    fn put_promise(&mut self, fid: Fid, walked: Qid, attach: AttachId) {
        let serial = self.next_serial();
        self.fids.put(fid, Entry::promise(walked, attach, serial));
    }

    #[inline]
    fn view(&self, fid: Fid, entry: &Entry) -> FidView {
        entry.view(fid, self.attaches.root(entry.attach))
    }

    #[inline]
    fn known(&mut self, fid: Fid) -> Result<&mut Entry, Refusal> {
        self.fids.get(fid).ok_or(Refusal::UNKNOWN_FID)
    }

    pub(super) fn drop_fid(&mut self, fid: Fid) {
        if let Some(gone) = self.fids.remove(fid) {
            self.attaches.drop(gone.attach);
        }
    }
}

/// The mode of a message that opens its fid.
fn opens(message: &Message<'_>) -> Option<u8> {
    match message {
        Message::Topen(Topen { mode, .. }) | Message::Tcreate(Tcreate { mode, .. }) => Some(*mode),
        // open(2)'s access modes are OREAD, OWRITE and ORDWR.
        Message::Tlopen(Tlopen { flags, .. }) | Message::Tlcreate(Tlcreate { flags, .. }) => {
            Some(flags.to_le_bytes()[0])
        }
        Message::Txattrcreate(Txattrcreate { .. }) => Some(1),
        _ => None,
    }
}

/// The fid that a message is about, and the one it names beside it.
fn subject(message: &Message<'_>) -> (Fid, Option<Fid>) {
    match message {
        Message::Topen(m) => (m.fid, None),
        Message::Tcreate(m) => (m.fid, None),
        Message::Tclunk(m) => (m.fid, None),
        Message::Tremove(m) => (m.fid, None),
        Message::Tstat(m) => (m.fid, None),
        Message::Twstat(m) => (m.fid, None),
        Message::Tstatfs(m) => (m.fid, None),
        Message::Tlopen(m) => (m.fid, None),
        Message::Tlcreate(m) => (m.fid, None),
        Message::Tsymlink(m) => (m.fid, None),
        Message::Tmknod(m) => (m.dfid, None),
        Message::Trename(m) => (m.fid, Some(m.dfid)),
        Message::Treadlink(m) => (m.fid, None),
        Message::Tgetattr(m) => (m.fid, None),
        Message::Tsetattr(m) => (m.fid, None),
        Message::Txattrwalk(m) => (m.fid, None),
        Message::Txattrcreate(m) => (m.fid, None),
        Message::Tfsync(m) => (m.fid, None),
        Message::Tlock(m) => (m.fid, None),
        Message::Tgetlock(m) => (m.fid, None),
        Message::Tlink(m) => (m.fid, Some(m.dfid)),
        Message::Tmkdir(m) => (m.dfid, None),
        Message::Trenameat(m) => (m.olddirfid, Some(m.newdirfid)),
        Message::Tunlinkat(m) => (m.dirfd, None),
        // The rest is dealt with before, or is no request.
        _ => (Fid::NOFID, None),
    }
}
