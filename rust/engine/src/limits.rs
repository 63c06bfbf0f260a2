//! Named bounds on everything an importer can make the gateway hold.
//!
//! An importer is assumed malicious: whatever it can make grow has a bound here, with the text it is
//! refused with in `docs/tree.md` and `docs/protocol.md`. The defaults are chosen so that an honest
//! client never meets one. Bounds on the protocol state itself (fids, requests in flight, msize)
//! are handed to `proto`; this file only names them. Nothing here is changed once a gateway runs.

use std::time::Duration;

/// The bounds of one gateway. All sizes are bytes unless the name says otherwise.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Largest frame a session may negotiate.
    pub max_msize: u32,
    /// Fids of one session (`too many fids`).
    pub session_fids: usize,
    /// Requests in flight of one session (`too many requests`).
    pub session_requests: usize,
    /// Waiting Twrite bytes of one fid (`write queue full`); the window of `9P2000.netrelay`.
    pub fid_write_bytes: usize,
    /// Waiting Twrite bytes of one session (`write queue full`).
    pub session_write_bytes: usize,
    /// Waiting Twrite bytes of the whole gateway (`write queue full`).
    pub gateway_write_bytes: usize,
    /// Treads of one fid that wait at a time (`too many requests`).
    pub fid_reads: usize,
    /// Replies that a client has not read; beyond it the session is not read from.
    pub session_unread_bytes: usize,
    /// Questions to Python without an answer; beyond it sessions that ask are not read from.
    pub upcalls: usize,
    /// Sessions of the gateway; a further one is closed as it is accepted.
    pub sessions: usize,
    /// Conversations of one protocol (`no free devices`). The qid has room for 2^20.
    pub conversations: u32,
    /// Connections that one worker closes in the background; a further one closes as it stands.
    pub closing_per_worker: usize,
    /// From accept until a fid is attached; a session that takes longer is closed.
    pub handshake: Duration,
    /// Without progress, how long a connection may take to close in the background.
    pub linger: Duration,
    /// How long a conversation of packets that a listen made may lie unused; zero is for ever.
    pub packet_idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_msize: 8 << 20,
            session_fids: 65_536,
            session_requests: 4096,
            fid_write_bytes: 4 << 20,
            session_write_bytes: 64 << 20,
            gateway_write_bytes: 1 << 30,
            fid_reads: 1024,
            session_unread_bytes: 8 << 20,
            // An answer takes a resolver milliseconds; 1024 is a second of a busy gateway's dials.
            upcalls: 1024,
            sessions: 4096,
            conversations: 10_000,
            // Each holds a descriptor; a worker that closes more at once is being flooded.
            closing_per_worker: 4096,
            handshake: Duration::from_secs(10),
            linger: Duration::from_secs(10),
            // RFC 4787 asks for two minutes at least and would have five.
            packet_idle: Duration::from_secs(300),
        }
    }
}
