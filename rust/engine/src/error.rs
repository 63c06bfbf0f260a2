//! What starting or feeding a gateway can fail with, and how the host's refusals read in 9P.
//!
//! An [`EngineError`] goes to the program that embeds the gateway and may name descriptors and
//! calls. What an importer gets is a [`Refusal`] from the table in `docs/tree.md` 5: a text that
//! dial(2) and people look for, and never the host's own wording.

use std::borrow::Cow;
use std::fmt;
use std::io;

use netrelay_proto::error::Refusal;

/// The host refused something the embedding program asked for.
#[derive(Debug)]
pub struct EngineError {
    /// What was attempted, as a system call or a noun.
    pub op: Cow<'static, str>,
    /// What the host said.
    pub source: io::Error,
}

impl EngineError {
    pub(crate) fn new(op: impl Into<Cow<'static, str>>, source: impl Into<io::Error>) -> Self {
        Self { op: op.into(), source: source.into() }
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.op, self.source)
    }
}

impl std::error::Error for EngineError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// An errno of the one library in the words of the other.
pub(crate) fn errno(error: nix::Error) -> rustix::io::Errno {
    rustix::io::Errno::from_raw_os_error(error as i32)
}

/// Whether the gateway has run out of something; nobody asked for too much.
pub(crate) fn is_shortage(error: rustix::io::Errno) -> bool {
    use rustix::io::Errno;
    matches!(error, Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
}

/// How the host's refusal of a socket call reads in 9P.
pub(crate) fn refusal(error: rustix::io::Errno) -> Refusal {
    use rustix::io::Errno;
    match error {
        Errno::CONNREFUSED => Refusal::REFUSED,
        Errno::CONNRESET | Errno::PIPE => Refusal::RESET,
        Errno::TIMEDOUT => Refusal::TIMED_OUT,
        Errno::NETUNREACH => Refusal::NO_ROUTE,
        Errno::HOSTUNREACH => Refusal::HOST_UNREACHABLE,
        Errno::ADDRINUSE => Refusal::ADDRESS_IN_USE,
        Errno::ADDRNOTAVAIL => Refusal::NOT_LOCAL,
        Errno::ACCESS | Errno::PERM => Refusal::PERMISSION_DENIED,
        shortage if is_shortage(shortage) => Refusal::NO_FREE_DEVICES,
        _ => Refusal::IO,
    }
}
