//! The verb of ctl that only icmpv6 has (docs/raw.md); words behind it are ignored.

use netrelay_proto::error::Refusal;

use crate::net::ctl::{Verbs, Word};

/// Send from and to the addresses, and with the id, that are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Headers;

impl Verbs for Headers {
    fn parse(verb: &str, _: &[Word<'_>]) -> Result<Option<Self>, Refusal> {
        Ok((verb == "headers").then_some(Self))
    }
}
