//! Whole IP packets of which a filter says yes: what a conversation of `/net/ipmux` does beside what
//! all of packets do (ip(3); docs/raw.md).
//!
//! [`filter`] is what connect asks for; [`rules`] has a socket for each of its protocols; [`listing`]
//! is the filters of all for stats.

mod filter;
pub(crate) mod listing;
mod rules;
mod verbs;

pub(crate) use self::rules::Ipmux;
