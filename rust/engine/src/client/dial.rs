//! Dials and listens on a served tree without Python, in as few round trips as the server allows.
//!
//! A dial is six requests: walk to clone, open it (it becomes ctl), read the number, write
//! `connect`, walk to data, open it. A server that promised the window answers what comes in one
//! send in order, so they go in two groups: what needs no number, and the rest. Any other server
//! gets them one by one. A listen is the same with a different beginning and an end that asks who
//! called.
//!
//! The first refusal in order decides. What was walked to is clunked before it is reported, so a
//! failed dial leaves no conversation behind. Names and addresses are taken as they are: cs was
//! asked before.

use netrelay_proto::dialect::Dialect;
use netrelay_proto::error::Refusal;
use netrelay_proto::ids::mode::{ORDWR, OREAD};
use netrelay_proto::ids::{Fid, Tag};
use netrelay_proto::message::{Message, Names, Tlopen, Topen, Tread, Twalk, Twrite};

use super::calls::Purpose;
use super::completion::Outcome;
use super::fids::Fids;
use super::link::Link;
use super::outbound::Lane;
use super::stream::Stream;

/// One request of a dial or listen, in the order of their making.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Step {
    WalkCtl,
    OpenCtl,
    ReadNumber,
    Connect,
    WalkData,
    OpenData,
    WalkRemote,
    OpenRemote,
    ReadRemote,
    /// The clunk of a fid that is needed no more.
    Drop(Fid),
}

use Step::{
    Connect, OpenCtl, OpenData, OpenRemote, ReadNumber, ReadRemote, WalkCtl, WalkData, WalkRemote,
};

const DIAL: &[&[Step]] = &[&[WalkCtl, OpenCtl, ReadNumber], &[Connect, WalkData, OpenData]];

/// The open of listen parks, so nothing of the new conversation can go with it.
const LISTEN: &[&[Step]] = &[
    &[WalkCtl, OpenCtl],
    &[ReadNumber],
    &[WalkData, OpenData, WalkRemote, OpenRemote, ReadRemote],
];

/// What is to be dialled or listened for.
#[derive(Debug)]
pub(crate) enum Errand {
    /// `connect` with this argument by the clone file at the path.
    Dial(String),
    /// The same, and then a pump to this socket.
    DialAndPump(String, Stream),
    /// The next call of the announced conversation whose directory the path is.
    Listen,
}

impl Errand {
    /// What there is to report of a refusal; a socket that was to be pumped to is reset.
    pub(crate) fn refused(self, refusal: Refusal) -> Outcome {
        match self {
            Self::DialAndPump(_, local) => {
                local.reset_on_close();
                Outcome::NotDialed(refusal)
            }
            Self::Dial(_) => Outcome::NotDialed(refusal),
            Self::Listen => Outcome::NotCalled(refusal),
        }
    }
}

/// A dial or listen under way.
#[derive(Debug)]
pub(crate) struct Dial {
    /// The id of the call that asked for it.
    pub(crate) id: u64,
    key: usize,
    root: Fid,
    path: Vec<String>,
    errand: Errand,
    ctl: Fid,
    data: Fid,
    remote_fid: Fid,
    number: Option<u32>,
    remote: String,
    /// Group and place in it of the next request.
    next: (usize, usize),
    outstanding: Vec<Tag>,
    walked: Vec<Fid>,
    refusal: Option<(Step, Refusal)>,
    over: bool,
}

/// What came of a dial.
#[derive(Debug)]
pub(crate) enum Done {
    /// Report this.
    Tell(Outcome),
    /// Report this, and pump the conversation (ctl and data) to the socket.
    Pump(Outcome, (Fid, Fid), Stream),
}

impl Dial {
    pub(crate) fn new(
        id: u64,
        key: usize,
        (root, path): (Fid, Vec<String>),
        errand: Errand,
        fids: &Fids,
    ) -> Self {
        let remote_fid = if matches!(errand, Errand::Listen) { fids.take() } else { Fid::NOFID };
        Self {
            id,
            key,
            root,
            path,
            errand,
            ctl: fids.take(),
            data: fids.take(),
            remote_fid,
            number: None,
            remote: String::new(),
            next: (0, 0),
            outstanding: Vec::new(),
            walked: Vec::new(),
            refusal: None,
            over: false,
        }
    }

    /// Takes the answer to a step.
    pub(crate) fn answered(
        &mut self,
        tag: Tag,
        step: Step,
        answer: Result<&Message<'_>, Refusal>,
        fids: &Fids,
    ) {
        self.outstanding.retain(|waiting| *waiting != tag);
        let refused = match (step, answer) {
            (Step::Drop(fid), _) => {
                self.walked.retain(|walked| *walked != fid);
                fids.give(fid);
                None
            }
            (_, Err(refusal)) => Some(refusal),
            (WalkCtl | WalkData | WalkRemote, Ok(Message::Rwalk(walk))) => {
                let (names, fid) = self.walk(step);
                if walk.wqid.len() == names.len() {
                    self.walked.push(fid);
                    None
                } else {
                    Some(Refusal::FILE_DOES_NOT_EXIST)
                }
            }
            (ReadNumber, Ok(Message::Rread(read))) => {
                let text = String::from_utf8_lossy(read.data);
                self.number = text.trim().parse().ok();
                self.number.is_none().then_some(Refusal::IO)
            }
            (ReadRemote, Ok(Message::Rread(read))) => {
                self.remote = String::from_utf8_lossy(read.data).trim().into();
                None
            }
            (_, Ok(_)) => None,
        };
        if let Some(refusal) = refused {
            // Of requests that went together the later ones fail because the first did.
            if self.refusal.as_ref().is_none_or(|(earlier, ..)| *earlier > step) {
                self.refusal = Some((step, refusal));
            }
        }
    }

    /// A request was withdrawn by a flush.
    pub(crate) fn flushed(&mut self, tag: Tag, step: Step) {
        self.outstanding.retain(|waiting| *waiting != tag);
        self.refusal.get_or_insert((step, Refusal::INTERRUPTED));
    }

    /// Withdraws it, as the embedding program asked.
    pub(crate) fn stop(&mut self, link: &mut Link) {
        self.refusal = Some((WalkCtl, Refusal::INTERRUPTED));
        for tag in &self.outstanding {
            link.flush(*tag, Lane::Ahead);
        }
    }

    /// Sends what can be sent; what came of it once all is done.
    pub(crate) fn step(&mut self, link: &mut Link, fids: &Fids) -> Option<Done> {
        if !self.over && self.refusal.is_none() {
            self.send(link);
        }
        if !self.outstanding.is_empty() {
            return None;
        }
        if !self.over {
            self.over = true;
            self.clean(link, fids);
        }
        self.outstanding.is_empty().then(|| self.done())
    }

    /// The session is gone: what there was to report.
    pub(crate) fn lost(self) -> Outcome {
        self.errand.refused(Refusal::HUNGUP)
    }

    /// Clunks what is needed no more: all of it after a refusal, else what only asked who called.
    fn clean(&mut self, link: &mut Link, fids: &Fids) {
        let all = self.refusal.is_some();
        for fid in [self.ctl, self.data, self.remote_fid] {
            if !self.walked.contains(&fid) {
                fids.give(fid);
            }
        }
        let needless = |fid: &Fid| all || *fid == self.remote_fid;
        let dropped: Vec<Fid> = self.walked.iter().copied().filter(needless).collect();
        for fid in dropped {
            let clunk = Message::Tclunk(netrelay_proto::message::Tclunk { fid });
            let purpose = Purpose::Dial(self.key, Step::Drop(fid));
            self.outstanding.extend(link.request(&clunk, purpose, Lane::Ahead));
        }
    }

    fn done(&mut self) -> Done {
        let errand = std::mem::replace(&mut self.errand, Errand::Listen);
        let (ctl, data, number) = (self.ctl, self.data, self.number.unwrap_or_default());
        if let Some((_, refusal)) = self.refusal.take() {
            return Done::Tell(errand.refused(refusal));
        }
        let up = Outcome::Dialed { number, ctl, data };
        match errand {
            Errand::DialAndPump(_, local) => Done::Pump(up, (ctl, data), local),
            Errand::Dial(_) => Done::Tell(up),
            Errand::Listen => {
                let remote = std::mem::take(&mut self.remote);
                Done::Tell(Outcome::Called { number, ctl, data, remote })
            }
        }
    }

    /// Sends the next group, or with a server that promises nothing the next request.
    fn send(&mut self, link: &mut Link) {
        if !self.outstanding.is_empty() {
            return;
        }
        let groups = if matches!(self.errand, Errand::Listen) { LISTEN } else { DIAL };
        while let Some(group) = groups.get(self.next.0) {
            let Some(step) = group.get(self.next.1).copied() else {
                self.next = (self.next.0 + 1, 0);
                if self.outstanding.is_empty() {
                    continue;
                }
                return;
            };
            self.next.1 += 1;
            let Some(tag) = self.request(step, link) else {
                self.refusal = Some((step, Refusal::TOO_MANY_REQUESTS));
                return;
            };
            self.outstanding.push(tag);
            if !link.agreed.windowed {
                return;
            }
        }
    }

    fn request(&self, step: Step, link: &mut Link) -> Option<Tag> {
        let purpose = Purpose::Dial(self.key, step);
        let connect = match &self.errand {
            Errand::Dial(remote) | Errand::DialAndPump(remote, _) => format!("connect {remote}"),
            Errand::Listen => String::new(),
        };
        match step {
            WalkCtl | WalkData | WalkRemote => {
                let (names, newfid) = self.walk(step);
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let wname = Names::new(&names).ok()?;
                let walk = Message::Twalk(Twalk { fid: self.root, newfid, wname });
                link.request(&walk, purpose, Lane::Ahead)
            }
            OpenCtl => link.request(&open(self.ctl, ORDWR, link), purpose, Lane::Ahead),
            OpenData => link.request(&open(self.data, ORDWR, link), purpose, Lane::Ahead),
            OpenRemote => link.request(&open(self.remote_fid, OREAD, link), purpose, Lane::Ahead),
            ReadNumber => link.request(&read(self.ctl), purpose, Lane::Ahead),
            ReadRemote => link.request(&read(self.remote_fid), purpose, Lane::Ahead),
            Connect => {
                let write = Twrite { fid: self.ctl, offset: 0, data: connect.as_bytes() };
                link.request(&Message::Twrite(write), purpose, Lane::Ahead)
            }
            Step::Drop(_) => None,
        }
    }

    /// Where a walk goes, and the fid it makes.
    fn walk(&self, step: Step) -> (Vec<String>, Fid) {
        let mut names = self.path.clone();
        let listen = matches!(self.errand, Errand::Listen);
        if step == WalkCtl {
            if listen {
                names.push("listen".into());
            }
            return (names, self.ctl);
        }
        names.pop();
        names.push(self.number.unwrap_or_default().to_string());
        let remote = step == WalkRemote;
        names.push(if remote { "remote" } else { "data" }.into());
        (names, if remote { self.remote_fid } else { self.data })
    }
}

fn open(fid: Fid, mode: u8, link: &Link) -> Message<'static> {
    match link.agreed.dialect {
        // O_RDONLY and O_RDWR have the numbers of OREAD and ORDWR.
        Dialect::L => Message::Tlopen(Tlopen { fid, flags: u32::from(mode) }),
        _ => Message::Topen(Topen { fid, mode }),
    }
}

fn read(fid: Fid) -> Message<'static> {
    // An address and its port, or a number: a fraction of this.
    Message::Tread(Tread { fid, offset: 0, count: 128 })
}
