//! Reading a message's body piece by piece, never beyond its end.
//!
//! Every read names its field, so that a refusal says which one the frame is too short for. Nothing
//! is allocated and no length is trusted before that many bytes are known to be there.

use crate::error::{DecodeError, Reason};
use crate::ids::Qid;

/// A place in the body of the message called `message`.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    left: &'a [u8],
    message: &'static str,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(body: &'a [u8], message: &'static str) -> Self {
        Self { left: body, message }
    }

    pub(crate) fn left(&self) -> usize {
        self.left.len()
    }

    #[cold]
    pub(crate) fn error(&self, reason: Reason, field: &'static str) -> DecodeError {
        DecodeError { reason, message: self.message, field: field.into() }
    }

    #[inline]
    pub(crate) fn bytes(
        &mut self,
        count: usize,
        field: &'static str,
    ) -> Result<&'a [u8], DecodeError> {
        let Some((taken, left)) = self.left.split_at_checked(count) else {
            return Err(self.error(Reason::Short, field));
        };
        self.left = left;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let Some((taken, left)) = self.left.split_first_chunk::<N>() else {
            return Err(self.error(Reason::Short, field));
        };
        self.left = left;
        Ok(*taken)
    }

    #[inline]
    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.array(field).map(u8::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.array(field).map(u16::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// `type[1] vers[4] path[8]`; a short one is short as a whole.
    #[inline]
    pub(crate) fn qid(&mut self, field: &'static str) -> Result<Qid, DecodeError> {
        let [kind, a, b, c, d, path @ ..] = self.array::<13>(field)?;
        Ok(Qid { kind, vers: u32::from_le_bytes([a, b, c, d]), path: u64::from_le_bytes(path) })
    }

    /// `length[2]` and UTF-8 without NUL.
    #[inline]
    pub(crate) fn string(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        let size = self.u16(field)?;
        let bytes = self.bytes(usize::from(size), field)?;
        if bytes.contains(&0) {
            return Err(self.error(Reason::Nul, field));
        }
        std::str::from_utf8(bytes).map_err(|_| self.error(Reason::Utf8, field))
    }

    /// The message must be over.
    #[inline]
    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        if self.left.is_empty() { Ok(()) } else { Err(self.error(Reason::Trailing, "end")) }
    }
}
