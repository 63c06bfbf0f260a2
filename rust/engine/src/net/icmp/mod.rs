//! Whole packets: what a conversation of `/net/icmp` and `/net/icmpv6` does beside what all of packets
//! do (ip(3); docs/raw.md).
//!
//! [`rules`] is both versions; [`sockets`] are ping sockets and raw ones, [`header`] what is before a
//! message.

mod header;
mod rules;
mod sockets;
pub(crate) mod stats;
mod verbs;

pub(crate) use self::rules::Icmp;
