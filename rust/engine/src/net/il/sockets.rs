//! Raw sockets of IL, each with a filter that lets its own packets through (raw(7), socket(7)).
//!
//! The filter is the kernel's, so a conversation's packets are sorted before any worker is woken. A
//! packet that came between the making of a socket and its filter is still another's: conversations
//! look at ports themselves.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use netrelay_proto::il::{IP_PROTOCOL, kind};
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketType, bind, connect, recv, send,
};

use crate::net::binding;
use crate::net::filter::{Step, attach};
use crate::net::packets::advice;
use crate::net::packets::packet as packets;
use crate::net::sockets::Sockets;

/// Room for a window of messages; the host cuts it to `net.core.rmem_max`.
const QUEUE: usize = 2 << 20;

/// No IP packet is larger.
pub(super) const LARGEST: usize = 65_535;

/// What tells one conversation of a port from another.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Ends {
    pub(super) remote: SocketAddrV4,
    pub(super) local: Ipv4Addr,
}

/// What IP delivered, without its header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagram<'a> {
    pub(super) source: Ipv4Addr,
    pub(super) destination: Ipv4Addr,
    pub(super) packet: &'a [u8],
}

/// A socket for one conversation.
///
/// # Errors
/// The host refuses.
pub(super) fn connected(
    from: &Sockets,
    local: Option<Ipv4Addr>,
    port: u16,
    remote: SocketAddrV4,
) -> Result<OwnedFd, Errno> {
    let socket = raw(
        from,
        local,
        &[
            SKIP_IP,
            (HALF, 0, 0, DST),
            (IF_EQUAL, 0, 3, port.into()),
            (HALF, 0, 0, SRC),
            (IF_EQUAL, 0, 1, remote.port().into()),
            ALL,
            NOTHING,
        ],
    )?;
    advice::ask_for(socket.as_fd())?;
    connect(&socket, &SocketAddrV4::new(*remote.ip(), 0))?;
    Ok(socket)
}

/// A socket for calls to a port, questions about conversations of it that are no more, and calls to
/// ports that nobody has.
///
/// What flows in conversations is not among it, as each has a socket of its own.
///
/// # Errors
/// The host refuses.
pub(super) fn announced(
    from: &Sockets,
    local: Option<Ipv4Addr>,
    port: u16,
) -> Result<OwnedFd, Errno> {
    raw(
        from,
        local,
        &[
            SKIP_IP,
            (BYTE, 0, 0, TYPE),
            (IF_EQUAL, 3, 0, kind::SYNC.into()),
            (IF_EQUAL, 0, 5, kind::QUERY.into()),
            (HALF, 0, 0, DST),
            (IF_EQUAL, 2, 3, port.into()),
            (WORD, 0, 0, ACK),
            (IF_EQUAL, 0, 1, 0),
            ALL,
            NOTHING,
        ],
    )
}

/// Whether a local address can be had.
///
/// # Errors
/// The host refuses.
pub(super) fn check_local(from: &Sockets, local: Option<Ipv4Addr>) -> Result<(), Errno> {
    raw(from, local, &[NOTHING]).map(drop)
}

/// The next packet, in `room`; nothing if it is none.
///
/// # Errors
/// `AGAIN` when none is there; anything else is what ICMP had to say.
pub(super) fn receive<'a>(
    socket: BorrowedFd<'_>,
    room: &'a mut [u8],
) -> Result<Option<Datagram<'a>>, Errno> {
    let length = loop {
        match recv(socket, &mut *room, RecvFlags::DONTWAIT) {
            Err(Errno::INTR) => {}
            done => break done?.0,
        }
    };
    let packet = room.get(..length).unwrap_or_default();
    let Some(header) = packet.first_chunk::<20>() else { return Ok(None) };
    let [version, .., s3, s2, s1, s0, d3, d2, d1, d0] = *header;
    let skip = 4 * usize::from(version & 15);
    Ok(Some(Datagram {
        source: Ipv4Addr::new(s3, s2, s1, s0),
        destination: Ipv4Addr::new(d3, d2, d1, d0),
        packet: packet.get(skip..).unwrap_or_default(),
    }))
}

/// Sends a packet to the other end.
///
/// # Errors
/// `AGAIN` when there is no room; anything else is the host's, or what ICMP had to say of another.
pub(super) fn put(socket: BorrowedFd<'_>, packet: &[u8]) -> Result<(), Errno> {
    loop {
        match send(socket, packet, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Err(Errno::INTR) => {}
            done => return done.map(drop),
        }
    }
}

/// Sends a packet back to where one came from; it is lost if there is no room for it.
pub(super) fn answer(socket: BorrowedFd<'_>, asked: &Datagram<'_>, packet: &[u8]) {
    let to = SocketAddr::from((asked.source, 0));
    // A packet may be lost here as it may be lost anywhere.
    let _ = packets::send(socket, packet, to, Some((asked.destination.into(), 0)));
}

/// The address from which a connected socket sends.
pub(super) fn local(socket: BorrowedFd<'_>) -> Option<Ipv4Addr> {
    match binding::local(socket)? {
        SocketAddr::V4(name) => Some(*name.ip()),
        SocketAddr::V6(_) => None,
    }
}

fn raw(from: &Sockets, local: Option<Ipv4Addr>, program: &[Step]) -> Result<OwnedFd, Errno> {
    let protocol = std::num::NonZeroU32::new(IP_PROTOCOL.into()).map(Protocol::from_raw);
    let socket = from.make(AddressFamily::INET, SocketType::RAW, protocol)?;
    attach(socket.as_fd(), program)?;
    set_socket_recv_buffer_size(&socket, QUEUE)?;
    if let Some(local) = local {
        bind(&socket, &SocketAddrV4::new(local, 0))?;
    }
    Ok(socket)
}

// X is the length of IP's header; what is loaded is behind it.
const SKIP_IP: Step = (0xb1, 0, 0, 0);
const BYTE: u16 = 0x50;
const HALF: u16 = 0x48;
const WORD: u16 = 0x40;
const IF_EQUAL: u16 = 0x15;
const ALL: Step = (0x06, 0, 0, u32::MAX);
const NOTHING: Step = (0x06, 0, 0, 0);

// Where in IL's header.
const TYPE: u32 = 4;
const SRC: u32 = 6;
const DST: u32 = 8;
const ACK: u32 = 14;
