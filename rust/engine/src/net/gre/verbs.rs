//! The verbs of ctl that only gre has (ip(3); docs/raw.md).

use netrelay_proto::error::Refusal;

use crate::net::ctl::{Verbs, Word};

/// A command that parsed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verb {
    /// Packets are written as they are to leave, and taken from anybody.
    Raw,
    /// Not any more.
    Cooked,
}

impl Verbs for Verb {
    const UNKNOWN: Refusal = Refusal::NO_SUCH_COMMAND;

    fn parse(verb: &str, arguments: &[Word<'_>]) -> Result<Option<Self>, Refusal> {
        match (verb, arguments) {
            ("raw", []) => Ok(Some(Self::Raw)),
            ("cooked", []) => Ok(Some(Self::Cooked)),
            ("raw" | "cooked", _) => Err(Refusal::INCORRECT_NUMBER),
            ("announce", _) => Err(Refusal::GRE_ANNOUNCE),
            _ => Ok(None),
        }
    }
}
