//! What a session asks of a conversation, and what comes of it.
//!
//! The same two enums serve a conversation of the session's own worker, which is called, and one of
//! another worker, which gets them by mail. What must not be copied (a Tread's payload, a Twrite
//! as it arrives) has calls of its own for the first case; by mail it is copied.

use netrelay_proto::error::Refusal;

use crate::buffers::Payload;
use crate::pipe::Pipe;
use crate::tree::qid::{File, Key};

/// A request of a session to a conversation. The permission to make it has been checked.
#[derive(Debug)]
pub(crate) enum Operation {
    /// A Tread of data. One that is not to wait is of a stream.
    Read { count: u32, waits: bool },
    /// A Tread of err, which nothing ever answers but a flush.
    ReadErr,
    /// A Twrite of data.
    Write { data: Vec<u8> },
    /// A Twrite of ctl.
    Control { line: Vec<u8> },
    /// A Topen of listen.
    Listen,
    /// A Tread of local, remote or status.
    Text { file: File, offset: u64, count: u32 },
    /// The waiter's request is flushed, or its fid or session is gone.
    Withdraw,
    /// The last clunk: the number has been given back.
    Release,
}

/// What came of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The payload of an Rread in a buffer of this worker.
    Payload(Payload),
    /// The payload of an Rread in a pipe of this worker.
    Piped(Pipe),
    /// The payload of an Rread.
    Bytes(Vec<u8>),
    /// A Tread that was not to wait would have had to.
    Nothing,
    /// The count of an Rwrite.
    Wrote(u32),
    /// A call: the new conversation, whose ctl the fid becomes, and its worker.
    Called { key: Key, worker: u16 },
    /// The request was withdrawn and left nothing behind.
    Withdrawn,
    /// It is refused.
    Refused(Refusal),
}
