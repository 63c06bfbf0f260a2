//! Addresses in ctl commands and in local and remote: reading and printing them.
//!
//! Literals only: names are cs's business, before a command is written. An IPv4-mapped address is
//! the IPv4 address everywhere, so that a guard or a comparison never meets two spellings. Printing
//! follows the original's `%I`, which shortens even a single group of zeros.
//!
//! Whether an address is local or may be dialled is not known here.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use netrelay_proto::error::Refusal;

/// Where a connect goes: `addr!port[!r]`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Remote {
    /// Address and port; never an IPv4-mapped address.
    pub(crate) socket: SocketAddr,
    /// `!r`: the local port is to be a restricted one, 600 to 1023.
    pub(crate) restricted: bool,
}

/// The local end of an announce, bind or connect: `[addr!]port[!r]`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Local {
    /// None is any address: not given, `*`, `::` or `0.0.0.0`.
    pub(crate) address: Option<IpAddr>,
    /// 0 lets the host choose.
    pub(crate) port: u16,
    /// `!r`: a port that the host chooses is to be a restricted one, 600 to 1023.
    pub(crate) restricted: bool,
}

impl Remote {
    /// Reads `addr!port[!r]`.
    ///
    /// # Errors
    /// `malformed address` without `!`, `bad ip address syntax`, `bad numeric port`.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let (address, port) = text.split_once('!').ok_or(Refusal::MALFORMED_ADDRESS)?;
        let address = ip(address)?;
        let (port, restricted) = match port.strip_suffix("!r") {
            Some(port) => (port, true),
            None => (port, false),
        };
        Ok(Self { socket: SocketAddr::new(address, number(port)?), restricted })
    }
}

impl Local {
    /// Reads `[addr!]port[!r]`.
    ///
    /// # Errors
    /// `bad ip address syntax`, `bad numeric port`; `permission denied` for `*` as port, which
    /// asks for every one.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let (text, restricted) = match text.strip_suffix("!r") {
            Some(text) => (text, true),
            None => (text, false),
        };
        let (address, port) = match text.split_once('!') {
            Some((address, port)) => (any_or_ip(address)?, port),
            None => (None, text),
        };
        if port == "*" {
            return Err(Refusal::PERMISSION_DENIED);
        }
        Ok(Self { address, port: number(port)?, restricted })
    }
}

/// An address literal: four decimal numbers without leading zeros, or RFC 4291's forms without a
/// zone. IPv4-mapped ones are given as IPv4.
///
/// # Errors
/// `bad ip address syntax`.
pub(crate) fn ip(text: &str) -> Result<IpAddr, Refusal> {
    text.parse::<IpAddr>().map(|address| address.to_canonical()).map_err(|_| Refusal::BAD_IP)
}

/// `%I`: dotted for IPv4 and IPv4-mapped, else lowercase groups with the first longest run of zero
/// groups as `::`, were it a single one.
pub(crate) fn print(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(four) => four.to_string(),
        IpAddr::V6(six) => print_six(six),
    }
}

/// The text of local and remote: `addr!port` and a newline, `::` for any address, `::!0` for none.
pub(crate) fn endpoint(socket: Option<SocketAddr>) -> String {
    let mut text = bare_endpoint(socket);
    text.push('\n');
    text
}

/// As [`endpoint`], without the newline.
pub(crate) fn bare_endpoint(socket: Option<SocketAddr>) -> String {
    let Some(socket) = socket else {
        return "::!0".into();
    };
    let address = socket.ip().to_canonical();
    if address.is_unspecified() {
        return format!("::!{}", socket.port());
    }
    format!("{}!{}", print(address), socket.port())
}

fn any_or_ip(text: &str) -> Result<Option<IpAddr>, Refusal> {
    if text == "*" {
        return Ok(None);
    }
    Ok(Some(ip(text)?).filter(|address| !address.is_unspecified()))
}

/// A port: decimal digits, at most 65535.
fn number(text: &str) -> Result<u16, Refusal> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_err(|_| Refusal::BAD_PORT);
    }
    Err(Refusal::BAD_PORT)
}

fn print_six(address: Ipv6Addr) -> String {
    let groups = address.segments();
    let (start, length) = longest_zeros(&groups);
    let mut text = String::new();
    for (index, group) in groups.iter().enumerate() {
        if length > 0 && index == start {
            text.push_str("::");
        } else if index < start || index >= start + length {
            if index > 0 && index != start + length {
                text.push(':');
            }
            // Writing to a string does not fail.
            let _ = write!(text, "{group:x}");
        }
    }
    text
}

/// Begin and length of the first longest run of zero groups; begin 8 when there is none.
fn longest_zeros(groups: &[u16; 8]) -> (usize, usize) {
    let mut best = (groups.len(), 0);
    let mut run = 0;
    for (index, group) in groups.iter().enumerate() {
        run = if *group == 0 { run + 1 } else { 0 };
        if run > best.1 {
            best = (index + 1 - run, run);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(text: &str) -> Result<(String, bool), Refusal> {
        Remote::parse(text).map(|remote| (remote.socket.to_string(), remote.restricted))
    }

    #[test]
    fn remotes_are_an_address_and_a_port() {
        let table = [
            ("10.0.0.1!564", "10.0.0.1:564", false),
            ("10.0.0.1!0564", "10.0.0.1:564", false),
            ("10.0.0.1!22!r", "10.0.0.1:22", true),
            ("::1!65535", "[::1]:65535", false),
            ("::ffff:10.0.0.1!0", "10.0.0.1:0", false),
            ("::FFFF:a00:1!1", "10.0.0.1:1", false),
            ("2001:DB8::5!80", "[2001:db8::5]:80", false),
        ];
        for (text, socket, restricted) in table {
            assert_eq!(remote(text), Ok((socket.to_owned(), restricted)), "{text}");
        }
    }

    #[test]
    fn remotes_that_do_not_parse_say_why() {
        let table = [
            ("1.2.3.4", Refusal::MALFORMED_ADDRESS),
            ("", Refusal::MALFORMED_ADDRESS),
            ("x!1", Refusal::BAD_IP),
            ("!1", Refusal::BAD_IP),
            ("*!1", Refusal::BAD_IP),
            ("1.2.3!1", Refusal::BAD_IP),
            ("01.2.3.4!1", Refusal::BAD_IP),
            ("1.2.3.256!1", Refusal::BAD_IP),
            ("fe80::1%eth0!1", Refusal::BAD_IP),
            ("[::1]!1", Refusal::BAD_IP),
            ("x!y", Refusal::BAD_IP),
            ("1.2.3.4!", Refusal::BAD_PORT),
            ("1.2.3.4!http", Refusal::BAD_PORT),
            ("1.2.3.4!+1", Refusal::BAD_PORT),
            ("1.2.3.4!65536", Refusal::BAD_PORT),
            ("1.2.3.4!99999999999999999999", Refusal::BAD_PORT),
            ("1.2.3.4!80!x", Refusal::BAD_PORT),
            ("1.2.3.4!80!", Refusal::BAD_PORT),
            ("1.2.3.4!!r", Refusal::BAD_PORT),
            ("1.2.3.4!*", Refusal::BAD_PORT),
            ("1.2.3.4!r", Refusal::BAD_PORT),
        ];
        for (text, refusal) in table {
            assert_eq!(remote(text), Err(refusal), "{text}");
        }
    }

    #[test]
    fn locals_may_leave_the_address_out() {
        let four: IpAddr = "10.0.0.1".parse().unwrap();
        let table = [
            ("80", None, 80, false),
            ("0", None, 0, false),
            ("*!80", None, 80, false),
            ("::!80", None, 80, false),
            ("0.0.0.0!80", None, 80, false),
            ("::ffff:0.0.0.0!80", None, 80, false),
            ("10.0.0.1!80", Some(four), 80, false),
            ("::ffff:10.0.0.1!80", Some(four), 80, false),
            ("10.0.0.1!0!r", Some(four), 0, true),
            ("0!r", None, 0, true),
        ];
        for (text, address, port, restricted) in table {
            assert_eq!(Local::parse(text), Ok(Local { address, port, restricted }), "{text}");
        }
    }

    #[test]
    fn locals_that_do_not_parse_say_why() {
        let table = [
            ("", Refusal::BAD_PORT),
            ("http", Refusal::BAD_PORT),
            ("*", Refusal::PERMISSION_DENIED),
            ("*!*", Refusal::PERMISSION_DENIED),
            ("10.0.0.1!*!r", Refusal::PERMISSION_DENIED),
            ("65536", Refusal::BAD_PORT),
            ("10.0.0.1!", Refusal::BAD_PORT),
            ("10.0.0.1!80!x", Refusal::BAD_PORT),
            ("10.0.0.1!!r", Refusal::BAD_PORT),
            ("!80", Refusal::BAD_IP),
            ("x!80", Refusal::BAD_IP),
            ("x!*", Refusal::BAD_IP),
            ("x!y", Refusal::BAD_IP),
        ];
        for (text, refusal) in table {
            assert_eq!(Local::parse(text), Err(refusal), "{text}");
        }
    }

    #[test]
    fn addresses_print_as_the_original_prints_them() {
        let table = [
            ("10.1.2.3", "10.1.2.3"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("::", "::"),
            ("::1", "::1"),
            ("1::", "1::"),
            ("2001:db8::5", "2001:db8::5"),
            ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
            ("1:0:3:4:5:6:7:8", "1::3:4:5:6:7:8"),
            ("0:2:3:4:5:6:7:8", "::2:3:4:5:6:7:8"),
            ("1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7::"),
            ("1:0:0:4:0:0:0:8", "1:0:0:4::8"),
            ("1:0:0:4:5:0:0:8", "1::4:5:0:0:8"),
            ("::127.0.0.1", "::7f00:1"),
            ("FE80::ABCD", "fe80::abcd"),
        ];
        for (address, text) in table {
            assert_eq!(print(address.parse().unwrap()), text);
        }
    }

    #[test]
    fn endpoints_print_any_and_none_as_colons() {
        let table = [
            ("0.0.0.0:564", "::!564\n"),
            ("[::]:564", "::!564\n"),
            ("10.1.2.3:1", "10.1.2.3!1\n"),
            ("[::ffff:10.1.2.3]:1", "10.1.2.3!1\n"),
            ("[2001:db8::5]:80", "2001:db8::5!80\n"),
        ];
        for (socket, text) in table {
            assert_eq!(endpoint(Some(socket.parse().unwrap())), text);
        }
        assert_eq!(endpoint(None), "::!0\n");
        assert_eq!(bare_endpoint(None), "::!0");
    }
}
