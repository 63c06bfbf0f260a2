//! One session used: tags and frames out, replies in (docs/protocol.md, section 7).
//!
//! The caller sends what it is given and passes in each whole frame that arrives. A tag is free again
//! only when its reply has come or, once a flush of it is out, when the flush's reply has: until then
//! the old reply may still arrive and must be honoured.
//!
//! It knows nothing of fids beyond numbering them; what a reply means for them is the caller's business.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use crate::dialect::{Dialect, PLAIN, WINDOWED};
use crate::error::{DecodeError, PeerError, Reason, UsageError};
use crate::ids::{Fid, MIN_MSIZE, Tag};
use crate::message::{Message, Rversion, Tflush, Tversion, decode, encode, name_of};

/// What came.
#[allow(clippy::large_enum_variant, reason = "moved once a frame; a box would be an allocation")]
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// The version is agreed.
    Ready {
        /// What is spoken.
        dialect: Dialect,
        /// The largest frame, either way.
        msize: u32,
        /// Whether the server promises the window.
        windowed: bool,
    },
    /// The version is not served: the plain one is asked for, by the frame that was appended to `out`.
    Retry,
    /// The reply to a request.
    Reply(Tag, Message<'a>),
    /// The last flush of a request is answered and the request's tag free.
    Flushed {
        /// The request's.
        tag: Tag,
        /// Whether it was answered before.
        replied: bool,
    },
    /// An Rflush behind which another of the same request is to come.
    Nothing,
}

#[derive(Debug)]
struct Request {
    kind: u8,
    /// Of a Tflush.
    oldtag: Tag,
    replied: bool,
    /// Flushes of it in flight.
    flushes: u32,
}

/// A session from our side.
#[derive(Debug)]
pub struct Client {
    dialect: Dialect,
    msize: u32,
    offered: String,
    ready: bool,
    windowed: bool,
    flying: HashMap<Tag, Request>,
    tags: Numbers,
    fids: Numbers,
}

impl Client {
    /// A session that will offer `version` and frames of at most `msize` bytes.
    pub fn new(msize: u32, version: &str) -> Self {
        Self {
            dialect: Dialect::P2000,
            msize,
            offered: version.to_owned(),
            ready: false,
            windowed: false,
            flying: HashMap::new(),
            tags: Numbers::default(),
            fids: Numbers::default(),
        }
    }

    /// What is spoken now.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The largest frame: agreed, or offered as long as nothing is agreed.
    pub fn msize(&self) -> u32 {
        self.msize
    }

    /// Whether the server promised the window.
    pub fn windowed(&self) -> bool {
        self.windowed
    }

    /// Appends the Tversion, which goes first.
    ///
    /// # Errors
    /// The version's name is too long.
    pub fn hello(&self, out: &mut Vec<u8>) -> Result<(), UsageError> {
        let hello = Message::Tversion(Tversion { msize: self.msize, version: &self.offered });
        Ok(encode(Tag::NOTAG, &hello, Dialect::P2000, u32::MAX, out)?)
    }

    /// Appends a request's frame and gives its tag, the lowest free.
    ///
    /// # Errors
    /// No version is agreed, no tag is free, it exceeds msize, or it is no request. Nothing is appended.
    pub fn request(&mut self, message: &Message<'_>, out: &mut Vec<u8>) -> Result<Tag, UsageError> {
        let kind = message.kind();
        if kind % 2 == 1 || matches!(kind, Tversion::KIND | Tflush::KIND) {
            return Err(UsageError::NoRequest(message.name()));
        }
        self.launch(message, Tag::NOTAG, out)
    }

    /// Appends the Tflush of a request in flight and gives the Tflush's tag.
    ///
    /// # Errors
    /// The tag is not that of a request in flight, or no tag is free.
    pub fn flush(&mut self, tag: Tag, out: &mut Vec<u8>) -> Result<Tag, UsageError> {
        if self.flying.get(&tag).is_none_or(|request| request.kind == Tflush::KIND) {
            return Err(UsageError::NotInFlight { tag: tag.0 });
        }
        let flush = self.launch(&Message::Tflush(Tflush { oldtag: tag }), tag, out)?;
        if let Some(request) = self.flying.get_mut(&tag) {
            request.flushes += 1;
        }
        Ok(flush)
    }

    /// The lowest fid that is free; none when all are in use.
    pub fn new_fid(&mut self) -> Option<Fid> {
        self.fids.take(Fid::NOFID.0).map(Fid)
    }

    /// A fid is clunked.
    pub fn free_fid(&mut self, fid: Fid) {
        self.fids.give_back(fid.0);
    }

    /// Takes one whole frame. Only [`Event::Retry`] appends to `out`.
    ///
    /// # Errors
    /// The server breaks the rules or speaks no 9P; the session is over.
    pub fn receive<'a>(
        &mut self,
        frame: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<Event<'a>, PeerError> {
        let (tag, message) = decode(frame, self.dialect)?;
        if message.kind() % 2 == 0 {
            let field = message.kind().to_string().into();
            return Err(DecodeError { reason: Reason::Type, message: "frame", field }.into());
        }
        if self.ready { self.take(tag, &message) } else { self.agree(&message, out) }
    }

    /// version(5), from the client's side.
    fn agree<'a>(
        &mut self,
        message: &Message<'a>,
        out: &mut Vec<u8>,
    ) -> Result<Event<'a>, PeerError> {
        let Rversion { msize, version } = match *message {
            Message::Rversion(answered) => answered,
            Message::Rerror(error) => {
                return Err(PeerError::VersionRefused(error.ename.to_owned()));
            }
            _ => return Err(PeerError::BeforeVersion(message.name())),
        };
        if version == "unknown" && self.offered != PLAIN {
            PLAIN.clone_into(&mut self.offered);
            let hello = self.hello(out);
            debug_assert!(hello.is_ok(), "the plain version's name is short");
            return Ok(Event::Retry);
        }
        if version != self.offered && version != PLAIN {
            return Err(PeerError::BadVersion(version.to_owned()));
        }
        if msize < MIN_MSIZE || msize > self.msize {
            return Err(PeerError::BadMsize(msize));
        }
        self.msize = msize;
        self.dialect = Dialect::of(version);
        self.windowed = version == WINDOWED;
        self.ready = true;
        Ok(Event::Ready { dialect: self.dialect, msize, windowed: self.windowed })
    }

    fn take<'a>(&mut self, tag: Tag, reply: &Message<'a>) -> Result<Event<'a>, PeerError> {
        let asked = self.flying.get_mut(&tag).filter(|request| !request.replied);
        let Some(request) = asked else {
            return Err(PeerError::NoRequest { reply: reply.name(), tag: tag.0 });
        };
        let refused = matches!(reply, Message::Rerror(_) | Message::Rlerror(_));
        let fits = reply.kind() == request.kind.wrapping_add(1);
        if !fits && (!refused || request.kind == Tflush::KIND) {
            let request = name_of(request.kind);
            return Err(PeerError::WrongReply { reply: reply.name(), request });
        }
        if request.kind == Tflush::KIND {
            let oldtag = request.oldtag;
            return Ok(self.flushed(tag, oldtag));
        }
        request.replied = true;
        if request.flushes == 0 {
            self.release(tag);
        }
        Ok(Event::Reply(tag, *reply))
    }

    fn flushed<'a>(&mut self, tag: Tag, oldtag: Tag) -> Event<'a> {
        self.release(tag);
        // A request stays until the last flush of it is answered.
        let Some(old) = self.flying.get_mut(&oldtag) else { return Event::Nothing };
        old.flushes -= 1;
        if old.flushes > 0 {
            return Event::Nothing;
        }
        let replied = old.replied;
        self.release(oldtag);
        Event::Flushed { tag: oldtag, replied }
    }

    fn launch(
        &mut self,
        message: &Message<'_>,
        oldtag: Tag,
        out: &mut Vec<u8>,
    ) -> Result<Tag, UsageError> {
        if !self.ready {
            return Err(UsageError::NoVersion);
        }
        let number = self.tags.take(u32::from(Tag::NOTAG.0)).ok_or(UsageError::NoTag)?;
        // Below NOTAG, as just asked for.
        let tag = u16::try_from(number).map_or(Tag::NOTAG, Tag);
        if let Err(error) = encode(tag, message, self.dialect, self.msize, out) {
            self.tags.give_back(number);
            return Err(error.into());
        }
        let request = Request { kind: message.kind(), oldtag, replied: false, flushes: 0 };
        self.flying.insert(tag, request);
        Ok(tag)
    }

    fn release(&mut self, tag: Tag) {
        self.flying.remove(&tag);
        self.tags.give_back(u32::from(tag.0));
    }
}

/// Numbers from 0, the lowest free first.
#[derive(Debug, Default)]
struct Numbers {
    free: BinaryHeap<Reverse<u32>>,
    fresh: u32,
}

impl Numbers {
    /// The lowest free below `end`.
    fn take(&mut self, end: u32) -> Option<u32> {
        if let Some(Reverse(number)) = self.free.pop() {
            return Some(number);
        }
        let number = Some(self.fresh).filter(|number| *number < end)?;
        self.fresh += 1;
        Some(number)
    }

    fn give_back(&mut self, number: u32) {
        self.free.push(Reverse(number));
    }
}
