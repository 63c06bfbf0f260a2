//! What ICMP says of the packets that a conversation has sent (docs/tree.md, section 10).
//!
//! Linux keeps it in the socket's error queue (`IP_RECVERR` of ip(7)), with type and code, and
//! besides has the next call on the socket fail, once. Some of it is no advice: that a packet has to
//! be fragmented concerns the kernel alone.

use std::os::fd::{AsRawFd, BorrowedFd};

use netrelay_proto::error::Refusal;
use nix::sys::socket::sockopt::{Ipv4RecvErr, Ipv6RecvErr};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt};
use rustix::io::Errno;
use rustix::net::AddressFamily;
use rustix::net::sockopt::socket_domain;

use crate::error::errno;

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
pub(crate) fn take(socket: BorrowedFd<'_>) -> Told {
    let mut told = Told::default();
    let mut beside = Beside([0; BESIDE]);
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    while let Ok(message) =
        recvmsg::<()>(socket.as_raw_fd(), &mut [], Some(&mut beside.0[..]), flags)
    {
        for error in message.cmsgs().into_iter().flatten() {
            let (ControlMessageOwned::Ipv4RecvErr(error, _)
            | ControlMessageOwned::Ipv6RecvErr(error, _)) = error
            else {
                continue;
            };
            let meaning = match error.ee_origin {
                libc::SO_EE_ORIGIN_ICMP => meaning(error.ee_type, error.ee_code),
                libc::SO_EE_ORIGIN_ICMP6 => meaning_six(error.ee_type, error.ee_code),
                _ => continue,
            };
            told.anything = true;
            told.advice = told.advice.or(meaning);
        }
    }
    told
}

/// What a message of ICMP is called as advice; none if it is none.
fn meaning(kind: u8, code: u8) -> Option<Refusal> {
    match (kind, code) {
        (UNREACHABLE, FRAGMENTATION_NEEDED) => None,
        (UNREACHABLE, _) => Some(match code {
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
        (TIME_EXCEEDED, _) => Some(Refusal::TTL_EXCEEDED),
        _ => None,
    }
}

/// The same of `ICMPv6`.
fn meaning_six(kind: u8, code: u8) -> Option<Refusal> {
    match (kind, code) {
        (UNREACHABLE_SIX, 0) => Some(Refusal::NET_UNREACHABLE),
        (UNREACHABLE_SIX, 1) => Some(Refusal::COMMUNICATION_PROHIBITED),
        (UNREACHABLE_SIX, 4) => Some(Refusal::PORT_UNREACHABLE),
        (UNREACHABLE_SIX, _) => Some(Refusal::HOST_UNREACHABLE),
        (TIME_EXCEEDED_SIX, _) => Some(Refusal::TTL_EXCEEDED),
        _ => None,
    }
}

// RFC 792 and RFC 4443.
const UNREACHABLE: u8 = 3;
const FRAGMENTATION_NEEDED: u8 = 4;
const TIME_EXCEEDED: u8 = 11;
const UNREACHABLE_SIX: u8 = 1;
const TIME_EXCEEDED_SIX: u8 = 3;

/// Room for an error and the address behind it, aligned as the kernel's headers are.
#[repr(align(8))]
struct Beside([u8; BESIDE]);

const BESIDE: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_concerns_the_kernel_alone_is_no_advice() {
        assert_eq!(meaning(3, 4), None);
        assert_eq!(meaning(12, 0), None);
        assert_eq!(meaning_six(2, 0), None);
        assert_eq!(meaning_six(4, 1), None);
    }

    #[test]
    fn codes_have_the_originals_names() {
        let table = [
            (3, 0, Refusal::NET_UNREACHABLE),
            (3, 1, Refusal::HOST_UNREACHABLE),
            (3, 3, Refusal::PORT_UNREACHABLE),
            (3, 13, Refusal::COMMUNICATION_PROHIBITED),
            (3, 99, Refusal::HOST_UNREACHABLE),
            (11, 0, Refusal::TTL_EXCEEDED),
        ];
        for (kind, code, refusal) in table {
            assert_eq!(meaning(kind, code), Some(refusal));
        }
        for (kind, code, refusal) in [
            (1, 0, Refusal::NET_UNREACHABLE),
            (1, 1, Refusal::COMMUNICATION_PROHIBITED),
            (1, 3, Refusal::HOST_UNREACHABLE),
            (1, 4, Refusal::PORT_UNREACHABLE),
            (1, 7, Refusal::HOST_UNREACHABLE),
            (3, 1, Refusal::TTL_EXCEEDED),
        ] {
            assert_eq!(meaning_six(kind, code), Some(refusal));
        }
    }
}
