//! 9P2000 and its dialects, and IL, without I/O: bytes in, events out, and the other way round.
//!
//! Everything here is a pure function or a state machine: no sockets, no clock, no threads, no
//! dependencies. That is why the same code runs below the gateway's worker loops and below Python, and
//! why it can be tested by feeding it anything at all. `docs/protocol.md` is its contract (IL's
//! is `docs/il.md`), and `netrelay.reference` its twin.
//!
//! It does not decide what a file is or does: [`server::Server`] asks, and someone else answers.

#![forbid(unsafe_code)]

pub mod client;
mod cursor;
pub mod deframe;
pub mod dialect;
pub mod dir;
pub mod error;
mod fids;
pub mod ids;
pub mod il;
pub mod message;
pub mod server;
mod tags;
pub mod text;
