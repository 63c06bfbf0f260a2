//! The grammar of ctl: one command a write (ip(3); docs/tree.md, section 5).
//!
//! What all protocols share of it; each has [`Verbs`] of its own besides. Parsing knows no state: a
//! command that does not parse is refused for that, whatever the conversation does at the time, and
//! one that parses may still come at the wrong time, which its conversation says.

use std::borrow::Cow;
use std::net::IpAddr;

use netrelay_proto::error::Refusal;
use rustix::net::AddressFamily;

use super::address::{Local, Remote};
use super::sockets::family;

/// A command that parsed; `Own` are those of one protocol alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Command<Own> {
    /// Place a call; needs Idle.
    Connect {
        /// Where to.
        remote: Remote,
        /// From where, if said.
        local: Option<Local>,
    },
    /// Take calls; needs Idle.
    Announce(Local),
    /// Choose the local end of a later connect; needs Idle.
    Bind(Local),
    /// Make an abrupt end.
    Hangup,
    /// Hops that packets may take.
    Ttl(u8),
    /// The type of service of packets.
    Tos(u8),
    /// What ICMP says does not end the call.
    IgnoreAdvice,
    /// One of the protocol's own.
    Own(Own),
}

/// The verbs of one protocol alone, and the words behind them.
pub(crate) trait Verbs: Sized {
    /// The refusal of a verb that the protocol does not have.
    const UNKNOWN: Refusal = Refusal::UNKNOWN_CONTROL;

    /// The command, or none if the verb is not of this protocol.
    ///
    /// # Errors
    /// The texts of docs/tree.md.
    fn parse(verb: &str, arguments: &[Word<'_>]) -> Result<Option<Self>, Refusal>;
}

/// A word of a control message, unquoted.
pub(crate) type Word<'a> = Cow<'a, str>;

impl<Own: Verbs> Command<Own> {
    /// The command in one write to ctl. `hangup` and `ignoreadvice` take no words and ignore those
    /// that come.
    ///
    /// # Errors
    /// The texts of docs/tree.md, section 5.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Refusal> {
        // What is no UTF-8 is no word of ours; its replacement is none either.
        let text = String::from_utf8_lossy(text);
        let words = words(&text);
        let (verb, arguments) = words.split_first().ok_or(Refusal::SHORT_CONTROL)?;
        if let Some(own) = Own::parse(verb, arguments)? {
            return Ok(Self::Own(own));
        }
        match verb.as_ref() {
            "connect" => connect(arguments),
            "announce" => match arguments {
                [local] => Local::parse(local).map(Self::Announce),
                _ => Err(Refusal::BAD_ARGS_TO_ANNOUNCE),
            },
            "bind" => match arguments {
                [local] => Local::parse(local).map(Self::Bind),
                _ => Err(Refusal::BAD_ARGS_TO_BIND),
            },
            "hangup" => Ok(Self::Hangup),
            "ttl" => byte(arguments, DEFAULT_TTL).map(Self::Ttl).ok_or(Refusal::BAD_ARGS_TO_TTL),
            "tos" => byte(arguments, 0).map(Self::Tos).ok_or(Refusal::BAD_ARGS_TO_TOS),
            "ignoreadvice" => Ok(Self::IgnoreAdvice),
            _ => Err(Own::UNKNOWN),
        }
    }

    /// The addresses that are named in it.
    fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let addresses = match self {
            Self::Connect { remote, local } => {
                [Some(remote.socket.ip()), local.and_then(|local| local.address)]
            }
            Self::Announce(local) | Self::Bind(local) => [local.address, None],
            _ => [None, None],
        };
        addresses.into_iter().flatten()
    }

    /// Refuses one that names an address of another family.
    ///
    /// # Errors
    /// `bad ip address syntax`.
    pub(crate) fn check_family(&self, own: AddressFamily) -> Result<(), Refusal> {
        let foreign = self.addresses().any(|address| family(address) != own);
        if foreign { Err(Refusal::BAD_IP) } else { Ok(()) }
    }
}

/// Splits a control message at spaces, tabs, newlines and carriage returns. `'` quotes, anywhere in
/// a word; `''` within quotes is a quote, and quotes left open end with the text.
pub(crate) fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start_matches(SPACE);
    while !rest.is_empty() {
        let (word, left) = word(rest);
        words.push(word);
        rest = left.trim_start_matches(SPACE);
    }
    words
}

/// The first word of a text that begins with one, and what is behind it.
fn word(text: &str) -> (Word<'_>, &str) {
    let end = text.find(SPACE).unwrap_or(text.len());
    let (plain, rest) = text.split_at(end);
    if !plain.contains('\'') {
        return (Cow::Borrowed(plain), rest);
    }
    let mut word = String::new();
    let mut quoted = false;
    let mut letters = text.char_indices().peekable();
    while let Some((index, letter)) = letters.next() {
        match letter {
            '\'' if quoted && letters.peek().is_some_and(|(_, next)| *next == '\'') => {
                letters.next();
                word.push('\'');
            }
            '\'' => quoted = !quoted,
            _ if !quoted && SPACE.contains(&letter) => {
                return (Cow::Owned(word), text.get(index..).unwrap_or_default());
            }
            _ => word.push(letter),
        }
    }
    (Cow::Owned(word), "")
}

/// The words behind `connect`.
///
/// # Errors
/// The texts of docs/tree.md, section 5.
pub(crate) fn connect<Own>(arguments: &[Word<'_>]) -> Result<Command<Own>, Refusal> {
    let (remote, local) = match arguments {
        [remote] => (remote, None),
        [remote, local] => (remote, Some(local)),
        _ => return Err(Refusal::BAD_ARGS_TO_CONNECT),
    };
    let remote = Remote::parse(remote)?;
    let local = local.map(|local| Local::parse(local)).transpose()?;
    Ok(Command::Connect { remote, local })
}

/// The only argument as a number up to `most`, `default` when there is none.
pub(crate) fn number(arguments: &[Word<'_>], default: u32, most: u32) -> Option<u32> {
    let text = match arguments {
        [] => return Some(default),
        [text] => text,
        _ => return None,
    };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number <= most)
}

fn byte(arguments: &[Word<'_>], default: u8) -> Option<u8> {
    number(arguments, default.into(), u8::MAX.into()).and_then(|number| number.try_into().ok())
}

const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];
/// The original's.
const DEFAULT_TTL: u8 = 255;

#[cfg(test)]
mod tests {
    use super::*;

    /// A protocol with a verb of its own.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    struct Frob(u32);

    impl Verbs for Frob {
        fn parse(verb: &str, arguments: &[Word<'_>]) -> Result<Option<Self>, Refusal> {
            let frob = || number(arguments, 7, 2_147_483_647).map(Self).ok_or(Refusal::NOT_LOCAL);
            (verb == "frob").then(frob).transpose()
        }
    }

    fn parse(text: &[u8]) -> Result<Command<Frob>, Refusal> {
        Command::parse(text)
    }

    fn socket(text: &str) -> Remote {
        Remote { socket: text.parse().unwrap(), restricted: false }
    }

    #[test]
    fn words_are_split_at_white_space_and_quoted() {
        let table: [(&str, &[&str]); 12] = [
            ("", &[]),
            (" \t\r\n", &[]),
            ("connect 1!2\n", &["connect", "1!2"]),
            ("  a\tb\r\nc ", &["a", "b", "c"]),
            ("'a b' c", &["a b", "c"]),
            ("a'b c'd e", &["ab cd", "e"]),
            ("'it''s'", &["it's"]),
            ("''", &[""]),
            ("'' x", &["", "x"]),
            ("''''", &["'"]),
            ("'open end", &["open end"]),
            ("é'ü ß'", &["éü ß"]),
        ];
        for (text, expected) in table {
            assert_eq!(words(text), expected, "{text:?}");
        }
    }

    #[test]
    fn commands_parse() {
        let any = |port| Local { port, ..Local::default() };
        let here = Local { address: Some("10.0.0.9".parse().unwrap()), ..any(0) };
        let there = socket("10.0.0.1:564");
        let table = [
            ("connect 10.0.0.1!564", Command::Connect { remote: there, local: None }),
            ("connect 10.0.0.1!564\n", Command::Connect { remote: there, local: None }),
            ("'connect' '10.0.0.1!564'", Command::Connect { remote: there, local: None }),
            ("connect 10.0.0.1!564 77", Command::Connect { remote: there, local: Some(any(77)) }),
            (
                "connect 10.0.0.1!564 10.0.0.9!0",
                Command::Connect { remote: there, local: Some(here) },
            ),
            ("announce 564", Command::Announce(any(564))),
            ("announce *!564", Command::Announce(any(564))),
            ("announce 10.0.0.9!0", Command::Announce(here)),
            ("bind 10.0.0.9!0", Command::Bind(here)),
            ("hangup", Command::Hangup),
            ("hangup now", Command::Hangup),
            ("frob", Command::Own(Frob(7))),
            ("frob 0", Command::Own(Frob(0))),
            ("frob 2147483647", Command::Own(Frob(2_147_483_647))),
            ("ttl", Command::Ttl(255)),
            ("ttl 64", Command::Ttl(64)),
            ("ttl 0", Command::Ttl(0)),
            ("tos", Command::Tos(0)),
            ("tos 255", Command::Tos(255)),
            ("ignoreadvice", Command::IgnoreAdvice),
        ];
        for (text, command) in table {
            assert_eq!(parse(text.as_bytes()), Ok(command), "{text}");
        }
    }

    #[test]
    fn commands_that_do_not_parse_say_why() {
        let table = [
            ("", Refusal::SHORT_CONTROL),
            (" \n", Refusal::SHORT_CONTROL),
            ("frobnicate", Refusal::UNKNOWN_CONTROL),
            ("close", Refusal::UNKNOWN_CONTROL),
            ("Connect 1.2.3.4!5", Refusal::UNKNOWN_CONTROL),
            ("''", Refusal::UNKNOWN_CONTROL),
            ("connect", Refusal::BAD_ARGS_TO_CONNECT),
            ("connect 1.2.3.4!5 6 7", Refusal::BAD_ARGS_TO_CONNECT),
            ("connect 1.2.3.4", Refusal::MALFORMED_ADDRESS),
            ("connect x!1", Refusal::BAD_IP),
            ("connect 1.2.3.4!http", Refusal::BAD_PORT),
            ("connect 1.2.3.4!1 x!1", Refusal::BAD_IP),
            ("connect 1.2.3.4!1 *", Refusal::PERMISSION_DENIED),
            ("connect 1.2.3.4 x!1", Refusal::MALFORMED_ADDRESS),
            ("announce", Refusal::BAD_ARGS_TO_ANNOUNCE),
            ("announce 1 2", Refusal::BAD_ARGS_TO_ANNOUNCE),
            ("announce *", Refusal::PERMISSION_DENIED),
            ("announce *!*", Refusal::PERMISSION_DENIED),
            ("announce 10.0.0.1!*", Refusal::PERMISSION_DENIED),
            ("announce x!*", Refusal::BAD_IP),
            ("announce 1.2.3.4!x", Refusal::BAD_PORT),
            ("bind", Refusal::BAD_ARGS_TO_BIND),
            ("bind 1 2", Refusal::BAD_ARGS_TO_BIND),
            ("bind *", Refusal::PERMISSION_DENIED),
            ("frob x", Refusal::NOT_LOCAL),
            ("frob 1 2", Refusal::NOT_LOCAL),
            ("frob -1", Refusal::NOT_LOCAL),
            ("frob +1", Refusal::NOT_LOCAL),
            ("frob 2147483648", Refusal::NOT_LOCAL),
            ("ttl 1 2", Refusal::BAD_ARGS_TO_TTL),
            ("ttl 256", Refusal::BAD_ARGS_TO_TTL),
            ("ttl ''", Refusal::BAD_ARGS_TO_TTL),
            ("tos 1.5", Refusal::BAD_ARGS_TO_TOS),
        ];
        for (text, refusal) in table {
            assert_eq!(parse(text.as_bytes()), Err(refusal), "{text}");
        }
        assert_eq!(parse(b"\xff\xfe"), Err(Refusal::UNKNOWN_CONTROL));
        assert_eq!(parse(b"connect \xff!1"), Err(Refusal::BAD_IP));
    }
}
