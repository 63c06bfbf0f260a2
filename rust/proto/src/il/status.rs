//! What a conversation says of itself: a line of `status`, and the counters of `stats`.

use std::fmt;

use super::packet::Flaw;

/// Where a conversation is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum State {
    /// It has not begun, or is over.
    #[default]
    Closed,
    /// We called and were not answered yet.
    Syncer,
    /// We were called, answered, and do not know yet whether that arrived.
    Syncee,
    /// Messages pass.
    Established,
    /// Announced: the word for whoever takes calls; no [`super::Conversation`] is ever in it.
    Listen,
    /// One side ended it and the other has not confirmed that.
    Closing,
}

impl State {
    /// The word in `status`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Closed => "Closed",
            Self::Syncer => "Syncer",
            Self::Syncee => "Syncee",
            Self::Established => "Established",
            Self::Listen => "Listen",
            Self::Closing => "Closing",
        }
    }
}

/// What `status` tells; its `Display` is the line, with its newline.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Status {
    /// Where it is.
    pub state: State,
    /// Bytes that wait to be read.
    pub qin: usize,
    /// Bytes that wait to be sent: always 0, as what is accepted is under way.
    pub qout: usize,
    /// The delay learned, in milliseconds.
    pub delay: u64,
    /// The rate learned, in bytes a millisecond.
    pub rate: u64,
    /// How far guesses are off, in milliseconds.
    pub deviation: u64,
    /// Bytes not acknowledged, headers included.
    pub unacked: u64,
    /// Messages sent again.
    pub rexmits: u32,
    /// Queries because an acknowledgement did not come.
    pub queries: u32,
    /// The longest round trip, in milliseconds.
    pub longest: u64,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} qin {} qout {} del {:05} Br {:05} md {:05} una {:05} rex {:05} rxq {:05} max {:05}",
            self.state.word(),
            self.qin,
            self.qout,
            self.delay,
            self.rate,
            self.deviation,
            self.unacked,
            self.rexmits,
            self.queries,
            self.longest,
        )
    }
}

/// Counters, one conversation's or, added up, the protocol's.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Packets for a conversation, of any type.
    pub in_msgs: u64,
    /// Messages sent, repetitions not counted.
    pub out_msgs: u64,
    /// Packets with a wrong checksum.
    pub csum_errs: u64,
    /// Packets shorter than a header.
    pub hlen_errs: u64,
    /// Packets shorter than they say, or that say less than a header.
    pub len_errs: u64,
    /// Messages that came before one that was sent earlier.
    pub out_of_order: u64,
    /// Messages sent again.
    pub retrans: u64,
    /// Messages that came again.
    pub dup_msg: u64,
    /// Their bytes, headers included, IP's not.
    pub dup_bytes: u64,
    /// Messages for which there was no room.
    pub dropped_msgs: u64,
}

impl Stats {
    /// Counts what was no packet.
    pub const fn flawed(&mut self, flaw: Flaw) {
        match flaw {
            Flaw::Header => self.hlen_errs += 1,
            Flaw::Length => self.len_errs += 1,
            Flaw::Checksum => self.csum_errs += 1,
        }
    }

    /// The names and numbers, in the order of `stats`; the odd one out is the original's.
    pub const fn rows(&self) -> [(&'static str, u64); 10] {
        [
            ("InMsgs", self.in_msgs),
            ("OutMsgs", self.out_msgs),
            ("CsumErrs", self.csum_errs),
            ("HlenErr", self.hlen_errs),
            ("LenErrs", self.len_errs),
            ("OutOfOrder", self.out_of_order),
            ("Retrans", self.retrans),
            ("DupMsg", self.dup_msg),
            ("DupBytes", self.dup_bytes),
            ("DroppedMsgs", self.dropped_msgs),
        ]
    }
}

impl std::ops::AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.in_msgs += other.in_msgs;
        self.out_msgs += other.out_msgs;
        self.csum_errs += other.csum_errs;
        self.hlen_errs += other.hlen_errs;
        self.len_errs += other.len_errs;
        self.out_of_order += other.out_of_order;
        self.retrans += other.retrans;
        self.dup_msg += other.dup_msg;
        self.dup_bytes += other.dup_bytes;
        self.dropped_msgs += other.dropped_msgs;
    }
}
