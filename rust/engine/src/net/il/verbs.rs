//! The verbs of ctl that only il has (ip(3); docs/il.md, section 10).

use netrelay_proto::error::Refusal;

use crate::net::address::{Local, Remote};
use crate::net::ctl::{Command, Verbs, Word, connect, number};

/// A command that parsed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verb {
    /// Call, and give up if there is no answer at once.
    ConnectFast {
        /// Where to.
        remote: Remote,
        /// From where, if said.
        local: Option<Local>,
    },
    /// Nothing, as an idle conversation asks by itself; needs Connected.
    Keepalive,
}

impl Verbs for Verb {
    fn parse(verb: &str, arguments: &[Word<'_>]) -> Result<Option<Self>, Refusal> {
        match (verb, arguments) {
            ("connect", [remote, rest @ ..]) => {
                let Some(remote) = remote.strip_suffix(HURRY) else { return Ok(None) };
                let mut arguments = vec![Word::Borrowed(remote)];
                arguments.extend_from_slice(rest);
                match connect::<Self>(&arguments)? {
                    Command::Connect { remote, local } => {
                        Ok(Some(Self::ConnectFast { remote, local }))
                    }
                    _ => Ok(None),
                }
            }
            ("keepalive", arguments) => number(arguments, DEFAULT_KEEPALIVE, MOST_KEEPALIVE)
                .map(|_| Some(Self::Keepalive))
                .ok_or(Refusal::BAD_ARGS_TO_KEEPALIVE),
            _ => Ok(None),
        }
    }
}

/// Behind the remote end.
const HURRY: &str = "!fasttimeout";
/// The original's interval, in milliseconds.
const DEFAULT_KEEPALIVE: u32 = 120_000;
/// Milliseconds that fit the original's signed number.
const MOST_KEEPALIVE: u32 = 0x7fff_ffff;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_parse() {
        let remote = Remote { socket: "10.0.0.1:564".parse().unwrap(), restricted: false };
        let from = Some(Local { port: 77, ..Local::default() });
        let fast = |local| Command::Own(Verb::ConnectFast { remote, local });
        let table = [
            ("connect 10.0.0.1!564!fasttimeout", fast(None)),
            ("connect 10.0.0.1!564!fasttimeout 77", fast(from)),
            ("connect 10.0.0.1!564 77", Command::Connect { remote, local: from }),
            ("keepalive", Command::Own(Verb::Keepalive)),
            ("keepalive 1", Command::Own(Verb::Keepalive)),
        ];
        for (text, command) in table {
            assert_eq!(Command::parse(text.as_bytes()), Ok(command), "{text}");
        }
    }

    #[test]
    fn verbs_that_do_not_parse_say_why() {
        let table = [
            ("connect", Refusal::BAD_ARGS_TO_CONNECT),
            ("connect !fasttimeout", Refusal::MALFORMED_ADDRESS),
            ("connect 10.0.0.1!x!fasttimeout", Refusal::BAD_PORT),
            ("connect 10.0.0.1!1!fasttimeout 2 3", Refusal::BAD_ARGS_TO_CONNECT),
            ("keepalive x", Refusal::BAD_ARGS_TO_KEEPALIVE),
            ("close", Refusal::UNKNOWN_CONTROL),
        ];
        for (text, refusal) in table {
            assert_eq!(Command::<Verb>::parse(text.as_bytes()), Err(refusal), "{text}");
        }
    }
}
