//! What a session remembers of an open file beyond what the protocol's state does.
//!
//! Most files need nothing: what they hold is computed from the qid at each read. A file of a
//! conversation remembers which worker to ask and what waits; a directory, how far it was read; cs
//! and dns, the replies; log, its place.

use netrelay_proto::error::Refusal;

use crate::limits::Limits;
use crate::log::Reader;
use crate::tree::directory::Listing;
use crate::tree::qid::File;
use crate::upcall::Kind;

/// The state of an open file.
#[derive(Debug)]
pub(super) enum Opened {
    /// ctl, data or err of a conversation, which it keeps alive.
    Conversation(Held),
    /// A directory.
    Directory(Listing),
    /// cs or dns.
    Query(Query),
    /// log.
    Log(Reader),
}

/// A file of a conversation and what waits at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) number: u32,
    /// Whose the conversation is.
    pub(super) worker: u16,
    pub(super) file: File,
    /// Waiting Treads.
    pub(super) reads: usize,
    /// Bytes of waiting Twrites.
    pub(super) write_bytes: usize,
    /// A Twrite was refused and others still wait: one more would leave a hole.
    refusing: bool,
}

impl Held {
    pub(super) fn new(number: u32, worker: u16, file: File) -> Self {
        Self { number, worker, file, reads: 0, write_bytes: 0, refusing: false }
    }

    /// Checks that one more Twrite may wait; `full` when a bound beyond the fid's is reached.
    ///
    /// # Errors
    /// `write queue full`.
    pub(super) fn admit_write(&mut self, full: bool, limits: &Limits) -> Result<(), Refusal> {
        if self.write_bytes == 0 {
            self.refusing = false;
        }
        self.refusing |= full || self.write_bytes >= limits.fid_write_bytes;
        if self.refusing { Err(Refusal::WRITE_QUEUE_FULL) } else { Ok(()) }
    }

    /// Checks that one more Tread may wait.
    ///
    /// # Errors
    /// `too many requests`.
    pub(super) fn admit_read(&self, limits: &Limits) -> Result<(), Refusal> {
        if self.reads < limits.fid_reads { Ok(()) } else { Err(Refusal::TOO_MANY_REQUESTS) }
    }
}

/// An open cs or dns: a write asks, reads return the replies one at a time (ndb(8)).
#[derive(Debug)]
pub(super) struct Query {
    pub(super) kind: Kind,
    /// Who opened it.
    pub(super) user: Box<str>,
    pub(super) running: bool,
    pub(super) replies: Vec<Vec<u8>>,
    /// Where the last query ended in the file.
    end: u64,
    /// Where the replies begin in the file; not known before the first read.
    origin: Option<u64>,
}

impl Query {
    pub(super) fn new(kind: Kind, user: &str) -> Self {
        let replies = Vec::new();
        Self { kind, user: user.into(), running: false, replies, end: 0, origin: None }
    }

    /// Takes note of a write of `length` bytes at `offset` that is to ask now.
    ///
    /// # Errors
    /// The texts of docs/tree.md, section 6.
    pub(super) fn admit(&mut self, offset: u64, length: usize) -> Result<(), Refusal> {
        let (longest, too_long, running) = match self.kind {
            Kind::Cs => (127, Refusal::CS_TOO_LONG, Refusal::CS_IN_PROGRESS),
            Kind::Dns => (1023, Refusal::DNS_TOO_LONG, Refusal::DNS_IN_PROGRESS),
        };
        match self.kind {
            _ if length > longest => return Err(too_long),
            Kind::Dns if offset != 0 => return Err(Refusal::DNS_OFFSET),
            _ if self.running => return Err(running),
            _ => {}
        }
        (self.end, self.origin) = (offset + length as u64, None);
        Ok(())
    }

    /// What remains of the reply that holds `offset`, at most `count` bytes. The replies lie end
    /// to end, and a read never crosses from one into the next. Who could not seek after the query
    /// reads on from its end, and means the beginning.
    pub(super) fn read(&mut self, offset: u64, count: u32) -> &[u8] {
        let first = if offset == self.end { offset } else { 0 };
        let origin = self.origin.unwrap_or(first);
        let origin = if offset < origin { 0 } else { origin };
        self.origin = Some(origin);
        let mut offset = offset - origin;
        for reply in &self.replies {
            let length = reply.len() as u64;
            if offset < length {
                return crate::tree::slice(reply, offset, count);
            }
            offset -= length;
        }
        &[]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_never_crosses_replies() {
        let mut query = Query::new(Kind::Cs, "glenda");
        query.replies = vec![b"first".to_vec(), Vec::new(), b"second".to_vec()];
        let table: [(u64, u32, &[u8]); 6] = [
            (0, 100, b"first"),
            (2, 2, b"rs"),
            (5, 100, b"second"),
            (8, 2, b"on"),
            (11, 9, b""),
            (99, 9, b""),
        ];
        for (offset, count, expected) in table {
            assert_eq!(query.read(offset, count), expected, "{offset} {count}");
        }
    }

    #[test]
    fn a_shell_that_cannot_seek_reads_the_replies_from_where_its_query_ended() {
        let mut query = Query::new(Kind::Cs, "glenda");
        query.admit(0, 10).unwrap();
        query.replies = vec![b"first".to_vec(), b"second".to_vec()];
        assert_eq!(query.read(10, 100), b"first");
        assert_eq!(query.read(15, 100), b"second");
        assert_eq!(query.read(0, 100), b"first");
        assert_eq!(query.read(10, 100), b"d");
    }

    #[test]
    fn after_a_refused_write_all_are_refused_until_the_queue_is_empty() {
        let limits = Limits::default();
        let mut held = Held::new(0, 0, File::Data);
        assert_eq!(held.admit_write(false, &limits), Ok(()));
        held.write_bytes = limits.fid_write_bytes;
        assert_eq!(held.admit_write(false, &limits), Err(Refusal::WRITE_QUEUE_FULL));
        held.write_bytes = 1;
        assert_eq!(held.admit_write(false, &limits), Err(Refusal::WRITE_QUEUE_FULL));
        held.write_bytes = 0;
        assert_eq!(held.admit_write(false, &limits), Ok(()));
        assert_eq!(held.admit_write(true, &limits), Err(Refusal::WRITE_QUEUE_FULL));
    }
}
