//! A stream of bytes into whole frames, the same for every way of cutting the stream.
//!
//! [`Head`] is for those who keep the bytes themselves and must not copy them; [`Deframer`] keeps them.

use std::ops::Range;

use crate::{error::FrameError, ids::Tag};

/// The header of a frame whose size is legal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    /// The whole frame's, in bytes, header included.
    pub size: u32,
    /// The message type.
    pub kind: u8,
    /// The request that it belongs to.
    pub tag: Tag,
}

impl Head {
    /// `size[4] type[1] tag[2]`, in bytes.
    pub const SIZE: usize = 7;

    /// The header at the start of `data`, or nothing while it is not all there.
    ///
    /// # Errors
    /// The size is below a header's or above `msize`; known from four bytes.
    pub fn parse(data: &[u8], msize: u32) -> Result<Option<Self>, FrameError> {
        let Some(size) = data.first_chunk().copied().map(u32::from_le_bytes) else {
            return Ok(None);
        };
        if size < 7 {
            return Err(FrameError::TooShort { size });
        }
        if size > msize {
            return Err(FrameError::TooLong { size, msize });
        }
        match data {
            [_, _, _, _, kind, low, high, ..] => {
                Ok(Some(Self { size, kind: *kind, tag: Tag(u16::from_le_bytes([*low, *high])) }))
            }
            _ => Ok(None),
        }
    }
}

/// Frames of at most `msize` bytes.
#[derive(Debug)]
pub struct Deframer {
    msize: u32,
    held: Vec<u8>,
    at: usize,
}

impl Deframer {
    /// Nothing fed yet.
    pub const fn new(msize: u32) -> Self {
        Self { msize, held: Vec::new(), at: 0 }
    }

    /// From now on frames may be this large.
    pub const fn set_msize(&mut self, msize: u32) {
        self.msize = msize;
    }

    /// Takes bytes as they come; can't fail.
    pub fn feed(&mut self, data: &[u8]) {
        if self.at > 0 {
            self.held.drain(..self.at);
            self.at = 0;
        }
        self.held.extend_from_slice(data);
    }

    /// The next whole frame, if it is there.
    ///
    /// # Errors
    /// A size is wrong, now and for ever.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameError> {
        Ok(self.next_range()?.and_then(|range| self.held.get(range)))
    }

    fn next_range(&mut self) -> Result<Option<Range<usize>>, FrameError> {
        let data = self.held.get(self.at..).unwrap_or_default();
        let Some(head) = Head::parse(data, self.msize)? else { return Ok(None) };
        let size = head.size as usize;
        if data.len() < size {
            return Ok(None);
        }
        let begin = self.at;
        self.at += size;
        Ok(Some(begin..self.at))
    }
}
