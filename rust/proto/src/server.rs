//! One session served: a state machine that is given frames and says what must be decided.
//!
//! It knows the rules of the protocol (docs/protocol.md, section 5) and nothing of the tree. What only
//! the tree can decide is an [`Ask`]; the answer is the reply message itself, and the session draws from it
//! what the reply means for its fids. A flush is asked too: the tree alone knows whether a request has
//! left traces. Frames to send are appended to the caller's buffer, so that a turn of many requests ends
//! in one send, and no small request costs an allocation.
//!
//! It does not cut frames out of a stream ([`crate::deframe`]), wait, or read a clock.

mod answers;
mod requests;

use crate::dialect::{Dialect, VERSIONS, WINDOWED, negotiate};
use crate::error::{DecodeError, EIO, Reason, Refusal, linux_text};
pub use crate::fids::{AttachId, FidView};
use crate::fids::{Attaches, Fids};
use crate::ids::{FIRST_MSIZE, Fid, IOHDRSZ, MAX_MSIZE, MIN_MSIZE, Qid, Tag};
use crate::message::{
    Message, Rerror, Rflush, Rlerror, Rversion, Tflush, Tversion, Twrite, decode, encode,
};
use crate::tags::{Request, Tags};

/// The bounds of a session, and what it serves.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The largest msize agreed to, in bytes.
    pub max_msize: u32,
    /// The versions agreed to.
    pub versions: Vec<String>,
    /// Fids at a time.
    pub max_fids: usize,
    /// Requests in flight at a time.
    pub max_requests: usize,
}

impl Default for ServerConfig {
    fn default() -> Self {
        let versions = VERSIONS.map(String::from).to_vec();
        Self { max_msize: MAX_MSIZE, versions, max_fids: 65536, max_requests: 4096 }
    }
}

/// What one frame asks of the caller, beyond sending what was appended to `out`.
#[allow(clippy::large_enum_variant, reason = "moved once a frame; a box would be an allocation")]
#[derive(Clone, Debug)]
pub enum Step<'a> {
    /// Nothing.
    Done,
    /// Decide this and answer it, now or later.
    Ask(Ask<'a>),
    /// A flush wants this request back: [`Server::withdraw`] it, or answer it if it did happen.
    Withdraw(Tag),
    /// A Tversion ended all that was: every ask is forgotten and every fid is gone.
    Reset,
}

/// A request for the tree.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// To answer with.
    pub tag: Tag,
    /// The request, its count within msize.
    pub message: Message<'a>,
    /// What is known of its fid; none for Tauth and Tattach.
    pub fid: Option<FidView>,
}

/// A Twrite for the tree whose payload is still on its way.
#[derive(Clone, Copy, Debug)]
pub struct WriteAsk {
    /// To answer with.
    pub tag: Tag,
    /// The open fid.
    pub fid: FidView,
    /// As asked.
    pub offset: u64,
    /// Bytes of payload behind the head.
    pub count: u32,
}

/// A session, from its first frame to its last.
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    dialect: Dialect,
    msize: u32,
    version: Option<String>,
    /// Whether Linux's client has attached where only words go.
    for_linux: bool,
    fids: Fids,
    attaches: Attaches,
    tags: Tags,
    serial: u64,
}

impl Server {
    /// No version agreed yet.
    pub fn new(config: ServerConfig) -> Self {
        Self {
            config,
            dialect: Dialect::P2000,
            msize: FIRST_MSIZE,
            version: None,
            for_linux: false,
            fids: Fids::default(),
            attaches: Attaches::default(),
            tags: Tags::default(),
            serial: 0,
        }
    }

    /// What is spoken now.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The largest frame now, either way.
    pub fn msize(&self) -> u32 {
        self.msize
    }

    /// The version agreed, if any.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Whether the window was promised (docs/protocol.md, section 6).
    pub fn windowed(&self) -> bool {
        self.version() == Some(WINDOWED)
    }

    /// Whose attach that is. For an id of a fid that is gone, only until the next request.
    pub fn uname(&self, attach: AttachId) -> &str {
        self.attaches.uname(attach)
    }

    /// All fids, in no order: what a vanished session gives back.
    pub fn fids(&self) -> impl Iterator<Item = FidView> {
        self.fids.all().map(|(fid, entry)| entry.view(fid, self.attaches.root(entry.attach)))
    }

    /// How many fids there are, promised ones among them.
    pub fn fid_count(&self) -> usize {
        self.fids.len()
    }

    /// Requests in flight but for flushes.
    pub fn in_flight(&self) -> usize {
        self.tags.len()
    }

    /// Takes one whole frame; the session's own replies are appended to `out`.
    ///
    /// # Errors
    /// The frame is not 9P; the session is over.
    pub fn request<'a>(
        &mut self,
        frame: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<Step<'a>, DecodeError> {
        let (tag, message) = match decode(frame, self.dialect) {
            Ok(decoded) => decoded,
            Err(error) => return self.undecoded(frame, error, out),
        };
        if message.kind() % 2 == 1 {
            let field = message.kind().to_string().into();
            return Err(DecodeError { reason: Reason::Type, message: "frame", field });
        }
        let step = match message {
            Message::Tversion(asked) => self.begin(tag, &asked, out),
            _ => self.admit(tag, message.kind()).and_then(|()| self.consider(tag, &message, out)),
        };
        Ok(step.unwrap_or_else(|refusal| {
            self.send_error(tag, &refusal, out);
            Step::Done
        }))
    }

    /// Accepts a Twrite by its first 23 bytes, so that its payload can be passed on as it arrives.
    /// None: let it go the ordinary way, once the frame is whole.
    ///
    /// # Errors
    /// The frame's size and its count contradict each other; the session is over.
    pub fn begin_write(&mut self, head: &[u8]) -> Result<Option<WriteAsk>, DecodeError> {
        let Some([s0, s1, s2, s3, Twrite::KIND, t0, t1, f0, f1, f2, f3, at @ .., n0, n1, n2, n3]) =
            head.first_chunk::<{ Twrite::HEAD }>()
        else {
            return Ok(None);
        };
        let size = u32::from_le_bytes([*s0, *s1, *s2, *s3]);
        let count = u32::from_le_bytes([*n0, *n1, *n2, *n3]);
        let error = |reason, field: &'static str| {
            Err(DecodeError { reason, message: Twrite::NAME, field: field.into() })
        };
        match u64::from(size).cmp(&(u64::from(count) + 23)) {
            std::cmp::Ordering::Less => return error(Reason::Short, "data"),
            std::cmp::Ordering::Greater => return error(Reason::Trailing, "end"),
            std::cmp::Ordering::Equal => {}
        }
        let tag = Tag(u16::from_le_bytes([*t0, *t1]));
        let fid = Fid(u32::from_le_bytes([*f0, *f1, *f2, *f3]));
        let offset = u64::from_le_bytes(*at);
        if self.admit(tag, Twrite::KIND).is_err() {
            return Ok(None);
        }
        let Ok((view, serial)) = self.writable(fid, offset, u64::from(count)) else {
            return Ok(None);
        };
        self.tags.begin(tag, Request { fid, serial, ..Request::new(Twrite::KIND) });
        Ok(Some(WriteAsk { tag, fid: view, offset, count }))
    }

    /// version(5): everything from before is gone.
    fn begin<'a>(
        &mut self,
        tag: Tag,
        asked: &Tversion<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Step<'a>, Refusal> {
        if asked.msize < MIN_MSIZE {
            return Err(Refusal::MSIZE_TOO_SMALL);
        }
        let step = if self.version.is_some() { Step::Reset } else { Step::Done };
        self.tags.clear();
        self.fids.clear();
        self.attaches.clear();
        self.for_linux = false;
        self.version = negotiate(asked.version, &self.config.versions).map(str::to_owned);
        self.dialect = self.version().map_or(Dialect::P2000, Dialect::of);
        let msize = asked.msize.min(self.config.max_msize);
        self.msize = if self.version.is_some() { msize } else { FIRST_MSIZE };
        let version = self.version().unwrap_or("unknown");
        self.send(tag, &Message::Rversion(Rversion { msize, version }), out);
        Ok(step)
    }

    /// Whether a request with this tag may come at all.
    #[inline]
    fn admit(&self, tag: Tag, kind: u8) -> Result<(), Refusal> {
        if self.version.is_none() {
            return Err(Refusal::NO_VERSION);
        }
        if tag == Tag::NOTAG {
            return Err(Refusal::BAD_TAG);
        }
        if self.tags.get(tag).is_some() {
            return Err(Refusal::DUPLICATE_TAG);
        }
        // A client that has all its requests in flight can still take one back.
        if self.tags.len() >= self.config.max_requests && kind != Tflush::KIND {
            return Err(Refusal::TOO_MANY_REQUESTS);
        }
        Ok(())
    }

    /// A type that the dialect lacks is answered, as the framing still holds.
    #[cold]
    fn undecoded<'a>(
        &mut self,
        frame: &[u8],
        error: DecodeError,
        out: &mut Vec<u8>,
    ) -> Result<Step<'a>, DecodeError> {
        match *frame {
            [_, _, _, _, kind, low, high, ..] if error.reason == Reason::Type && kind % 2 == 0 => {
                let tag = Tag(u16::from_le_bytes([low, high]));
                self.send_error(tag, &Refusal::UNKNOWN_MESSAGE, out);
                Ok(Step::Done)
            }
            _ => Err(error),
        }
    }

    fn flush<'a>(&mut self, tag: Tag, oldtag: Tag, out: &mut Vec<u8>) -> Result<Step<'a>, Refusal> {
        if oldtag == tag {
            return Err(Refusal::DUPLICATE_TAG);
        }
        let Some(old) = self.tags.get_mut(oldtag) else {
            self.send(tag, &Message::Rflush(Rflush {}), out);
            return Ok(Step::Done);
        };
        old.flushes.push(tag);
        let first = old.kind != Tflush::KIND && old.flushes.len() == 1;
        self.tags.begin(tag, Request::new(Tflush::KIND));
        Ok(if first { Step::Withdraw(oldtag) } else { Step::Done })
    }

    /// Appends a reply of the session's own; all of them fit the smallest msize.
    fn send(&self, tag: Tag, reply: &Message<'_>, out: &mut Vec<u8>) {
        let sent = encode(tag, reply, self.dialect, u32::MAX, out);
        debug_assert!(sent.is_ok(), "a reply of ours has no long strings");
    }

    #[cold]
    fn send_error(&self, tag: Tag, refusal: &Refusal, out: &mut Vec<u8>) {
        self.send(tag, &self.error(&refusal.text, refusal.errno), out);
    }

    /// A refusal as the dialect has it.
    fn error<'a>(&self, ename: &'a str, errno: u32) -> Message<'a> {
        let ecode = if errno == 0 { EIO } else { errno };
        match self.dialect {
            Dialect::L => Message::Rlerror(Rlerror { ecode }),
            Dialect::U => Message::Rerror(Rerror { ename, errno: ecode }),
            Dialect::P2000 if self.for_linux => {
                Message::Rerror(Rerror { ename: linux_text(errno), errno: 0 })
            }
            Dialect::P2000 => Message::Rerror(Rerror { ename, errno: 0 }),
        }
    }

    fn iounit(&self) -> u32 {
        // msize is at least MIN_MSIZE.
        self.msize - IOHDRSZ
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}

/// Whether a mode lets read: OREAD, ORDWR, OEXEC by the low two bits.
fn reads(open: Option<(Qid, u8)>) -> bool {
    open.is_some_and(|(_, mode)| mode & 3 != 1)
}

/// Whether a mode lets write: OWRITE, ORDWR.
fn writes(open: Option<(Qid, u8)>) -> bool {
    open.is_some_and(|(_, mode)| matches!(mode & 3, 1 | 2))
}
