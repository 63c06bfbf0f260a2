//! The import side: one 9P session used as a client, dials and pumps without Python.
//!
//! An [`Importer`] takes over a connected stream to a gateway and drives it from a thread of its
//! own. A thread an importer, not one for all of the process: a session is one byte stream, so
//! nothing is gained by sharing a thread, and two gateways neither share a core nor each other's
//! panics. What the embedding program asks goes in by a mailbox and a waker; what came of it
//! waits in a queue behind an eventfd, so no thread of ours ever calls Python.
//!
//! What it does not do: translate names, choose a gateway, authenticate or reconnect. A program
//! attaches and asks cs with [`Importer::rpc`] and composes the rest.

mod buffers;
mod calls;
mod completion;
mod core;
mod dial;
mod fids;
mod import;
mod inbound;
mod link;
mod outbound;
mod pump;
mod stats;
mod stream;
mod window;
mod worker;

pub use completion::{Completion, Outcome};
pub use import::{Importer, Options, Refused};
pub use link::Agreed;
