//! The requests that wait for answers: which tag belongs to whom.
//!
//! Answers come in any order. A tag is free once its answer is here, unless a Tflush of it is on
//! its way: then only at the Rflush, and an answer that comes before that still counts
//! (flush(5)). The table checks that an answer fits its request; what the answer says is for its
//! owner to read.
//!
//! proto's own client takes whole frames both ways; here payloads pass by the table without being
//! gathered, so it keeps types and tags only. The version is agreed on by proto's.

use std::collections::BTreeSet;

use netrelay_proto::ids::Tag;

use super::dial::Step;

/// Who asked, and for what.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// The embedding program, with the id it was given.
    Rpc(u64),
    /// A Tread of a pump's data fid.
    Read(usize),
    /// A Twrite of a pump's data fid.
    Write(usize),
    /// A half-close or hangup that a pump wrote to its ctl.
    Note(usize),
    /// A Tclunk at the end of a pump.
    Leave(usize),
    /// A step of a dial or of a listen.
    Dial(usize, Step),
    /// A Tflush.
    Flush(Tag),
}

/// What an answer turned out to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// To this request, of which that many payload bytes were asked or sent.
    Reply(Purpose, u32),
    /// The request under this tag was withdrawn and will have no answer; bytes as above.
    Flushed(Purpose, Tag, u32),
    /// Of interest to nobody: the Rflush of a request that was answered after all.
    Nothing,
}

/// Requests that may be outstanding; above it only flushes and clunks are sent, so that what is
/// under way can always be ended.
const MOST: usize = 60_000;

/// Requests above which everyone makes do with one: servers of ours take 4096.
const CROWDED: usize = 2048;

const TFLUSH: u8 = 108;
const RLERROR: u8 = 7;
const RERROR: u8 = 107;

/// The tags of a session, lowest free first.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    slots: Vec<Option<Call>>,
    free: BTreeSet<u16>,
    in_flight: usize,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    kind: u8,
    asked: u32,
    purpose: Purpose,
    flushing: bool,
    answered: bool,
}

impl Calls {
    /// Whether the session has so many requests outstanding that each owner should keep one.
    pub(crate) fn crowded(&self) -> bool {
        self.in_flight > CROWDED
    }

    /// A tag for a request of type `kind`; none when too many are outstanding.
    pub(crate) fn begin(&mut self, kind: u8, asked: u32, purpose: Purpose) -> Option<Tag> {
        let last = matches!(purpose, Purpose::Flush(_) | Purpose::Leave(_) | Purpose::Note(_));
        if self.in_flight >= MOST && !last {
            return None;
        }
        let call = Call { kind, asked, purpose, flushing: false, answered: false };
        let number = if let Some(number) = self.free.pop_first() {
            number
        } else {
            let number = u16::try_from(self.slots.len()).ok().filter(|n| *n != Tag::NOTAG.0)?;
            self.slots.push(None);
            number
        };
        *self.slots.get_mut(usize::from(number))? = Some(call);
        self.in_flight += 1;
        Some(Tag(number))
    }

    /// A tag for the Tflush of `oldtag`; none when that is not outstanding or being flushed.
    pub(crate) fn flush(&mut self, oldtag: Tag, kind: u8) -> Option<Tag> {
        let call = self.slots.get_mut(usize::from(oldtag.0))?.as_mut()?;
        if call.flushing {
            return None;
        }
        call.flushing = true;
        self.begin(kind, 0, Purpose::Flush(oldtag))
    }

    /// Who waits for `tag`.
    pub(crate) fn peek(&self, tag: Tag) -> Option<Purpose> {
        self.call(tag).map(|call| call.purpose)
    }

    /// How many bytes an answer to `tag` may carry.
    pub(crate) fn asked(&self, tag: Tag) -> u32 {
        self.call(tag).map_or(0, |call| call.asked)
    }

    /// Takes an answer of type `kind`.
    ///
    /// # Errors
    /// Nobody waits for it, or for one of another type: the text says which.
    pub(crate) fn answer(&mut self, tag: Tag, kind: u8) -> Result<Answer, String> {
        let call = self.call(tag).ok_or_else(|| format!("reply to no request, tag {}", tag.0))?;
        let refused = matches!(kind, RERROR | RLERROR) && call.kind != TFLUSH;
        if kind != call.kind + 1 && !refused {
            return Err(format!("reply of type {kind} to a request of type {}", call.kind));
        }
        if let Purpose::Flush(oldtag) = call.purpose {
            self.end(tag);
            let old = self.call(oldtag);
            self.end(oldtag);
            return Ok(match old {
                Some(old) if !old.answered => Answer::Flushed(old.purpose, oldtag, old.asked),
                _ => Answer::Nothing,
            });
        }
        if call.answered {
            return Err(format!("second reply to a request, tag {}", tag.0));
        }
        if call.flushing {
            if let Some(Some(call)) = self.slots.get_mut(usize::from(tag.0)) {
                call.answered = true;
            }
        } else {
            self.end(tag);
        }
        Ok(Answer::Reply(call.purpose, call.asked))
    }

    fn call(&self, tag: Tag) -> Option<Call> {
        *self.slots.get(usize::from(tag.0))?
    }

    fn end(&mut self, tag: Tag) {
        if self.slots.get_mut(usize::from(tag.0)).and_then(Option::take).is_some() {
            self.free.insert(tag.0);
            self.in_flight -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREAD: u8 = 116;

    fn two() -> (Calls, Tag, Tag) {
        let mut calls = Calls::default();
        let read = calls.begin(TREAD, 10, Purpose::Read(3)).expect("a tag");
        let flush = calls.flush(read, TFLUSH).expect("a tag");
        (calls, read, flush)
    }

    #[test]
    fn a_flushed_request_keeps_its_tag_until_rflush() {
        let (mut calls, read, flush) = two();
        assert_eq!((read.0, flush.0), (0, 1));
        assert_eq!(calls.begin(TREAD, 0, Purpose::Rpc(1)).map(|tag| tag.0), Some(2));
        assert_eq!(calls.answer(flush, 109), Ok(Answer::Flushed(Purpose::Read(3), read, 10)));
        assert_eq!(calls.begin(TREAD, 0, Purpose::Rpc(1)).map(|tag| tag.0), Some(0));
    }

    #[test]
    fn a_reply_before_rflush_counts_and_the_rflush_says_nothing_more() {
        let (mut calls, read, flush) = two();
        assert_eq!(calls.answer(read, 117), Ok(Answer::Reply(Purpose::Read(3), 10)));
        assert!(calls.answer(read, 117).is_err());
        assert_eq!(calls.answer(flush, 109), Ok(Answer::Nothing));
        assert!(calls.answer(read, 117).is_err());
    }

    #[test]
    fn a_second_flush_of_a_request_is_not_sent() {
        let (mut calls, read, _) = two();
        assert_eq!(calls.flush(read, TFLUSH), None);
        assert_eq!(calls.flush(Tag(77), TFLUSH), None);
    }

    #[test]
    fn an_answer_must_fit_its_request() {
        let mut calls = Calls::default();
        let tag = calls.begin(TREAD, 0, Purpose::Rpc(1)).expect("a tag");
        assert!(calls.answer(tag, 119).is_err());
        assert!(calls.answer(tag, RERROR).is_ok());
        assert!(calls.answer(tag, 117).is_err());
    }
}
