//! What ICMP says of the packets that a conversation has sent (docs/tree.md, section 10).
//!
//! Linux keeps it in the socket's error queue (`IP_RECVERR` of ip(7)), with type and code, and
//! besides has the next call on the socket fail, once. Some of it is no advice: that a packet has to
//! be fragmented concerns the kernel alone.

use std::io::IoSliceMut;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

use netrelay_proto::error::Refusal;
use nix::sys::socket::sockopt::{Ipv4RecvErr, Ipv6RecvErr};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt};
use rustix::io::Errno;
use rustix::net::AddressFamily;
use rustix::net::sockopt::socket_domain;

use super::packet::plain;
use crate::error::errno;
use crate::net::address::print;

/// What was in an error queue.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Told {
    /// The first advice.
    pub(crate) advice: Option<Refusal>,
    /// Whether ICMP had said anything at all.
    pub(crate) anything: bool,
}

/// Has the host keep what ICMP says.
///
/// # Errors
/// The host refuses.
pub(crate) fn ask_for(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    let set = match socket_domain(socket)? {
        AddressFamily::INET6 => setsockopt(&socket, Ipv6RecvErr, &true),
        _ => setsockopt(&socket, Ipv4RecvErr, &true),
    };
    set.map_err(errno)
}

/// Empties the error queue; the call that would have failed next does not, then.
///
/// Advice is what is about packets that are `mine`, which is asked with the begin of what ICMP has
/// quoted behind the IP header, and with its destination.
pub(crate) fn take(socket: BorrowedFd<'_>, mine: impl Fn(&[u8], Option<IpAddr>) -> bool) -> Told {
    let mut told = Told::default();
    let mut quoted = [0; QUOTED];
    let mut beside = Beside([0; BESIDE]);
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    loop {
        let mut room = [IoSliceMut::new(&mut quoted)];
        let (fd, beside) = (socket.as_raw_fd(), Some(&mut beside.0[..]));
        let Ok(message) = recvmsg::<SockaddrStorage>(fd, &mut room, beside, flags) else { break };
        let said: Vec<_> =
            message.cmsgs().into_iter().flatten().map(|part| spoken(&part)).collect();
        let to = message.address.as_ref().and_then(plain).map(|name| name.ip());
        let length = message.bytes;
        for Told { advice, anything } in said {
            told.anything |= anything;
            if advice.is_some() && mine(quoted.get(..length).unwrap_or_default(), to) {
                told.advice = told.advice.or(advice);
            }
        }
    }
    told
}

/// What ICMP says in an error of the queue, if the error is ICMP's.
fn spoken(error: &ControlMessageOwned) -> Told {
    let advice = match error {
        ControlMessageOwned::Ipv4RecvErr(error, speaker)
            if error.ee_origin == libc::SO_EE_ORIGIN_ICMP =>
        {
            let speaker = speaker.map(|name| u32::from_be(name.sin_addr.s_addr));
            meaning((error.ee_type, error.ee_code), speaker.unwrap_or(0).into())
        }
        ControlMessageOwned::Ipv6RecvErr(error, speaker)
            if error.ee_origin == libc::SO_EE_ORIGIN_ICMP6 =>
        {
            let speaker = speaker.map(|name| name.sin6_addr.s6_addr);
            meaning_six((error.ee_type, error.ee_code), speaker.unwrap_or_default().into())
        }
        _ => return Told::default(),
    };
    Told { advice, anything: true }
}

/// What a message of ICMP is called as advice; none if it is none.
fn meaning(said: (u8, u8), speaker: Ipv4Addr) -> Option<Refusal> {
    match said {
        (UNREACHABLE, FRAGMENTATION_NEEDED) => None,
        (UNREACHABLE, code) => Some(match code {
            0 => Refusal::NET_UNREACHABLE,
            2 => Refusal::PROTOCOL_UNREACHABLE,
            3 => Refusal::PORT_UNREACHABLE,
            5 => Refusal::SOURCE_ROUTE_FAILED,
            6 => Refusal::NETWORK_UNKNOWN,
            7 => Refusal::HOST_UNKNOWN,
            8 => Refusal::HOST_ISOLATED,
            9 => Refusal::NETWORK_PROHIBITED,
            10 => Refusal::HOST_PROHIBITED,
            11 => Refusal::NETWORK_UNREACHABLE_FOR_TOS,
            12 => Refusal::HOST_UNREACHABLE_FOR_TOS,
            13 => Refusal::COMMUNICATION_PROHIBITED,
            14 => Refusal::PRECEDENCE_VIOLATION,
            15 => Refusal::PRECEDENCE_CUTOFF,
            _ => Refusal::HOST_UNREACHABLE,
        }),
        (TIME_EXCEEDED, IN_TRANSIT) => Some(at(&Refusal::TTL_EXCEEDED, speaker.into())),
        _ => None,
    }
}

/// The same of `ICMPv6`.
fn meaning_six(said: (u8, u8), speaker: Ipv6Addr) -> Option<Refusal> {
    match said {
        (UNREACHABLE_SIX, code) => Some(match code {
            0 => Refusal::NO_ROUTE_TO_DESTINATION,
            1 => Refusal::DESTINATION_PROHIBITED,
            2 => Refusal::BEYOND_SCOPE,
            3 => Refusal::ADDRESS_UNREACHABLE,
            4 => Refusal::PORT_UNREACHABLE,
            5 => Refusal::SOURCE_FAILED_POLICY,
            6 => Refusal::ROUTE_REJECTED,
            _ => Refusal::UNKNOWN_CODE,
        }),
        (TIME_EXCEEDED_SIX, IN_TRANSIT) => Some(at(&Refusal::TTL_EXCEEDED, speaker.into())),
        (TIME_EXCEEDED_SIX, REASSEMBLY) => Some(at(&Refusal::FRAG_TIME_EXCEEDED, speaker.into())),
        _ => None,
    }
}

fn at(what: &Refusal, speaker: IpAddr) -> Refusal {
    Refusal { text: format!("{} at {}", what.text, print(speaker)).into(), ..what.clone() }
}

// RFC 792 and RFC 4443.
const UNREACHABLE: u8 = 3;
const FRAGMENTATION_NEEDED: u8 = 4;
const TIME_EXCEEDED: u8 = 11;
const UNREACHABLE_SIX: u8 = 1;
const TIME_EXCEEDED_SIX: u8 = 3;
// Codes of both.
const IN_TRANSIT: u8 = 0;
const REASSEMBLY: u8 = 1;

/// Room for an error and the address behind it, aligned as the kernel's headers are.
#[repr(align(8))]
struct Beside([u8; BESIDE]);

const BESIDE: usize = 512;

/// What a protocol may want to see of its packet.
const QUOTED: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);
    const ROUTER_SIX: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9);

    #[test]
    fn what_concerns_the_kernel_alone_is_no_advice() {
        assert_eq!(meaning((3, 4), ROUTER), None);
        assert_eq!(meaning((11, 1), ROUTER), None);
        assert_eq!(meaning((12, 0), ROUTER), None);
        assert_eq!(meaning_six((2, 0), ROUTER_SIX), None);
        assert_eq!(meaning_six((4, 1), ROUTER_SIX), None);
    }

    #[test]
    fn codes_have_the_originals_names() {
        let table = [
            (3, 0, Refusal::NET_UNREACHABLE),
            (3, 1, Refusal::HOST_UNREACHABLE),
            (3, 3, Refusal::PORT_UNREACHABLE),
            (3, 13, Refusal::COMMUNICATION_PROHIBITED),
            (3, 99, Refusal::HOST_UNREACHABLE),
            (11, 0, Refusal::new("ttl exceeded at 10.0.0.9", 113)),
        ];
        for (kind, code, refusal) in table {
            assert_eq!(meaning((kind, code), ROUTER), Some(refusal));
        }
        for (kind, code, refusal) in [
            (1, 0, Refusal::NO_ROUTE_TO_DESTINATION),
            (1, 1, Refusal::DESTINATION_PROHIBITED),
            (1, 3, Refusal::ADDRESS_UNREACHABLE),
            (1, 4, Refusal::PORT_UNREACHABLE),
            (1, 7, Refusal::UNKNOWN_CODE),
            (3, 0, Refusal::new("ttl exceeded at 2001:db8::9", 113)),
            (3, 1, Refusal::new("frag time exceeded at 2001:db8::9", 113)),
        ] {
            assert_eq!(meaning_six((kind, code), ROUTER_SIX), Some(refusal));
        }
    }
}
