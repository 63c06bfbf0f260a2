//! The verbs of ctl that only esp has, and its connect (ip(3); docs/raw.md).

use std::net::IpAddr;

use netrelay_proto::error::Refusal;

use super::algorithms::{Authentication, Cipher, Known, authentication, cipher};
use crate::net::address::ip;
use crate::net::ctl::{Verbs, Word};

/// A command that parsed.
#[derive(Debug)]
pub(crate) enum Verb {
    /// Make an association of that index; without one an incoming one, whose index is chosen.
    Associate {
        /// The other end.
        remote: IpAddr,
        /// What the other end has chosen.
        index: Option<u32>,
    },
    /// Use a cipher, or none.
    Encrypt(Option<Cipher>),
    /// Use an authentication, or none.
    Authenticate(Option<Authentication>),
    /// Put the next header before payloads, or not.
    Header(bool),
}

impl Verbs for Verb {
    fn parse(verb: &str, arguments: &[Word<'_>]) -> Result<Option<Self>, Refusal> {
        Ok(match verb {
            "connect" => match arguments {
                [whom] => Some(associate(whom)?),
                _ => return Err(Refusal::BAD_ARGS_TO_CONNECT),
            },
            "announce" => return Err(Refusal::NO_ANNOUNCE),
            "esp" => Some(Self::Encrypt(made(arguments, cipher)?)),
            "ah" => Some(Self::Authenticate(made(arguments, authentication)?)),
            "header" => Some(Self::Header(true)),
            "noheader" => Some(Self::Header(false)),
            _ => None,
        })
    }
}

fn associate(whom: &str) -> Result<Verb, Refusal> {
    let (host, index) = whom.split_once('!').ok_or(Refusal::MALFORMED_ADDRESS)?;
    let remote = ip(host)?;
    if index == "*" {
        return Ok(Verb::Associate { remote, index: None });
    }
    if index.is_empty() || !index.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::MALFORMED_ADDRESS);
    }
    let index = index.parse().map_err(|_| Refusal::MALFORMED_ADDRESS)?;
    Ok(Verb::Associate { remote, index: Some(index) })
}

/// What a name and a key make.
fn made<Made>(
    arguments: &[Word<'_>],
    known: impl Fn(&str) -> Option<Known<Made>>,
) -> Result<Option<Made>, Refusal> {
    let (name, key) = match arguments {
        [name] => (name, ""),
        [name, key] => (name, key.as_ref()),
        _ => return Err(Refusal::BAD_FORMAT),
    };
    let (size, make) = known(name).ok_or(Refusal::UNKNOWN_ALGORITHM)?;
    if !key.is_ascii() {
        return Err(Refusal::KEY_NOT_HEX);
    }
    if key.len() != 2 * size {
        return Err(Refusal::KEY_LENGTH);
    }
    let digit =
        |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pairs = key.as_bytes().as_chunks::<2>().0;
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    // The last two digits are the first byte.
    let key: Option<Vec<u8>> = pairs.iter().rev().map(byte).collect();
    Ok(make(&key.ok_or(Refusal::KEY_NOT_HEX)?))
}
