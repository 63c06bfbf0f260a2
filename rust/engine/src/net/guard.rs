//! Which addresses may be dialled (docs/tree.md, section 8).
//!
//! An importer must not reach through the gateway what only the gateway itself should: its loopback,
//! its neighbours on the link, the metadata service of a cloud. The check is on the numeric address
//! that is about to be dialled, after resolution and with IPv4-mapped forms unmapped, so that no
//! name and no spelling gets around it. The refusal does not say which rule it was.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use netrelay_proto::error::Refusal;

/// The guard of one gateway.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    allowed: Vec<Prefix>,
}

impl Guard {
    /// Guards all that the page lists but for the prefixes `allowed`: `addr/length`, or an address.
    ///
    /// # Errors
    /// One is no prefix.
    pub(crate) fn new(allowed: &[String]) -> Result<Self, NotAPrefix> {
        let prefix = |text: &String| Prefix::parse(text).ok_or_else(|| NotAPrefix(text.clone()));
        Ok(Self { allowed: allowed.iter().map(prefix).collect::<Result<_, _>>()? })
    }

    /// Checks that `address` may be dialled.
    ///
    /// # Errors
    /// `permission denied`.
    pub(crate) fn check(&self, address: IpAddr) -> Result<(), Refusal> {
        let address = address.to_canonical();
        if !guarded(address) || self.allowed.iter().any(|prefix| prefix.holds(address)) {
            return Ok(());
        }
        Err(Refusal::PERMISSION_DENIED)
    }
}

/// A text that should be an address or `addr/length`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct NotAPrefix(String);

impl fmt::Display for NotAPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an address prefix: {:?}", self.0)
    }
}

impl std::error::Error for NotAPrefix {}

/// An address and how many of its first bits count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Prefix {
    address: IpAddr,
    length: u32,
}

impl Prefix {
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let parsed: IpAddr = address.parse().ok()?;
        let bits = width(parsed);
        let length = match length {
            Some(length) if !length.bytes().all(|byte| byte.is_ascii_digit()) => return None,
            Some(length) => length.parse().ok().filter(|length| *length <= bits)?,
            None => bits,
        };
        // A prefix of IPv4-mapped addresses is one of IPv4, when it is of those alone.
        let canonical = parsed.to_canonical();
        match length.checked_sub(bits - width(canonical)) {
            Some(length) => Some(Self { address: canonical, length }),
            None => Some(Self { address: parsed, length }),
        }
    }

    fn holds(self, address: IpAddr) -> bool {
        let differing = match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                u128::from(own.to_bits() ^ other.to_bits()) << 96
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => own.to_bits() ^ other.to_bits(),
            _ => return false,
        };
        differing.leading_zeros() >= self.length
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// What the page lists; the address is not IPv4-mapped.
fn guarded(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(four) => four.is_link_local(),
        IpAddr::V6(six) => six.is_unicast_link_local() || six == METADATA,
    };
    link_local || address.is_loopback() || address.is_unspecified() || address.is_multicast()
}

/// The IPv6 address of a cloud's metadata service; its IPv4 one is link-local.
const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allowed: &[&str]) -> Guard {
        let allowed: Vec<_> = allowed.iter().map(|text| (*text).to_owned()).collect();
        Guard::new(&allowed).unwrap()
    }

    fn allows(guard: &Guard, address: &str) -> bool {
        match guard.check(address.parse().unwrap()) {
            Ok(()) => true,
            Err(refusal) => {
                assert_eq!(refusal, Refusal::PERMISSION_DENIED);
                false
            }
        }
    }

    #[test]
    fn addresses_of_the_list_are_refused() {
        let refused = [
            "127.0.0.1",
            "127.255.255.255",
            "::1",
            "0.0.0.0",
            "::",
            "169.254.0.0",
            "169.254.169.254",
            "169.254.255.255",
            "fe80::1",
            "febf::1",
            "224.0.0.1",
            "239.255.255.255",
            "ff02::1",
            "fd00:ec2::254",
            "::ffff:127.0.0.1",
            "::ffff:0.0.0.0",
            "::ffff:169.254.169.254",
            "::ffff:224.0.0.1",
        ];
        for address in refused {
            assert!(!allows(&guard(&[]), address), "{address}");
        }
    }

    #[test]
    fn all_other_addresses_are_allowed() {
        let allowed = [
            "10.0.0.1",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "223.255.255.255",
            "240.0.0.1",
            "2001:db8::1",
            "fe7f::1",
            "fec0::1",
            "fd00:ec2::253",
            "::2",
            "::ffff:10.0.0.1",
        ];
        for address in allowed {
            assert!(allows(&guard(&[]), address), "{address}");
        }
    }

    #[test]
    fn allowed_prefixes_open_what_they_hold_and_no_more() {
        let table: [(&str, &str, &str); 8] = [
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("127.0.0.0/24", "127.0.0.200", "127.0.1.0"),
            ("127.0.0.9/24", "127.0.0.200", "127.0.1.0"),
            ("127.0.0.1/32", "::ffff:127.0.0.1", "::1"),
            ("::1/128", "::1", "127.0.0.1"),
            ("0.0.0.0/0", "127.0.0.1", "::1"),
            ("::/0", "::1", "127.0.0.1"),
            ("::ffff:127.0.0.0/104", "127.9.9.9", "169.254.1.1"),
        ];
        for (prefix, inside, outside) in table {
            let guard = guard(&[prefix]);
            assert!(allows(&guard, inside), "{prefix} {inside}");
            assert!(!allows(&guard, outside), "{prefix} {outside}");
        }
        let both = guard(&["127.0.0.1", "::1"]);
        assert!(allows(&both, "127.0.0.1") && allows(&both, "::1"));
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        let texts = ["", "x", "localhost", "127.0.0.1/33", "::1/129", "127.0.0.1/", "127.0.0.1/+8"];
        for text in texts.into_iter().chain(["127.0.0.1/8/8", "127.1/8", "/8", "10.0.0.1/-1"]) {
            let error = Guard::new(&[text.to_owned()]).unwrap_err();
            assert_eq!(error.to_string(), format!("not an address prefix: {text:?}"));
        }
    }
}
