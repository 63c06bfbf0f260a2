//! Buffers that a payload is received into and sent from, with header room before it.
//!
//! The payload starts 2048 bytes into a page. Placed right at a page with its 11- or 23-byte
//! header before it, source and destination of the kernel's copies come to differ by a few bytes
//! modulo the page size, and some processors then copy twenty times slower.
//!
//! A buffer is taken while bytes are on their way and given back after; an idle conversation
//! holds none.

use crate::pipe::Pipe;

/// Most payload bytes of one buffer. Measured: 16 KiB to 256 KiB is worth a factor of two and a
/// half, a mebibyte no more than that.
pub(crate) const CAPACITY: usize = 256 << 10;

const PAGE: usize = 4096;
const PLACE: usize = 2048;

/// Buffers kept for the next burst; beyond them memory goes back to the allocator.
const KEPT: usize = 8;

/// One buffer whose `CAPACITY` bytes of payload lie where copies are fast.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Box<[u8]>,
    base: usize,
}

impl Buffer {
    pub(crate) fn new() -> Self {
        let bytes = vec![0; CAPACITY + PAGE + PLACE].into_boxed_slice();
        let base = (PAGE - bytes.as_ptr().addr() % PAGE) % PAGE + PLACE;
        Self { bytes, base }
    }

    /// The `len` bytes from `start` of the payload area.
    pub(crate) fn payload(&self, start: usize, len: usize) -> &[u8] {
        self.bytes.get(self.base + start..self.base + start + len).unwrap_or_default()
    }

    /// The payload area from `start` on, at most `len` bytes of it.
    pub(crate) fn room(&mut self, start: usize, len: usize) -> &mut [u8] {
        let end = self.base + (start + len).min(CAPACITY);
        self.bytes.get_mut(self.base + start..end).unwrap_or_default()
    }

    /// Puts `head` right before the payload.
    pub(crate) fn set_head(&mut self, head: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.base - head.len()..self.base) {
            room.copy_from_slice(head);
        }
    }

    /// A head of `head` bytes and the first `len` bytes of payload, as one slice.
    pub(crate) fn frame(&self, head: usize, len: usize) -> &[u8] {
        self.bytes.get(self.base - head..self.base + len).unwrap_or_default()
    }

    /// Moves `len` bytes from `start` to the front.
    pub(crate) fn compact(&mut self, start: usize, len: usize) {
        let from = self.base + start;
        self.bytes.copy_within(from..from + len, self.base);
    }
}

/// Buffers and pipes that wait for their next use.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    free: Vec<Buffer>,
    pipes: Vec<Pipe>,
}

impl Pool {
    pub(crate) fn take(&mut self) -> Buffer {
        self.free.pop().unwrap_or_else(Buffer::new)
    }

    pub(crate) fn give(&mut self, buffer: Buffer) {
        if self.free.len() < KEPT {
            self.free.push(buffer);
        }
    }

    /// An empty pipe; none when the host has no descriptors left.
    pub(crate) fn pipe(&mut self) -> Option<Pipe> {
        self.pipes.pop().or_else(|| Pipe::new().ok())
    }

    /// Takes a pipe back. One that holds something, which then is lost, is not used again.
    pub(crate) fn give_pipe(&mut self, pipe: Pipe) {
        if pipe.is_empty() && self.pipes.len() < KEPT {
            self.pipes.push(pipe);
        }
    }

    /// Gives everything back to the allocator and the host: the session has gone idle.
    pub(crate) fn trim(&mut self) {
        self.free.clear();
        self.pipes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_starts_in_the_middle_of_a_page_with_its_head_before_it() {
        let mut buffer = Buffer::new();
        buffer.room(0, 3).copy_from_slice(b"abc");
        buffer.set_head(&[7; 23]);
        assert_eq!(buffer.payload(0, 3).as_ptr().addr() % PAGE, PLACE);
        assert_eq!(buffer.frame(23, 3), [&[7; 23][..], b"abc"].concat());
        assert_eq!(buffer.room(10, usize::MAX / 2).len(), CAPACITY - 10);
    }

    #[test]
    fn a_pool_keeps_few_buffers() {
        let mut pool = Pool::default();
        (0..KEPT + 3).for_each(|_| pool.give(Buffer::new()));
        assert_eq!(pool.free.len(), KEPT);
    }
}
