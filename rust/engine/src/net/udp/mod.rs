//! Datagrams: what a conversation of `/net/udp` does beside what all of packets do (ip(3);
//! docs/tree.md, 10).
//!
//! [`rules`] is connected, announced, and calls, which are conversations that a listen got;
//! [`callers`] sorts the datagrams of an announced one, [`headers`] are the bytes before them,
//! [`multicast`] the groups.

mod callers;
mod headers;
mod multicast;
mod rules;
mod segments;
mod sockets;
pub(crate) mod stats;
mod verbs;

pub(crate) use self::rules::Udp;
