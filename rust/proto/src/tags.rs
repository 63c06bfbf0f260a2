//! Requests in flight and the flushes that wait for them (flush(5)).
//!
//! A flush of a request in flight is itself a request in flight, so flushes of flushes need no rule of
//! their own: the end of a request releases the flushes that wait for it, in order of arrival, and each of
//! those the ones that wait for it.

use std::collections::HashMap;

use crate::ids::{Fid, Tag};
use crate::message::Tflush;

/// A request in flight.
#[derive(Debug)]
pub(crate) struct Request {
    /// Its message type.
    pub(crate) kind: u8,
    /// The mode of an open.
    pub(crate) mode: u8,
    /// How many names a walk has.
    pub(crate) names: u8,
    /// The fid it is about, and that fid's serial.
    pub(crate) fid: Fid,
    pub(crate) serial: u64,
    /// The fid it makes, or `NOFID`.
    pub(crate) makes: Fid,
    /// Whether it holds `fid`: another that would change it is refused meanwhile.
    pub(crate) holds: bool,
    /// The flushes that wait for it, in order of arrival.
    pub(crate) flushes: Vec<Tag>,
}

impl Request {
    /// A request of that type about no fid.
    pub(crate) fn new(kind: u8) -> Self {
        let (fid, makes) = (Fid::NOFID, Fid::NOFID);
        let flushes = Vec::new();
        Self { kind, mode: 0, names: 0, fid, serial: 0, makes, holds: false, flushes }
    }
}

/// Tags below this are an index; clients take the lowest free.
const SMALL: usize = 256;

/// All requests in flight; `count` is of those that are no flushes.
#[derive(Debug, Default)]
pub(crate) struct Tags {
    small: Vec<Option<Request>>,
    large: HashMap<Tag, Request>,
    count: usize,
}

impl Tags {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    #[inline]
    pub(crate) fn get(&self, tag: Tag) -> Option<&Request> {
        match usize::from(tag.0) {
            index if index < SMALL => self.small.get(index)?.as_ref(),
            _ => self.large.get(&tag),
        }
    }

    pub(crate) fn get_mut(&mut self, tag: Tag) -> Option<&mut Request> {
        match usize::from(tag.0) {
            index if index < SMALL => self.small.get_mut(index)?.as_mut(),
            _ => self.large.get_mut(&tag),
        }
    }

    /// A request has come; its tag is not in flight.
    #[inline]
    pub(crate) fn begin(&mut self, tag: Tag, request: Request) {
        let (index, counts) = (usize::from(tag.0), request.kind != Tflush::KIND);
        if index < SMALL {
            if self.small.len() <= index {
                self.small.resize_with(index + 1, || None);
            }
            if let Some(place) = self.small.get_mut(index) {
                *place = Some(request);
            }
        } else {
            self.large.insert(tag, request);
        }
        self.count += usize::from(counts);
    }

    #[inline]
    pub(crate) fn end(&mut self, tag: Tag) -> Option<Request> {
        let index = usize::from(tag.0);
        let gone =
            if index < SMALL { self.small.get_mut(index)?.take() } else { self.large.remove(&tag) };
        self.count -= usize::from(gone.as_ref().is_some_and(|gone| gone.kind != Tflush::KIND));
        gone
    }

    /// Ends the flushes that waited for a request and those that wait for them; `answer` is called for
    /// each, in the order of the answers.
    pub(crate) fn release(&mut self, flushes: Vec<Tag>, mut answer: impl FnMut(Tag)) {
        let mut waiting = flushes;
        waiting.reverse();
        // A loop, as a peer may build a chain longer than the stack.
        while let Some(flush) = waiting.pop() {
            answer(flush);
            if let Some(ended) = self.end(flush) {
                waiting.extend(ended.flushes.into_iter().rev());
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
