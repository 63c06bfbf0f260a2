//! Pooled payload buffers that are received into and sent from, one pool a worker.
//!
//! A buffer is taken while bytes are on their way and given back right after, so an idle session or
//! conversation holds none. The payload lies at page offset 512 with room for a header before it:
//! a payload a few bytes off its page makes the kernel's copies 15 to 40 times slower on some
//! processors, and offsets from 64 to 2048 were measured to be safe.
//!
//! Sizes come in three classes. 256 KiB is what a busy direction needs (16 KiB was measured 2.5
//! times slower); 1 MiB serves streams that fill 256 KiB at once; 64 KiB holds what a slow socket
//! would not take of a small write. Smaller and larger buffers come from the allocator as asked.
//!
//! Large pieces of a stream are not received at all but spliced through a [`Pipe`]; free ones are
//! kept here too.
//!
//! Nothing here is shared: a buffer that must cross to another worker is copied by whoever sends it.

use std::sync::Arc;

use crate::pipe::Pipe;
use crate::stats::Stats;

/// Room in front of every payload, at least a Twrite's header and at most what keeps it in its page.
const PLACE: usize = 512;
const PAGE: usize = 4096;

/// Below this a buffer is allocated to measure: a pooled one would waste most of itself.
const SMALLEST: usize = 16 << 10;

/// Payload bytes of each class, and how many free buffers of it a worker keeps.
const CLASSES: [(usize, usize); 3] = [(64 << 10, 16), (256 << 10, 16), (1 << 20, 8)];

/// Payload bytes that a receive asks for at first.
pub(crate) const ORDINARY: usize = 256 << 10;

/// Payload bytes that a receive asks for on a stream that fills ordinary buffers.
pub(crate) const LARGE: usize = 1 << 20;

/// Free text buffers that a worker keeps, and how large one may have grown to be kept.
const TEXTS: (usize, usize) = (32, 64 << 10);

/// Free pipes that a worker keeps, of two descriptors each. A busy session seldom has more on the way.
const PIPES: usize = 8;

/// A worker's free buffers.
#[derive(Debug)]
pub(crate) struct Pool {
    free: [Vec<Payload>; CLASSES.len()],
    texts: Vec<Vec<u8>>,
    pipes: Vec<Pipe>,
    stats: Arc<Stats>,
}

impl Pool {
    pub(crate) fn new(stats: Arc<Stats>) -> Self {
        Self {
            free: std::array::from_fn(|_| Vec::new()),
            texts: Vec::new(),
            pipes: Vec::new(),
            stats,
        }
    }

    /// An empty buffer with room for at least `capacity` bytes of payload.
    pub(crate) fn take(&mut self, capacity: usize) -> Payload {
        self.stats.buffers.add(1);
        if capacity > SMALLEST {
            for ((size, _), free) in CLASSES.iter().zip(&mut self.free) {
                if capacity <= *size {
                    return free.pop().unwrap_or_else(|| Payload::new(*size));
                }
            }
        }
        Payload::new(capacity)
    }

    /// Takes a buffer back.
    pub(crate) fn give(&mut self, mut payload: Payload) {
        self.stats.buffers.sub(1);
        let capacity = payload.capacity();
        for ((size, keep), free) in CLASSES.iter().zip(&mut self.free) {
            if capacity == *size && free.len() < *keep {
                payload.clear();
                free.push(payload);
                return;
            }
        }
    }

    /// An empty pipe; none when the host has no descriptors left.
    pub(crate) fn pipe(&mut self) -> Option<Pipe> {
        let pipe = self.pipes.pop().or_else(|| Pipe::new().ok())?;
        self.stats.buffers.add(1);
        Some(pipe)
    }

    /// Takes a pipe back. One that holds something, which then is lost, is not used again.
    pub(crate) fn give_pipe(&mut self, pipe: Pipe) {
        self.stats.buffers.sub(1);
        if pipe.is_empty() && self.pipes.len() < PIPES {
            self.pipes.push(pipe);
        }
    }

    /// An empty text buffer for small replies.
    pub(crate) fn text(&mut self) -> Vec<u8> {
        self.texts.pop().unwrap_or_default()
    }

    /// Takes a text buffer back.
    pub(crate) fn give_text(&mut self, mut text: Vec<u8>) {
        let (keep, largest) = TEXTS;
        if self.texts.len() < keep && (1..=largest).contains(&text.capacity()) {
            text.clear();
            self.texts.push(text);
        }
    }
}

/// One buffer: room for a header, then the payload. It belongs to the worker whose pool made it.
#[derive(Debug)]
pub(crate) struct Payload {
    bytes: Box<[u8]>,
    base: usize,
    start: usize,
    end: usize,
}

impl Payload {
    fn new(capacity: usize) -> Self {
        let bytes = vec![0; capacity + PAGE + PLACE].into_boxed_slice();
        let base = (PAGE - bytes.as_ptr().addr() % PAGE) % PAGE + PLACE;
        Self { bytes, base, start: base, end: base }
    }

    /// The most bytes of payload it can hold.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.len() - PAGE - PLACE
    }

    /// Bytes held, header included.
    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    /// How many bytes may still be appended.
    pub(crate) fn vacant(&self) -> usize {
        self.base + self.capacity() - self.end
    }

    /// Whether it holds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// What is held, header included.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// The free room behind what is held, at most `most` bytes of it.
    pub(crate) fn room(&mut self, most: usize) -> &mut [u8] {
        let limit = self.base + self.capacity();
        let end = limit.min(self.end.saturating_add(most));
        self.bytes.get_mut(self.end..end).unwrap_or_default()
    }

    /// Counts `count` bytes that were put into [`Self::room`] as held.
    pub(crate) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.base + self.capacity());
    }

    /// Appends as much of `bytes` as there is room for and returns how much that was.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> usize {
        let room = self.room(bytes.len());
        let count = room.len();
        room.copy_from_slice(bytes.get(..count).unwrap_or_default());
        self.filled(count);
        count
    }

    /// Puts `head` right before what is held, as far as there is room (always for a 9P header).
    pub(crate) fn prepend(&mut self, head: &[u8]) {
        let start = self.start.saturating_sub(head.len());
        if let Some(room) = self.bytes.get_mut(start..self.start)
            && room.len() == head.len()
        {
            room.copy_from_slice(head);
            self.start = start;
        }
    }

    /// Drops the first `count` bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// Drops all behind the first `count` bytes.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.end = self.end.min(self.start.saturating_add(count));
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        self.start = self.base;
        self.end = self.base;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_lies_where_copies_are_fast_and_has_room_for_its_header() {
        let mut pool = Pool::new(Arc::default());
        for capacity in [1, SMALLEST, 40_000, ORDINARY, LARGE, 3 << 20] {
            let mut payload = pool.take(capacity);
            assert!(payload.capacity() >= capacity);
            let room = payload.room(usize::MAX);
            assert_eq!(room.as_ptr().addr() % PAGE, PLACE);
            assert!(room.len() >= capacity);
            assert_eq!(payload.append(b"payload"), if capacity < 7 { capacity } else { 7 });
            payload.prepend(b"header");
            assert!(payload.bytes().starts_with(b"headerp"));
            pool.give(payload);
        }
    }

    #[test]
    fn a_buffer_given_back_is_empty_and_used_again() {
        let stats = Arc::new(Stats::default());
        let mut pool = Pool::new(Arc::clone(&stats));
        let mut payload = pool.take(ORDINARY);
        let place = payload.room(1).as_ptr();
        payload.append(b"left over");
        payload.consume(4);
        assert_eq!(stats.buffers.get(), 1);
        pool.give(payload);
        assert_eq!(stats.buffers.get(), 0);
        let mut again = pool.take(ORDINARY);
        assert!(again.is_empty());
        assert_eq!(again.room(1).as_ptr(), place);
    }
}
