//! Sockets and threads of netrelay: the export side ([`Gateway`]) and the import side
//! ([`client::Importer`]).
//!
//! The protocol itself is `netrelay-proto`, which never sees a socket; what needs a decision is
//! asked of the embedding program through [`upcall`]. This crate knows nothing of Python. How its
//! parts hang together is told in `ARCHITECTURE.md`, what the tree holds in `docs/tree.md`.

mod buffers;
pub mod client;
pub mod config;
pub mod descriptor;
pub mod error;
mod gateway;
pub mod limits;
mod log;
mod mailbox;
mod net;
mod pipe;
mod session;
mod shared;
mod stats;
mod tree;
pub mod upcall;
mod work;
mod worker;

pub use config::Config;
pub use error::EngineError;
pub use gateway::Gateway;
