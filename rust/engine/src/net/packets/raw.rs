//! Raw sockets, each with a program of the kernel's packet filter (raw(7), socket(7)).
//!
//! So the kernel keeps the packets of conversations apart, before any worker is woken. One that came
//! between the making of a socket and its filter is still another's: conversations look themselves,
//! too.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{IpRecvTos, Ipv4RecvTtl, Ipv6RecvHopLimit, Ipv6RecvTClass};
use rustix::io::Errno;
use rustix::net::{AddressFamily, Protocol, SocketType, bind};

use super::packet::Way;
use super::sockets::prepare;
use crate::error::errno;
use crate::net::filter::{Step, attach};
use crate::net::sockets::Sockets;
use crate::net::tuning::Tuning;

/// A socket for packets of an IP protocol that the program returns a length for. It is for those to
/// `own` alone, if that is given, and sends from there.
///
/// # Errors
/// The host refuses; `PERM` without `CAP_NET_RAW`.
pub(crate) fn raw(
    from: &Sockets,
    (family, protocol): (AddressFamily, u8),
    own: Option<IpAddr>,
    program: &[Step],
    tuning: Tuning,
) -> Result<OwnedFd, Errno> {
    let protocol = NonZeroU32::new(protocol.into()).map(Protocol::from_raw);
    let socket = from.make(family, SocketType::RAW, protocol)?;
    attach(socket.as_fd(), program)?;
    prepare(socket.as_fd(), tuning)?;
    if let Some(own) = own {
        bind(&socket, &SocketAddr::new(own, 0))?;
    }
    Ok(socket)
}

/// X is where a packet goes on behind its IP header, which a socket of IPv6 is not handed.
pub(crate) fn behind_ip(family: AddressFamily) -> Step {
    if family == AddressFamily::INET { (0xb1, 0, 0, 0) } else { (0x01, 0, 0, 0) }
}

/// Has the host tell beside a packet what was in its IP header.
///
/// # Errors
/// The host refuses.
pub(crate) fn ask_for_header(socket: BorrowedFd<'_>, family: AddressFamily) -> Result<(), Errno> {
    let asked = if family == AddressFamily::INET {
        setsockopt(&socket, Ipv4RecvTtl, &true).and(setsockopt(&socket, IpRecvTos, &true))
    } else {
        setsockopt(&socket, Ipv6RecvHopLimit, &true).and(setsockopt(&socket, Ipv6RecvTClass, &true))
    };
    asked.map_err(errno)
}

/// The header of a packet of IPv6 with so many bytes behind it, of what the host has told.
pub(crate) fn header_six(way: &Way, protocol: u8, length: usize) -> [u8; 40] {
    let octets = |address: Option<IpAddr>| match address {
        Some(IpAddr::V6(six)) => six.octets(),
        _ => [0; 16],
    };
    let mut header = [0; 40];
    let first = (6_u32 << 28 | u32::from(way.tos) << 20).to_be_bytes();
    // No packet is larger than its length field says.
    let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    let fields = first.into_iter().chain([high, low, protocol, way.hops]);
    let ends = octets(Some(way.remote.ip())).into_iter().chain(octets(way.local));
    for (place, byte) in header.iter_mut().zip(fields.chain(ends)) {
        *place = byte;
    }
    header
}

/// What a raw socket of that family was handed, without the IP header.
pub(crate) fn unheaded(packet: &[u8], family: AddressFamily) -> &[u8] {
    let words = packet.first().map_or(0, |first| usize::from(first & 15));
    let header = if family == AddressFamily::INET { 4 * words } else { 0 };
    packet.get(header..).unwrap_or_default()
}

// What is loaded is that far behind X.
pub(crate) const BYTE: u16 = 0x50;
pub(crate) const HALF: u16 = 0x48;
pub(crate) const WORD: u16 = 0x40;
pub(crate) const IF_EQUAL: u16 = 0x15;
pub(crate) const IF_AT_LEAST: u16 = 0x35;
pub(crate) const IF_ANY_OF: u16 = 0x45;
/// All of the packet's bytes.
pub(crate) const LENGTH: Step = (0x80, 0, 0, 0);
/// What is loaded less X.
pub(crate) const LESS_X: Step = (0x1c, 0, 0, 0);
pub(crate) const ALL: Step = (0x06, 0, 0, u32::MAX);
pub(crate) const NOTHING: Step = (0x06, 0, 0, 0);
