//! The verbs of ctl that only udp has (ip(3); docs/tree.md, 10); words beyond theirs are ignored.

use std::net::IpAddr;

use netrelay_proto::error::Refusal;

use crate::net::address::ip;
use crate::net::ctl::{Verbs, Word};

/// A command that parsed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verb {
    /// Give and take datagrams with their addresses before them.
    Headers,
    /// Join a group.
    AddMulti(Group),
    /// Leave it.
    DelMulti(Group),
}

/// A group as ctl names it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Group {
    /// An address of the interface.
    pub(crate) interface: IpAddr,
    /// None is the remote address.
    pub(crate) group: Option<IpAddr>,
}

impl Verbs for Verb {
    fn parse(verb: &str, arguments: &[Word<'_>]) -> Result<Option<Self>, Refusal> {
        let group = |missing| match arguments {
            [] => Err(missing),
            [interface] => Ok(Group { interface: ip(interface)?, group: None }),
            [interface, group, ..] => {
                Ok(Group { interface: ip(interface)?, group: Some(ip(group)?) })
            }
        };
        match verb {
            "headers" => Ok(Some(Self::Headers)),
            "addmulti" => {
                group(Refusal::ADDMULTI_NEEDS_INTERFACE).map(|group| Some(Self::AddMulti(group)))
            }
            "delmulti" | "remmulti" => {
                group(Refusal::DELMULTI_NEEDS_INTERFACE).map(|group| Some(Self::DelMulti(group)))
            }
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::ctl::Command;

    #[test]
    fn verbs_parse() {
        let group = |interface: &str, group: Option<&str>| Group {
            interface: interface.parse().unwrap(),
            group: group.map(|group| group.parse().unwrap()),
        };
        let whole = group("10.0.0.1", Some("224.0.0.77"));
        let table = [
            ("headers", Verb::Headers),
            ("headers on", Verb::Headers),
            ("addmulti 10.0.0.1", Verb::AddMulti(group("10.0.0.1", None))),
            ("addmulti 10.0.0.1 224.0.0.77", Verb::AddMulti(whole)),
            ("addmulti 10.0.0.1 224.0.0.77 x", Verb::AddMulti(whole)),
            ("delmulti 10.0.0.1 224.0.0.77", Verb::DelMulti(whole)),
            ("remmulti ::1", Verb::DelMulti(group("::1", None))),
        ];
        for (text, verb) in table {
            assert_eq!(Command::parse(text.as_bytes()), Ok(Command::Own(verb)), "{text}");
        }
    }

    #[test]
    fn verbs_that_do_not_parse_say_why() {
        let table = [
            ("addmulti", Refusal::ADDMULTI_NEEDS_INTERFACE),
            ("delmulti", Refusal::DELMULTI_NEEDS_INTERFACE),
            ("remmulti", Refusal::DELMULTI_NEEDS_INTERFACE),
            ("addmulti lo 224.0.0.77", Refusal::BAD_IP),
            ("addmulti 10.0.0.1 x", Refusal::BAD_IP),
            ("close", Refusal::UNKNOWN_CONTROL),
        ];
        for (text, refusal) in table {
            assert_eq!(Command::<Verb>::parse(text.as_bytes()), Err(refusal), "{text}");
        }
    }
}
