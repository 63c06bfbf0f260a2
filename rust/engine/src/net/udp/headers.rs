//! The 52 bytes before a datagram where `headers` is on (udp(3); docs/tree.md, 10).
//!
//! They are the original's struct Udphdr: three addresses and two ports, the addresses all of IPv6
//! and those of IPv4 in IPv6 dress.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::net::packets::packet::Way;

/// Bytes before the data.
pub(crate) const SIZE: usize = 52;

/// A datagram as a client wrote it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Written<'a> {
    /// Where to.
    pub(crate) to: SocketAddr,
    /// Where from, in order of preference; those that can't be had are passed over.
    pub(crate) sources: [Option<IpAddr>; 2],
    pub(crate) data: &'a [u8],
}

/// What a Tread gets of a datagram that came to `port`; `here` is the address that it would be
/// answered from.
pub(crate) fn pack(way: &Way, port: u16, here: Option<IpAddr>, data: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(SIZE + data.len());
    for address in [Some(way.remote.ip()), way.local, here] {
        text.extend_from_slice(&dressed(address).octets());
    }
    text.extend_from_slice(&way.remote.port().to_be_bytes());
    text.extend_from_slice(&port.to_be_bytes());
    text.extend_from_slice(data);
    text
}

/// What a Twrite asks to send; none if it is too short to be anything.
pub(crate) fn unpack(text: &[u8]) -> Option<Written<'_>> {
    let (head, data) = text.split_first_chunk::<SIZE>()?;
    let (addresses, ports) = head.as_chunks::<16>();
    let [to, first, second] = addresses else { return None };
    let port = ports.first_chunk().map_or(0, |port| u16::from_be_bytes(*port));
    let to = undressed(*to);
    let source = |address: &[u8; 16]| Some(undressed(*address)).filter(|own| may_send(*own, to));
    let sources = [source(first), source(second)];
    Some(Written { to: SocketAddr::new(to, port), sources, data })
}

/// Whether it is worth asking the host to send from it.
fn may_send(own: IpAddr, to: IpAddr) -> bool {
    own.is_ipv4() == to.is_ipv4() && !own.is_unspecified() && !own.is_multicast()
}

fn dressed(address: Option<IpAddr>) -> Ipv6Addr {
    match address {
        Some(IpAddr::V4(four)) => four.to_ipv6_mapped(),
        Some(IpAddr::V6(six)) => six,
        None => Ipv6Addr::UNSPECIFIED,
    }
}

fn undressed(address: [u8; 16]) -> IpAddr {
    Ipv6Addr::from(address).to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_datagram_read_is_its_addresses_ports_and_data() {
        let way = Way {
            remote: "10.0.0.7:1027".parse().unwrap(),
            local: Some(ip("224.0.0.77")),
            interface: 1,
            here: Some(ip("10.0.0.9")),
            hops: 0,
            tos: 0,
        };
        let text = pack(&way, 53, way.here, b"data");
        let mut expected = Vec::new();
        for address in [[10, 0, 0, 7], [224, 0, 0, 77], [10, 0, 0, 9]] {
            expected.extend_from_slice(&[0; 10]);
            expected.extend_from_slice(&[0xff, 0xff]);
            expected.extend_from_slice(&address);
        }
        expected.extend_from_slice(&[4, 3, 0, 53]);
        expected.extend_from_slice(b"data");
        assert_eq!(text, expected);
    }

    #[test]
    fn what_was_read_can_be_written_back_as_the_answer() {
        let way = Way {
            remote: "[2001:db8::7]:9".parse().unwrap(),
            local: Some(ip("2001:db8::1")),
            interface: 1,
            here: None,
            hops: 0,
            tos: 0,
        };
        let text = pack(&way, 53, None, b"");
        let written = unpack(&text).unwrap();
        assert_eq!(written.to, way.remote);
        assert_eq!(written.sources, [way.local, None]);
        assert_eq!(written.data, b"");
    }

    #[test]
    fn a_source_is_a_unicast_address_of_the_same_family() {
        let mut way = Way {
            remote: "10.0.0.7:1".parse().unwrap(),
            local: Some(ip("224.0.0.77")),
            interface: 1,
            here: None,
            hops: 0,
            tos: 0,
        };
        for here in ["0.0.0.0", "ff02::1", "::1"] {
            way.here = Some(ip(here));
            assert_eq!(unpack(&pack(&way, 0, way.here, b"x")).unwrap().sources, [None, None]);
        }
        way.here = Some(ip("10.0.0.9"));
        let text = pack(&way, 0, way.here, b"x");
        assert_eq!(unpack(&text).unwrap().sources, [None, way.here]);
    }

    #[test]
    fn less_than_the_headers_is_nothing() {
        assert_eq!(unpack(&[0; SIZE - 1]), None);
        assert!(unpack(&[0; SIZE]).is_some());
    }
}
