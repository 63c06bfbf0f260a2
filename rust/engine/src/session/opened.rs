//! What a session remembers of an open file beyond what the protocol's state does.
//!
//! Most files need nothing: what they hold is computed from the qid at each read. A file of a
//! conversation remembers which worker to ask and what waits; a directory, how far it was read; cs
//! and dns, the replies; log, its place; a file of the host's, its text.

use netrelay_proto::error::Refusal;

use super::hostfile::HostFile;
use crate::limits::Limits;
use crate::log::Reader;
use crate::tree::directory::Listing;
use crate::tree::qid::{File, Key, StackId};
use crate::upcall::{Kind, Question};

/// The state of an open file. A session may have very many conversations open, so what is larger and
/// rare is behind a box.
#[derive(Debug)]
pub(super) enum Opened {
    /// ctl, data or err of a conversation, which it keeps alive.
    Conversation(Held),
    /// A directory.
    Directory(Listing),
    /// cs or dns.
    Query(Box<Query>),
    /// log of a stack.
    Log(StackId, Reader),
    /// A file of the host's network.
    Host(Box<HostFile>),
}

/// A file of a conversation and what waits at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) key: Key,
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
    pub(super) fn new(key: Key, worker: u16, file: File) -> Self {
        Self { key, worker, file, reads: 0, write_bytes: 0, refusing: false }
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

/// The files whose writes are queries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Queried {
    /// The connection server.
    Cs,
    /// The resolver.
    Dns,
}

impl Queried {
    fn upcall(self) -> Kind {
        match self {
            Self::Cs => Kind::Cs,
            Self::Dns => Kind::Dns,
        }
    }
}

/// An open cs or dns: a write asks, reads return the replies one at a time (ndb(8)).
#[derive(Debug)]
pub(super) struct Query {
    kind: Queried,
    /// Who opened it, and in which stack.
    user: Box<str>,
    stack: Box<str>,
    pub(super) running: bool,
    pub(super) replies: Vec<Vec<u8>>,
    /// Where the last query ended in the file.
    end: u64,
    /// Where the replies begin in the file; not known before the first read.
    origin: Option<u64>,
}

impl Query {
    pub(super) fn new(kind: Queried, user: &str, stack: &str) -> Self {
        let (user, stack, replies) = (user.into(), stack.into(), Vec::new());
        Self { kind, user, stack, running: false, replies, end: 0, origin: None }
    }

    /// The question that a write of `query` asks; the replies of the last one are gone.
    pub(super) fn ask(&mut self, query: &[u8]) -> Question {
        self.replies.clear();
        self.running = true;
        let (user, stack) = (self.user.clone(), self.stack.clone());
        Question { kind: self.kind.upcall(), user, query: query.into(), stack }
    }

    /// What its refusals begin with.
    pub(super) fn prefix(&self) -> &'static str {
        match self.kind {
            Queried::Cs => "cs: ",
            Queried::Dns => "dns: ",
        }
    }

    /// Takes note of a write of `length` bytes at `offset` that is to ask now.
    ///
    /// # Errors
    /// The texts of docs/tree.md, section 6.
    pub(super) fn admit(&mut self, offset: u64, length: usize) -> Result<(), Refusal> {
        let (longest, too_long, running) = match self.kind {
            Queried::Cs => (127, Refusal::CS_TOO_LONG, Refusal::CS_IN_PROGRESS),
            Queried::Dns => (1023, Refusal::DNS_TOO_LONG, Refusal::DNS_IN_PROGRESS),
        };
        match self.kind {
            _ if length > longest => return Err(too_long),
            Queried::Dns if offset != 0 => return Err(Refusal::DNS_OFFSET),
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
    use crate::tree::fixture::tcp;

    #[test]
    fn a_read_never_crosses_replies() {
        let mut query = Query::new(Queried::Cs, "glenda", "");
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
        let mut query = Query::new(Queried::Cs, "glenda", "");
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
        let mut held = Held::new(tcp(0), 0, File::Data);
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
