//! Packets of security associations: what a conversation of `/net/esp` does beside what all of packets
//! do (ip(3); docs/raw.md).
//!
//! [`association`] makes packets and takes them apart with [`algorithms`]; [`rules`] has the socket.

mod algorithms;
mod association;
mod rules;
pub(crate) mod stats;
mod verbs;

pub(crate) use self::rules::Esp;
