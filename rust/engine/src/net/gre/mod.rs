//! Packets of one encapsulated protocol: what a conversation of `/net/gre` does beside what all of
//! packets do (ip(3); docs/raw.md).

mod rules;
pub(crate) mod stats;
mod verbs;

pub(crate) use self::rules::Gre;
