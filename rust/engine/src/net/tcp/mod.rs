//! Byte streams: what a conversation of `/net/tcp` does (docs/tree.md, section 5).
//!
//! [`conversation`] is its state and what waits at it, [`command`] what ctl has it do, [`inbound`]
//! and [`outbound`] the two directions, [`closing`] its end in the background. The directions know
//! sockets and payloads and nothing of ctl.

pub(crate) mod closing;
mod command;
mod conversation;
pub(crate) mod inbound;
mod info;
pub(crate) mod outbound;
mod sockets;
pub(crate) mod status;
mod verbs;

pub(crate) use self::conversation::TcpConversation;
pub(crate) use self::outbound::Spliced;
