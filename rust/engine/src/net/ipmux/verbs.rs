//! What ctl of ipmux means by connect and announce (ip(3); docs/raw.md).

use netrelay_proto::error::Refusal;

use super::filter::Filter;
use crate::net::ctl::{Verbs, Word};

/// Take packets that a filter accepts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Choose(pub(crate) Filter);

impl Verbs for Choose {
    fn parse(verb: &str, arguments: &[Word<'_>]) -> Result<Option<Self>, Refusal> {
        match (verb, arguments) {
            ("connect", [text]) => {
                Filter::parse(text).map(|filter| Some(Self(filter))).ok_or(Refusal::BAD_ARG)
            }
            ("connect", _) => Err(Refusal::BAD_ARG),
            ("announce", _) => Err(Refusal::IPMUX_ANNOUNCE),
            _ => Ok(None),
        }
    }
}
