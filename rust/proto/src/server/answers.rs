//! What the tree's answer to an ask means for the session's fids, and what goes out behind it.
//!
//! Nothing changes before the reply is known to fit: a [`UsageError`] leaves the request in flight.

use super::Server;
use crate::error::{FrameTooBig, Refusal, UsageError};
use crate::ids::{Tag, mode::ORDWR, mode::OREAD};
use crate::message::{
    Message, Rattach, Rauth, Rcreate, Rlcreate, Rlopen, Ropen, Rread, Rreaddir, Rwalk, Rxattrwalk,
    Tflush, Tread, Treaddir, encode, name_of,
};
use crate::tags::Request;

/// Who Linux's client attaches as unless it is told otherwise, and next to nobody else.
const LINUX: &str = "nobody";

impl Server {
    /// The tree's reply to an ask; the frames to send are appended to `out`.
    ///
    /// # Errors
    /// The tag is not in flight, the reply's type does not match the request's, or it is too large;
    /// nothing has changed then.
    pub fn answer(
        &mut self,
        tag: Tag,
        reply: &Message<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), UsageError> {
        let request = self.flying(tag)?;
        let ename;
        let sent = match *reply {
            Message::Rerror(error) => self.error(error.ename, error.errno),
            Message::Rlerror(error) => {
                ename = format!("error {}", error.ecode);
                self.error(&ename, error.ecode)
            }
            _ => self.fitting(request, reply)?,
        };
        encode(tag, &sent, self.dialect, self.msize, out)?;
        self.end(tag, Some(&sent), out);
        Ok(())
    }

    /// The tree says no.
    ///
    /// # Errors
    /// The tag is not in flight, or the text is too long for msize; nothing has changed then.
    pub fn refuse(
        &mut self,
        tag: Tag,
        refusal: &Refusal,
        out: &mut Vec<u8>,
    ) -> Result<(), UsageError> {
        self.flying(tag)?;
        let sent = self.error(&refusal.text, refusal.errno);
        encode(tag, &sent, self.dialect, self.msize, out)?;
        self.end(tag, Some(&sent), out);
        Ok(())
    }

    /// The request is undone without a trace: only its flushes are answered.
    ///
    /// # Errors
    /// The tag is not in flight, or no flush has asked for it.
    pub fn withdraw(&mut self, tag: Tag, out: &mut Vec<u8>) -> Result<(), UsageError> {
        if self.flying(tag)?.flushes.is_empty() {
            return Err(UsageError::NotFlushed { tag: tag.0 });
        }
        self.end(tag, None, out);
        Ok(())
    }

    /// Answers a Tread or Treaddir whose payload of `count` bytes the caller sends itself, right behind
    /// the head returned. What must go out behind the payload is appended to `behind`.
    ///
    /// # Errors
    /// As for [`Server::answer`].
    pub fn answer_head(
        &mut self,
        tag: Tag,
        count: u32,
        behind: &mut Vec<u8>,
    ) -> Result<[u8; Rread::HEAD], UsageError> {
        let request = self.flying(tag)?.kind;
        let kind = match request {
            Tread::KIND => Rread::KIND,
            Treaddir::KIND => Rreaddir::KIND,
            _ => {
                let (reply, request) = (Rread::NAME, name_of(request));
                return Err(UsageError::WrongReply { reply, request });
            }
        };
        let Some(size) = count.checked_add(11).filter(|size| *size <= self.msize) else {
            let size = usize::try_from(count).unwrap_or(usize::MAX);
            return Err(FrameTooBig { size, limit: self.msize }.into());
        };
        self.end(tag, None, behind);
        let ([s0, s1, s2, s3], [t0, t1]) = (size.to_le_bytes(), tag.0.to_le_bytes());
        let [c0, c1, c2, c3] = count.to_le_bytes();
        Ok([s0, s1, s2, s3, kind, t0, t1, c0, c1, c2, c3])
    }

    fn flying(&self, tag: Tag) -> Result<&Request, UsageError> {
        let asked = self.tags.get(tag).filter(|request| request.kind != Tflush::KIND);
        asked.ok_or(UsageError::NotInFlight { tag: tag.0 })
    }

    /// The reply as it is sent, if it belongs to the request.
    fn fitting<'a>(
        &self,
        request: &Request,
        reply: &Message<'a>,
    ) -> Result<Message<'a>, UsageError> {
        let wrong = UsageError::WrongReply { reply: reply.name(), request: name_of(request.kind) };
        if reply.kind() != request.kind.wrapping_add(1) {
            return Err(wrong);
        }
        let iounit = self.iounit();
        Ok(match *reply {
            Message::Rwalk(Rwalk { wqid })
                if wqid.is_empty() != (request.names == 0)
                    || wqid.len() > usize::from(request.names) =>
            {
                let (qids, names) = (wqid.len(), request.names);
                return Err(UsageError::WrongQids { qids, names });
            }
            Message::Ropen(reply) => Message::Ropen(Ropen { iounit, ..reply }),
            Message::Rcreate(reply) => Message::Rcreate(Rcreate { iounit, ..reply }),
            Message::Rlopen(reply) => Message::Rlopen(Rlopen { iounit, ..reply }),
            Message::Rlcreate(reply) => Message::Rlcreate(Rlcreate { iounit, ..reply }),
            reply => reply,
        })
    }

    /// The request is over, by this reply or by none.
    fn end(&mut self, tag: Tag, reply: Option<&Message<'_>>, out: &mut Vec<u8>) {
        let Some(request) = self.tags.end(tag) else { return };
        self.settle(&request, reply);
        if request.flushes.is_empty() {
            return;
        }
        self.tags.release(request.flushes, |flush| {
            let [low, high] = flush.0.to_le_bytes();
            out.extend_from_slice(&[7, 0, 0, 0, 109, low, high]);
        });
    }

    /// Makes, moves and opens fids.
    #[inline]
    fn settle(&mut self, request: &Request, reply: Option<&Message<'_>>) {
        let mut made = false;
        let maker = self.fids.same(request.fid, request.serial);
        match reply {
            Some(Message::Rattach(Rattach { qid }) | Message::Rauth(Rauth { aqid: qid })) => {
                if let Some(entry) = self.fids.entry(request.makes) {
                    (entry.walked, entry.promised) = (*qid, false);
                    // Nothing opens an afid: it is for reading and writing from the start.
                    if matches!(reply, Some(Message::Rauth(_))) {
                        entry.set_open(*qid, ORDWR);
                    } else {
                        let nobody = self.attaches.uname(entry.attach) == LINUX;
                        self.for_linux |= nobody && self.version.as_deref() == Some("9P2000");
                    }
                    self.attaches.set_root(entry.attach, *qid);
                }
                made = true;
            }
            Some(Message::Rwalk(Rwalk { wqid })) if wqid.len() == usize::from(request.names) => {
                let place = if request.holds { maker } else { self.fids.entry(request.makes) };
                if let Some(entry) = place {
                    // A clone is where the promise has it.
                    (entry.walked, entry.promised) = (*wqid.last().unwrap_or(&entry.walked), false);
                }
                made = true;
            }
            Some(Message::Rxattrwalk(Rxattrwalk { .. })) => {
                if let Some(entry) = self.fids.entry(request.makes) {
                    entry.set_open(entry.walked, OREAD);
                    entry.promised = false;
                }
                made = true;
            }
            Some(Message::Ropen(Ropen { qid, .. }) | Message::Rlopen(Rlopen { qid, .. })) => {
                if let Some(entry) = maker {
                    entry.set_open(*qid, request.mode);
                }
            }
            Some(
                Message::Rcreate(Rcreate { qid, .. }) | Message::Rlcreate(Rlcreate { qid, .. }),
            ) => {
                if let Some(entry) = maker {
                    entry.set_open(*qid, request.mode);
                    entry.walked = *qid;
                }
            }
            Some(Message::Rxattrcreate(_)) => {
                if let Some(entry) = maker {
                    entry.set_open(entry.walked, request.mode);
                }
            }
            _ => {}
        }
        if request.makes != crate::ids::Fid::NOFID && !made {
            self.drop_fid(request.makes);
        }
        if request.holds
            && let Some(entry) = self.fids.same(request.fid, request.serial)
        {
            entry.held = false;
        }
    }
}
