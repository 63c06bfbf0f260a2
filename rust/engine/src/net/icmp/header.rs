//! Whole packets of ICMP as clients read and write them: an IP header and the message (docs/raw.md).
//!
//! Of a header that is written nothing is used. One that is read is made of what the host tells beside
//! the message, and so it has no options and was never in fragments.

use std::net::IpAddr;

use rustix::net::AddressFamily;

use crate::net::packets::packet::Way;
use crate::net::packets::raw::header_six;

/// What differs between ICMP and `ICMPv6`.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Version {
    pub(crate) family: AddressFamily,
    /// IP's number for it.
    pub(crate) protocol: u8,
    /// The types of an echo request and its reply.
    pub(crate) request: u8,
    pub(crate) reply: u8,
    /// Bytes of the IP header.
    pub(crate) header: usize,
    /// Types that are never taken: what the host answers itself, and advice.
    pub(crate) never: &'static [u8],
}

pub(crate) const V4: Version = Version {
    family: AddressFamily::INET,
    protocol: 1,
    request: 8,
    reply: 0,
    header: 20,
    never: &[3, 8, 11],
};

pub(crate) const V6: Version = Version {
    family: AddressFamily::INET6,
    protocol: 58,
    request: 128,
    reply: 129,
    header: 40,
    never: &[1, 3, 128, 133, 134, 135, 136, 137],
};

/// Of the shortest message, which ends with a sequence number.
pub(crate) const MESSAGE: usize = 8;

/// The type, the code and the id of a message; none if it is too short.
pub(crate) fn read(message: &[u8]) -> Option<(u8, u8, u16)> {
    let [kind, code, _, _, high, low, _, _] = *message.first_chunk::<MESSAGE>()?;
    Some((kind, code, u16::from_be_bytes([high, low])))
}

/// A message with that id; its checksum is right in IPv4, and the host's business in IPv6.
pub(crate) fn numbered(message: &[u8], number: u16, version: &Version) -> Vec<u8> {
    let mut message = message.to_vec();
    put(&mut message, 4, number);
    put(&mut message, 2, 0);
    if *version == V4 {
        let sum = checksum(&message);
        put(&mut message, 2, sum);
    }
    message
}

/// What a Tread gets of a packet.
pub(crate) fn whole(way: &Way, message: &[u8], version: &Version) -> Vec<u8> {
    if *version == V6 {
        let mut text = Vec::with_capacity(version.header + message.len());
        text.extend_from_slice(&header_six(way, version.protocol, message.len()));
        text.extend_from_slice(message);
        return text;
    }
    let mut text = Vec::with_capacity(version.header + message.len());
    text.extend_from_slice(&[0x45, way.tos]);
    // No packet is larger than its length field says.
    let length = u16::try_from(version.header + message.len()).unwrap_or(u16::MAX);
    text.extend_from_slice(&length.to_be_bytes());
    text.extend_from_slice(&[0, 0, 0, 0, way.hops, version.protocol, 0, 0]);
    for end in [Some(way.remote.ip()), way.local] {
        match end {
            Some(IpAddr::V4(four)) => text.extend_from_slice(&four.octets()),
            _ => text.extend_from_slice(&[0; 4]),
        }
    }
    let sum = checksum(&text);
    put(&mut text, 10, sum);
    text.extend_from_slice(message);
    text
}

/// The Internet's (RFC 1071); 0 of what has its right checksum in it.
pub(crate) fn checksum(data: &[u8]) -> u16 {
    let (pairs, odd) = data.as_chunks::<2>();
    let last = odd.first().map_or(0, |last| u32::from(*last) << 8);
    let total: u32 = pairs.iter().map(|pair| u32::from(u16::from_be_bytes(*pair))).sum();
    let mut total = total + last;
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    // What is left fits.
    !u16::try_from(total).unwrap_or(u16::MAX)
}

fn put(data: &mut [u8], at: usize, number: u16) {
    if let Some(place) = data.get_mut(at..at + 2) {
        place.copy_from_slice(&number.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(remote: &str, local: &str) -> Way {
        Way {
            remote: format!("{remote}:0").parse().unwrap(),
            local: Some(local.parse().unwrap()),
            interface: 1,
            here: None,
            hops: 64,
            tos: 16,
        }
    }

    // RFC 1071, section 3.
    #[test]
    fn the_checksum_is_the_internets() {
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), 0x220d);
        assert_eq!(checksum(&[0x00, 0x01, 0xf2]), !0xf201);
        assert_eq!(checksum(&[]), 0xffff);
    }

    #[test]
    fn a_message_gets_its_id_and_its_checksum() {
        let sent = numbered(&[8, 0, 9, 9, 9, 9, 0, 1, b'x'], 0x1234, &V4);
        assert_eq!(checksum(&sent), 0);
        assert_eq!(read(&sent), Some((8, 0, 0x1234)));
        assert_eq!(numbered(&[128, 0, 9, 9, 9, 9, 0, 1], 7, &V6), [128, 0, 0, 0, 0, 7, 0, 1]);
        assert_eq!(read(&[8, 0, 0, 0, 0, 7, 0]), None);
    }

    #[test]
    fn a_packet_has_a_header_with_the_right_checksum() {
        let text = whole(&way("10.0.0.7", "10.0.0.9"), b"12345678", &V4);
        assert_eq!(text[..10], [0x45, 16, 0, 28, 0, 0, 0, 0, 64, 1]);
        assert_eq!(checksum(&text[..20]), 0);
        assert_eq!(text[12..], *b"\x0a\0\0\x07\x0a\0\0\x0912345678");
        let text = whole(&way("[2001:db8::7]", "2001:db8::9"), b"12345678", &V6);
        assert_eq!(text[..8], [0x61, 0, 0, 0, 0, 8, 58, 64]);
        assert_eq!(text.len(), 48);
        assert_eq!((text[23], text[39]), (7, 9));
    }
}
