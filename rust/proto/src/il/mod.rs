//! IL, the transport that 9P had before TCP, without I/O: IP protocol 40, conversations of whole messages.
//!
//! A [`Conversation`] is told what came and what time it is, and is asked what to send, when to be called
//! again and what has happened; it owns no socket and no clock, so that loss, delay and death can be tried
//! in microseconds. `docs/il.md` is its contract and `netrelay.reference.il` its twin, output for output.
//!
//! It does not find the conversation that a packet belongs to, choose ports or initial ids, or put packets
//! into IP: that is whoever has the socket. [`Packet::decode`] tells him the ports, and [`refuse`]
//! what to answer when nobody is there.
//!
//! Times are milliseconds since an epoch of the caller's, and never go back.

mod conversation;
mod packet;
mod received;
mod sent;
mod status;
mod timing;

pub use conversation::{Conversation, Event, SendError};
pub use packet::{Flaw, HEADER, Packet, kind, refuse};
pub use status::{State, Stats, Status};

/// IP's number for IL.
pub const IP_PROTOCOL: u8 = 40;
/// Bytes of a message at most: it travels in one IP datagram.
pub const MAX_MESSAGE: usize = 65_535 - IP_HEADER - HEADER;
/// Messages that may be under way to the other side, and how far ahead of the next one it takes any.
pub const WINDOW: usize = 20;
/// Once what waits to be read takes this many bytes, headers included, no more messages are taken.
pub const MAX_UNREAD: usize = 64 << 10;
/// Queries, or retransmissions of one message, that may go by without success.
pub const MAX_REXMIT: u32 = 16;

/// What the original's timers are counted in.
pub const TICK: u64 = 50;
/// A message is acknowledged within this time.
pub const ACK_DELAY: u64 = 2 * TICK;
/// After this long without a packet the other side is asked whether it is there.
pub const QUERY_TIME: u64 = 10_000;
/// After this long without a packet it is not.
pub const DEATH_TIME: u64 = 30 * QUERY_TIME;
/// The longest wait before the next query.
pub const MAX_TIMEOUT: u64 = 30_000;

/// An IP header without options, which the original counts as part of a packet.
const IP_HEADER: usize = 20;

/// Whether id `a` is behind `b` in the order of sending; ids wrap.
const fn after(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).cast_signed() > 0
}
