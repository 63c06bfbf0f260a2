//! The text of `/net/ndb`: what the gateway's network says of itself (ndb(6)).
//!
//! A write ends the text where it ends, as ip(3) does it, so that rewriting the file from its begin
//! leaves nothing of a longer text behind. Who may write is decided at open.

use netrelay_proto::error::Refusal;

/// The text and the count of its changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ndb {
    text: Vec<u8>,
    vers: u32,
}

/// Most bytes of text.
pub(crate) const MAX_NDB: usize = 32 << 10;

impl Ndb {
    /// A text to begin with, cut at [`MAX_NDB`]; no change yet.
    pub(crate) fn new(text: &[u8]) -> Self {
        Self { text: text.get(..MAX_NDB).unwrap_or(text).to_vec(), vers: 0 }
    }

    /// Bytes of text, and how often it has changed.
    pub(crate) fn facts(&self) -> (u64, u32) {
        (self.text.len() as u64, self.vers)
    }

    /// The text from `offset`, at most `count` bytes; none at its end and beyond.
    pub(crate) fn read(&self, offset: u64, count: u32) -> &[u8] {
        super::slice(&self.text, offset, count)
    }

    /// Puts `data` at `offset` and ends the text behind it.
    ///
    /// # Errors
    /// `i/o error`: `offset` is beyond the end, or the text would be longer than [`MAX_NDB`].
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), Refusal> {
        let offset = usize::try_from(offset).map_err(|_| Refusal::IO)?;
        if offset > self.text.len() || data.len() > MAX_NDB - offset {
            return Err(Refusal::IO);
        }
        self.text.truncate(offset);
        self.text.extend_from_slice(data);
        self.vers = self.vers.wrapping_add(1);
        Ok(())
    }

    /// Empties the text (OTRUNC).
    pub(crate) fn truncate(&mut self) {
        self.text.clear();
        self.vers = self.vers.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_honour_offset_and_count() {
        let ndb = Ndb::new(b"ip=10.0.0.1");
        let table: [(u64, u32, &[u8]); 5] =
            [(0, 3, b"ip="), (3, 100, b"10.0.0.1"), (11, 5, b""), (u64::MAX, 5, b""), (0, 0, b"")];
        for (offset, count, expected) in table {
            assert_eq!(ndb.read(offset, count), expected);
        }
        assert_eq!(ndb.facts(), (11, 0));
    }

    #[test]
    fn a_write_ends_the_text_and_counts() {
        let mut ndb = Ndb::new(b"0123456789");
        ndb.write(3, b"ab").unwrap();
        assert_eq!((ndb.read(0, 100), ndb.facts()), (&b"012ab"[..], (5, 1)));
        ndb.write(5, b"c").unwrap();
        assert_eq!((ndb.read(0, 100), ndb.facts()), (&b"012abc"[..], (6, 2)));
        ndb.truncate();
        assert_eq!(ndb.facts(), (0, 3));
    }

    #[test]
    fn writes_beyond_the_end_or_the_limit_are_refused_and_change_nothing() {
        let mut ndb = Ndb::new(b"abc");
        let whole = vec![b'x'; MAX_NDB + 1];
        for (offset, data) in [(4, &b"x"[..]), (u64::MAX, b"x"), (0, &whole), (3, &whole[3..])] {
            ndb.write(offset, data).unwrap_err();
        }
        assert_eq!(ndb.facts(), (3, 0));
        ndb.write(3, &whole[..MAX_NDB - 3]).unwrap();
        assert_eq!(ndb.facts().0, 32_768);
        assert_eq!(Ndb::new(&whole).facts().0, 32_768);
    }
}
