//! What conversations of every protocol that keeps messages apart have in common (docs/tree.md, 10).
//!
//! [`conversation`] is states, waiting Treads and the end, [`command`] what ctl has it do. A protocol's
//! [`rules`] say how its sockets are made, what a packet is to a reader, how one is sent, and which
//! verbs it has of its own.
//! [`packet`] is one packet and its way, [`advice`] what ICMP says of those that were sent.

pub(crate) mod advice;
mod command;
pub(crate) mod conversation;
pub(crate) mod packet;
pub(crate) mod raw;
pub(crate) mod reads;
pub(crate) mod rules;
pub(crate) mod sockets;
pub(crate) mod sources;

pub(crate) use self::conversation::PacketConversation;
