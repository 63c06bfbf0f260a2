//! The commands of a slot's ctl (ether(3)).

use netrelay_proto::error::Refusal;

/// An Ethernet address.
pub(super) type Mac = [u8; 6];

/// One command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verb {
    /// Frames of a type, of all for -1, all as headers for -2.
    Connect(i32),
    Promiscuous,
    HeadersOnly,
    Bridge,
    Join(Mac),
    Leave(Mac),
    /// Accepted, as writing never blocks.
    NonBlocking,
}

/// What of a line is looked at.
const LONGEST: usize = 63;

impl Verb {
    /// The command of a line.
    ///
    /// # Errors
    /// `bad process or channel control request`; `bad address`.
    pub(super) fn parse(line: &[u8]) -> Result<Self, Refusal> {
        let line = line.get(..LONGEST).unwrap_or(line);
        let mut words = line.split(|byte| b" \t\n".contains(byte)).filter(|word| !word.is_empty());
        let (verb, argument) = (words.next().unwrap_or_default(), words.next());
        match verb {
            b"connect" => {
                let kind = argument.and_then(kind).ok_or(Refusal::BAD_CONTROL)?;
                Ok(Self::Connect(kind))
            }
            b"promiscuous" => Ok(Self::Promiscuous),
            b"headersonly" => Ok(Self::HeadersOnly),
            b"bridge" => Ok(Self::Bridge),
            b"addmulti" => argument.and_then(mac).map(Self::Join).ok_or(Refusal::BAD_ADDRESS),
            b"delmulti" | b"remmulti" => {
                argument.and_then(mac).map(Self::Leave).ok_or(Refusal::BAD_ADDRESS)
            }
            b"nonblocking" => Ok(Self::NonBlocking),
            _ => Err(Refusal::BAD_CONTROL),
        }
    }
}

fn kind(word: &[u8]) -> Option<i32> {
    let word = std::str::from_utf8(word).ok()?;
    let number = match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(digits) if digits.starts_with(['+', '-']) => None,
        Some(digits) => i32::from_str_radix(digits, 16).ok(),
        None if word.starts_with('+') => None,
        None => word.parse().ok(),
    };
    number.filter(|number| matches!(number, -2 | -1 | 1..=0xffff))
}

/// 12 hexadecimal digits; a colon may be between bytes.
fn mac(word: &[u8]) -> Option<Mac> {
    let mut address = Mac::default();
    let mut rest = word;
    for (index, place) in address.iter_mut().enumerate() {
        if index > 0 {
            rest = rest.strip_prefix(b":").unwrap_or(rest);
        }
        let (digits, behind) = rest.split_at_checked(2)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        *place = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        rest = behind;
    }
    rest.is_empty().then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_commands() {
        let own = [2, 0, 0, 0, 0xab, 1];
        let table: [(&[u8], Verb); 12] = [
            (b"connect 0x800", Verb::Connect(0x800)),
            (b"connect 2054\n", Verb::Connect(0x806)),
            (b"connect -1", Verb::Connect(-1)),
            (b"connect -2", Verb::Connect(-2)),
            (b" \tpromiscuous", Verb::Promiscuous),
            (b"headersonly", Verb::HeadersOnly),
            (b"bridge", Verb::Bridge),
            (b"addmulti 02000000ab01", Verb::Join(own)),
            (b"delmulti 02:00:00:00:AB:01", Verb::Leave(own)),
            (b"remmulti 02000000ab01", Verb::Leave(own)),
            (b"nonblocking", Verb::NonBlocking),
            (b"nonblocking 1", Verb::NonBlocking),
        ];
        for (line, verb) in table {
            assert_eq!(Verb::parse(line), Ok(verb), "{}", line.escape_ascii());
        }
        let padded = [b"connect 0x800".as_slice(), &[b' '; 50], b"x"].concat();
        assert_eq!(Verb::parse(&padded), Ok(Verb::Connect(0x800)));
    }

    #[test]
    fn what_is_none_is_refused() {
        let bad: [&[u8]; 12] = [
            b"",
            b"connect",
            b"connect 0",
            b"connect -3",
            b"connect 0x10000",
            b"connect 0x",
            b"connect +1",
            b"connect 0x+1",
            b"connect 0x-1",
            b"connect 1x",
            b"scanbs",
            b"Connect 1",
        ];
        for line in bad {
            assert_eq!(Verb::parse(line), Err(Refusal::BAD_CONTROL), "{}", line.escape_ascii());
        }
        let bad: [&[u8]; 6] = [
            b"addmulti",
            b"addmulti 02000000ab",
            b"addmulti 02000000ab01:",
            b"addmulti +2000000ab01",
            b"delmulti 0200:0000ab01f",
            b"delmulti :02000000ab01",
        ];
        for line in bad {
            assert_eq!(Verb::parse(line), Err(Refusal::BAD_ADDRESS), "{}", line.escape_ascii());
        }
    }
}
