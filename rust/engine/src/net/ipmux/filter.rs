//! What connect asks for: a filter of IP packets (ip(3); docs/raw.md).
//!
//! `proto=29|3a;dst=10.0.0.1&255.255.255.0;data[0:1]=6000`. A filter is clauses, all of which must
//! hold, and a clause is bytes of the packet under a mask, which must be one of its values. Bytes in,
//! yes or no out: nothing here knows a socket.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::net::address::ip;

/// Packets of one version of IP, of these protocols, for which every clause holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Filter {
    pub(crate) version: &'static Version,
    pub(crate) protocols: Vec<u8>,
    clauses: Vec<Clause>,
}

/// Where the fields of an IP header are, and what the host has itself.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Version {
    pub(crate) number: u8,
    pub(crate) header: usize,
    /// Bytes of an address.
    pub(crate) address: usize,
    pub(crate) protocol: usize,
    pub(crate) source: usize,
    pub(crate) destination: usize,
    /// These would be copied, and can't be diverted. Of IPv6 what may stand between its header and
    /// another protocol, too.
    of_host: &'static [u8],
}

pub(crate) const V4: Version = Version {
    number: 4,
    header: 20,
    address: 4,
    protocol: 9,
    source: 12,
    destination: 16,
    of_host: &[0, 1, 2, 6, 17],
};

pub(crate) const V6: Version = Version {
    number: 6,
    header: 40,
    address: 16,
    protocol: 6,
    source: 8,
    destination: 24,
    of_host: &[0, 6, 17, 43, 44, 58, 60],
};

/// What a clause is about, in the original's order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Kind {
    Protocol,
    Data,
    Header,
    Destination,
    Source,
    Interface,
}

/// Bytes and what they may be; `at` counts from the begin of the header, or behind it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Clause {
    kind: Kind,
    at: usize,
    mask: Vec<u8>,
    values: Vec<Vec<u8>>,
}

impl Filter {
    /// The word behind connect; none if it does not parse.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let parts = text.split(';').map(trim).filter(|part| !part.is_empty());
        let parts: Option<Vec<_>> = parts.map(|part| part.split_once('=')).collect();
        let parts = parts.filter(|parts| parts.len() <= MOST_CLAUSES)?;
        let halves = || parts.iter().map(|(name, value)| (trim(name), trim(value)));
        let versions: Vec<_> = halves().filter(|half| half.0 == "ver").map(|half| half.1).collect();
        let version = match versions[..] {
            [] | ["4"] => &V4,
            ["6"] => &V6,
            _ => return None,
        };
        let clauses = halves().filter(|half| half.0 != "ver");
        let clauses: Option<Vec<_>> =
            clauses.map(|(name, text)| Clause::parse(name, text, version)).collect();
        let mut clauses = clauses?;
        let mut about = clauses.iter().filter(|clause| clause.kind == Kind::Protocol);
        let (about, None) = (about.next()?, about.next()) else { return None };
        let mut protocols = Vec::new();
        for protocol in about.values.iter().flatten() {
            if version.of_host.contains(protocol) {
                return None;
            }
            if !protocols.contains(protocol) {
                protocols.push(*protocol);
            }
        }
        clauses.sort_by_key(Clause::rank);
        Some(Self { version, protocols, clauses })
    }

    /// Whether a packet is wanted that came by an interface with the address `here`.
    pub(crate) fn accepts(&self, packet: &[u8], here: Option<IpAddr>) -> bool {
        let words = packet.first().map_or(0, |first| usize::from(first & 15));
        let begin = if *self.version == V4 { 4 * words } else { self.version.header };
        let here = here.map_or_else(|| vec![0; self.version.address], octets);
        self.clauses.iter().all(|clause| clause.holds(packet, begin, &here))
    }

    /// The filter as status has it, a line a clause.
    pub(crate) fn text(&self) -> String {
        self.clauses.iter().map(|clause| clause.text(self.version)).collect()
    }
}

impl Clause {
    fn parse(name: &str, text: &str, version: &Version) -> Option<Self> {
        let (values, mask) = match text.split_once('&') {
            Some((values, mask)) => (values, Some(trim(mask))),
            None => (text, None),
        };
        let (kind, at, size) = match name {
            "dst" => (Kind::Destination, version.destination, version.address),
            "src" => (Kind::Source, version.source, version.address),
            "ifc" => (Kind::Interface, 0, version.address),
            "proto" if mask.is_none() => (Kind::Protocol, version.protocol, 1),
            _ => range(name)?,
        };
        let addresses = matches!(kind, Kind::Destination | Kind::Source | Kind::Interface);
        let value = |text: &str| {
            if addresses {
                Some(octets(ip(text).ok()?)).filter(|octets| octets.len() == version.address)
            } else {
                hexadecimal(text, size)
            }
        };
        let values = values.split('|').map(trim).filter(|text| !text.is_empty());
        let values = values.map(value).collect::<Option<Vec<_>>>()?;
        if values.is_empty() || values.len() > MOST_VALUES {
            return None;
        }
        let mask = mask.map_or_else(|| Some(vec![0xff; size]), value)?;
        Some(Self { kind, at, mask, values })
    }

    /// Earlier bytes first, then longer ones, then larger masks.
    fn rank(&self) -> impl Ord + use<> {
        use std::cmp::Reverse;
        (self.kind, self.at, Reverse(self.mask.len()), Reverse(self.mask.clone()))
    }

    /// Whether a packet whose data begin there has one of the values.
    fn holds(&self, packet: &[u8], begin: usize, here: &[u8]) -> bool {
        let seen = match self.kind {
            Kind::Interface => Some(here),
            Kind::Data => packet.get(begin + self.at..),
            _ => packet.get(self.at..),
        };
        let Some(seen) = seen.and_then(|seen| seen.get(..self.mask.len())) else { return false };
        let masked = seen.iter().zip(&self.mask).map(|(byte, mask)| byte & mask);
        self.values.contains(&masked.collect())
    }

    /// A line of status; an address of the interface is ahead of the packet.
    fn text(&self, version: &Version) -> String {
        let size = self.mask.len();
        let mut text = match self.kind {
            Kind::Interface => format!("h[-{size}:-1]&"),
            Kind::Data => ends(self.at + version.header, size),
            _ => ends(self.at, size),
        };
        hex(&mut text, &self.mask);
        text.push('=');
        for value in &self.values {
            hex(&mut text, value);
            text.push('|');
        }
        text.push('\n');
        text
    }
}

/// `data[N:M]`, `data[N]` and the same of `iph`: what, where, and how long it is.
fn range(name: &str) -> Option<(Kind, usize, usize)> {
    let (what, rest) = name.split_once('[')?;
    let kind = match what {
        "data" => Kind::Data,
        "iph" => Kind::Header,
        _ => return None,
    };
    let inner = rest.strip_suffix(']')?;
    let (first, last) = inner.split_once(':').unwrap_or((inner, inner));
    let (first, last) = (decimal(first)?, decimal(last)?);
    (first <= last && last <= MOST).then_some((kind, first, last + 1 - first))
}

fn decimal(text: &str) -> Option<usize> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// Hexadecimal bytes, with zeros behind them if they are fewer than that.
fn hexadecimal(text: &str, size: usize) -> Option<Vec<u8>> {
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    if pairs.is_empty() || pairs.len() > size || !odd.is_empty() {
        return None;
    }
    let digit =
        |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    let mut bytes = pairs.iter().map(byte).collect::<Option<Vec<_>>>()?;
    bytes.resize(size, 0);
    Some(bytes)
}

fn ends(begin: usize, size: usize) -> String {
    format!("h[{begin}:{}]&", begin + size - 1)
}

fn hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(four) => four.octets().into(),
        IpAddr::V6(six) => six.octets().into(),
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

const MOST_CLAUSES: usize = 10;
const MOST_VALUES: usize = 20;

/// The last byte that `data` and `iph` may name.
const MOST: usize = 44;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_parse_is_no_filter() {
        for text in [
            "",
            "proto",
            "proto=",
            "proto=6",
            "proto=06",
            "proto=2",
            "proto=2g",
            "proto=292",
            "proto=29;proto=2f",
            "proto=29&ff",
            "ver=5;proto=29",
            "ver=4;ver=4;proto=29",
            "ver=6;proto=3a",
            "proto=29;dst=::1",
            "proto=29;dst=1.2.3",
            "proto=29;data=00",
            "proto=29;data[45]=00",
            "proto=29;data[3:2]=00",
            "proto=29;iph[0x0]=45",
            "proto=29;data[0]=0000",
            "proto=29;what=1",
            "dst=1.2.3.4",
        ] {
            assert_eq!(Filter::parse(text), None, "{text}");
        }
        let eleven = format!("proto=29{}", ";iph[0]=45".repeat(10));
        assert_eq!(Filter::parse(&eleven), None);
        let values = |count: usize| format!("proto=29;iph[0]={}", vec!["45"; count].join("|"));
        assert!(Filter::parse(&values(20)).is_some() && Filter::parse(&values(21)).is_none());
    }

    #[test]
    fn status_has_the_originals_order() {
        let text = "ifc=10.0.0.1; src=1.2.3.4 & 255.255.255.0 ;data[4:7]=01;dst=5.6.7.8;\
                    iph[0]=45|46;data[0:1]=6000;proto=29|3a";
        let filter = Filter::parse(text).unwrap();
        assert_eq!(filter.protocols, [0x29, 0x3a]);
        let status = "h[9:9]&ff=29|3a|\nh[20:21]&ffff=6000|\nh[24:27]&ffffffff=01000000|\n\
                      h[0:0]&ff=45|46|\nh[16:19]&ffffffff=05060708|\nh[12:15]&ffffff00=01020304|\n\
                      h[-4:-1]&ffffffff=0a000001|\n";
        assert_eq!(filter.text(), status);
        let six = Filter::parse("ver=6;proto=29;dst=::1;data[0]=60").unwrap();
        assert!(six.text().starts_with("h[6:6]&ff=29|\nh[40:40]&ff=60|\nh[24:39]&ffff"));
    }

    #[test]
    fn every_clause_has_to_hold() {
        let packet =
            [&[0x46][..], &[0; 8], &[0x29, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 0x60]];
        let packet = packet.concat();
        let here = Some("10.0.0.1".parse().unwrap());
        let accepts = |text: &str| {
            let filter = Filter::parse(&format!("proto=29;{text}")).unwrap();
            filter.accepts(&packet, here)
        };
        for yes in ["data[0]=60", "data[0]=40|60", "src=1.2.3.0&255.255.255.0", "ifc=10.0.0.1"] {
            assert!(accepts(yes), "{yes}");
        }
        for no in
            ["data[0]=61", "data[1]=00", "src=1.2.3.4&255.255.255.0", "ifc=10.0.0.2", "iph[44]=00"]
        {
            assert!(!accepts(no), "{no}");
        }
        assert!(accepts("iph[0]=40&f0;dst=5.6.7.8") && !accepts("iph[0]=40&f0;dst=5.6.7.9"));
    }
}
