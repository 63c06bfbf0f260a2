//! A conversation of il: its state, its commands, both directions, its end in the background
//! (docs/il.md, section 10).

mod calls;
mod closing;
mod command;
pub(crate) mod conversation;
mod end;
mod ports;
mod sockets;
pub(crate) mod stats;
mod verbs;
mod writes;

pub(crate) use self::conversation::IlConversation;
