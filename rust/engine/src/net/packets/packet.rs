//! One packet and its way: who sent it where, and how one is sent from an address of our choice.
//!
//! The destination and the interface come beside the data (`IP_PKTINFO` of ip(7), `IPV6_PKTINFO` of
//! ipv6(7)), as a socket may have many addresses. Nothing here blocks, and nothing here knows what a
//! packet holds.

use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg,
};
use rustix::io::Errno;
use rustix::net::sockopt::socket_domain;
use rustix::net::{AddressFamily, SendFlags};

use crate::error::errno;

/// No IP packet is larger.
pub(crate) const LARGEST: usize = 65_535;

/// Who sent a packet where.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Way {
    /// Never an IPv4-mapped address, and without a zone; port 0 where the protocol has none.
    pub(crate) remote: SocketAddr,
    /// The destination; none where the host does not say.
    pub(crate) local: Option<IpAddr>,
    /// The interface by which it came.
    pub(crate) interface: u32,
    /// An address of that interface, to answer from; none where the host does not say.
    pub(crate) here: Option<IpAddr>,
    /// Of its IP header, where the socket was asked to tell: the hops that were left.
    pub(crate) hops: u8,
    /// The type of service, or traffic class.
    pub(crate) tos: u8,
}

impl Way {
    /// Whether the packet was a multicast or a broadcast.
    pub(crate) fn to_many(self) -> bool {
        self.here != self.local
    }
}

/// A packet that is no longer the host's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Packet {
    pub(crate) way: Way,
    pub(crate) data: Box<[u8]>,
}

/// What a receive brought.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Received {
    /// Bytes in the room; of a packet that was larger, as many as there was room for.
    pub(crate) length: usize,
    pub(crate) way: Way,
    /// How many packets the socket has had no room for, as of this one.
    pub(crate) lost: u32,
}

/// Takes the next packet off a socket that was made by [`super::sockets::prepare`].
///
/// # Errors
/// `AGAIN` when none is there; anything else is what ICMP or the host has to say of former ones.
pub(crate) fn receive(socket: BorrowedFd<'_>, room: &mut [u8]) -> Result<Received, Errno> {
    let mut beside = Beside([0; BESIDE]);
    let mut room = [IoSliceMut::new(room)];
    let message = loop {
        let (fd, beside) = (socket.as_raw_fd(), Some(&mut beside.0[..]));
        match recvmsg::<SockaddrStorage>(fd, &mut room, beside, MsgFlags::MSG_DONTWAIT) {
            Err(nix::Error::EINTR) => {}
            done => break done.map_err(errno)?,
        }
    };
    let (mut local, mut here, mut interface, mut lost) = (None, None, 0, 0);
    let (mut hops, mut tos) = (0, 0);
    for told in message.cmsgs().map_err(errno)? {
        match told {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                local = Some(four(info.ipi_addr));
                here = Some(four(info.ipi_spec_dst));
                interface = info.ipi_ifindex.try_into().unwrap_or(0);
            }
            // A socket of both families tells of an IPv4 packet twice.
            ControlMessageOwned::Ipv6PacketInfo(info) if local.is_none() => {
                let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                local = Some(address.to_canonical());
                here = local.filter(|address| !address.is_multicast());
                interface = info.ipi6_ifindex;
            }
            ControlMessageOwned::RxqOvfl(count) => lost = count,
            ControlMessageOwned::Ipv4Ttl(left) | ControlMessageOwned::Ipv6HopLimit(left) => {
                hops = left.try_into().unwrap_or(0);
            }
            ControlMessageOwned::Ipv4Tos(service) => tos = service,
            ControlMessageOwned::Ipv6TClass(class) => tos = class.try_into().unwrap_or(0),
            _ => {}
        }
    }
    let remote = message.address.as_ref().and_then(plain).unwrap_or(NOWHERE);
    let way = Way { remote, local, interface, here, hops, tos };
    Ok(Received { length: message.bytes, way, lost })
}

/// Sends one packet: `from` an address unless the route is to choose, and by an interface unless it
/// is 0.
///
/// # Errors
/// The host refuses; `AGAIN` and `NOBUFS` when it has no room.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    data: &[u8],
    to: SocketAddr,
    from: Option<(IpAddr, u32)>,
) -> Result<(), Errno> {
    let to = SockaddrStorage::from(name(socket, to, 0)?);
    let data = [IoSlice::new(data)];
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    let send = |beside: &[ControlMessage<'_>]| loop {
        match sendmsg(socket.as_raw_fd(), &data, beside, flags, Some(&to)) {
            Err(nix::Error::EINTR) => {}
            done => break done.map(drop).map_err(errno),
        }
    };
    match from {
        None => send(&[]),
        Some((IpAddr::V4(address), interface)) => {
            let info = libc::in_pktinfo {
                ipi_ifindex: interface.try_into().unwrap_or(0),
                ipi_spec_dst: libc::in_addr { s_addr: address.to_bits().to_be() },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            send(&[ControlMessage::Ipv4PacketInfo(&info)])
        }
        Some((IpAddr::V6(address), interface)) => {
            let address = libc::in6_addr { s6_addr: address.octets() };
            let info = libc::in6_pktinfo { ipi6_addr: address, ipi6_ifindex: interface };
            send(&[ControlMessage::Ipv6PacketInfo(&info)])
        }
    }
}

/// Sends one packet to whom the socket is connected to.
///
/// # Errors
/// As [`send`].
pub(crate) fn send_to_peer(socket: BorrowedFd<'_>, data: &[u8]) -> Result<(), Errno> {
    loop {
        match rustix::net::send(socket, data, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Err(Errno::INTR) => {}
            done => return done.map(drop),
        }
    }
}

/// What a socket calls an address; link-local ones are those of an interface.
///
/// # Errors
/// `NETUNREACH`: an address of IPv6 for a socket of IPv4.
pub(crate) fn name(
    socket: BorrowedFd<'_>,
    address: SocketAddr,
    interface: u32,
) -> Result<SocketAddr, Errno> {
    let six = match (socket_domain(socket)? == AddressFamily::INET6, address.ip()) {
        (false, IpAddr::V4(_)) => return Ok(address),
        (false, IpAddr::V6(_)) => return Err(Errno::NETUNREACH),
        (true, IpAddr::V4(four)) => four.to_ipv6_mapped(),
        (true, IpAddr::V6(six)) => six,
    };
    Ok(SocketAddrV6::new(six, address.port(), 0, interface).into())
}

/// An address as all of ours are: without a zone, and of IPv4 if it is mapped.
pub(crate) fn plain(name: &SockaddrStorage) -> Option<SocketAddr> {
    let four = name.as_sockaddr_in().map(|name| SocketAddr::from((name.ip(), name.port())));
    let six = || name.as_sockaddr_in6().map(|name| (name.ip().to_canonical(), name.port()).into());
    four.or_else(six)
}

fn four(address: libc::in_addr) -> IpAddr {
    Ipv4Addr::from_bits(u32::from_be(address.s_addr)).into()
}

/// Room for what comes beside a packet, aligned as the kernel's headers are.
#[repr(align(8))]
struct Beside([u8; BESIDE]);

/// Five messages of at most 20 bytes behind a header of 16 each, with room to spare.
const BESIDE: usize = 256;

pub(super) const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);
