//! The verbs of ctl that only tcp has (ip(3); docs/tree.md, section 5).

use std::time::Duration;

use netrelay_proto::error::Refusal;

use crate::net::ctl::{Verbs, Word, number};

/// A command that parsed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verb {
    /// End both directions behind what is written.
    Close,
    /// End the direction to the other end behind what is written.
    ShutdownWrite,
    /// Probe the other end after so long a silence; needs Connected.
    Keepalive(Duration),
}

impl Verbs for Verb {
    fn parse(verb: &str, arguments: &[Word<'_>]) -> Result<Option<Self>, Refusal> {
        match verb {
            "close" => Ok(Some(Self::Close)),
            "shutdown" => match arguments {
                [direction] if direction == "write" => Ok(Some(Self::ShutdownWrite)),
                _ => Err(Refusal::BAD_ARGS_TO_SHUTDOWN),
            },
            "keepalive" => number(arguments, DEFAULT_KEEPALIVE, MOST_KEEPALIVE)
                .map(|ms| Some(Self::Keepalive(Duration::from_millis(ms.into()))))
                .ok_or(Refusal::BAD_ARGS_TO_KEEPALIVE),
            _ => Ok(None),
        }
    }
}

/// The original's interval, in milliseconds.
const DEFAULT_KEEPALIVE: u32 = 120_000;
/// Milliseconds that fit the original's signed number.
const MOST_KEEPALIVE: u32 = 0x7fff_ffff;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::ctl::Command;

    #[test]
    fn verbs_parse() {
        let ms = |ms| Verb::Keepalive(Duration::from_millis(ms));
        let table = [
            ("close", Verb::Close),
            ("close now", Verb::Close),
            ("shutdown write", Verb::ShutdownWrite),
            ("keepalive", ms(120_000)),
            ("keepalive 1", ms(1)),
            ("keepalive 0", ms(0)),
            ("keepalive 2147483647", ms(2_147_483_647)),
        ];
        for (text, verb) in table {
            assert_eq!(Command::parse(text.as_bytes()), Ok(Command::Own(verb)), "{text}");
        }
    }

    #[test]
    fn verbs_that_do_not_parse_say_why() {
        let table = [
            ("shutdown", Refusal::BAD_ARGS_TO_SHUTDOWN),
            ("shutdown read", Refusal::BAD_ARGS_TO_SHUTDOWN),
            ("shutdown write read", Refusal::BAD_ARGS_TO_SHUTDOWN),
            ("keepalive x", Refusal::BAD_ARGS_TO_KEEPALIVE),
            ("keepalive 1 2", Refusal::BAD_ARGS_TO_KEEPALIVE),
            ("keepalive 2147483648", Refusal::BAD_ARGS_TO_KEEPALIVE),
            ("headers", Refusal::UNKNOWN_CONTROL),
        ];
        for (text, refusal) in table {
            assert_eq!(Command::<Verb>::parse(text.as_bytes()), Err(refusal), "{text}");
        }
    }
}
