//! Packet sockets (packet(7)): what no safe binding has, and how a frame is received.
#![allow(unsafe_code, reason = "four system calls that no safe binding has")]

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnknownCmsg, recvmsg};
use rustix::io::Errno;
use rustix::net::netdevice::index_to_name;
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_recv_buffer_size_force};
use rustix::net::{AddressFamily, SendFlags, SocketType};

use super::frames::Tag;
use super::verbs::Mac;
use crate::error::errno;
use crate::net::sockets::Sockets;

/// Bytes of the longest frame: the kernel may hand over several of TCP as one.
pub(super) const LARGEST: usize = (64 << 10) + 64;

/// What is kept for a reader; the kernel doubles it for its own records.
const QUEUE: usize = 4 << 20;

/// What a receive brought.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Received {
    /// Bytes in the room.
    pub(super) length: usize,
    pub(super) tag: Option<Tag>,
}

/// A socket at the interface of that number, which receives nothing yet.
///
/// # Errors
/// The host refuses; `PERM` without `CAP_NET_RAW`.
pub(super) fn open(index: u32) -> Result<OwnedFd, Errno> {
    let socket = Sockets::Own.make(AddressFamily::PACKET, SocketType::RAW, None)?;
    set_socket_recv_buffer_size_force(&socket, QUEUE)
        .or_else(|_| set_socket_recv_buffer_size(&socket, QUEUE))?;
    set(socket.as_fd(), PACKET_AUXDATA, &1_i32.to_ne_bytes())?;
    bind(socket.as_fd(), index, 0)?;
    Ok(socket)
}

/// Has it receive what its filter lets through.
///
/// # Errors
/// The interface is gone or down.
pub(super) fn receive_all(socket: BorrowedFd<'_>, index: u32) -> Result<(), Errno> {
    bind(socket, index, ETH_P_ALL)
}

/// Whether the interface is to hand over frames for other stations, for as long as the socket lives.
///
/// # Errors
/// The host refuses.
pub(super) fn be_promiscuous(socket: BorrowedFd<'_>, index: u32) -> Result<(), Errno> {
    set(socket, PACKET_ADD_MEMBERSHIP, &membership(index, PROMISCUOUS, Mac::default()))
}

/// Has the interface hand over frames for a group, for as long as the socket lives.
///
/// # Errors
/// The host refuses.
pub(super) fn join(socket: BorrowedFd<'_>, index: u32, group: Mac) -> Result<(), Errno> {
    set(socket, PACKET_ADD_MEMBERSHIP, &membership(index, MULTICAST, group))
}

/// Takes that back.
///
/// # Errors
/// The host refuses.
pub(super) fn leave(socket: BorrowedFd<'_>, index: u32, group: Mac) -> Result<(), Errno> {
    set(socket, PACKET_DROP_MEMBERSHIP, &membership(index, MULTICAST, group))
}

/// The address of the socket's interface as it is now.
pub(super) fn mac(socket: BorrowedFd<'_>) -> Option<Mac> {
    let mut name = name(0, 0);
    let mut size = libc::socklen_t::try_from(size_of_val(&name)).ok()?;
    // Safety: the name is writable for `size` bytes, both live across the call, and of what the kernel
    // writes any value is a valid `sockaddr_ll`.
    let result =
        unsafe { libc::getsockname(socket.as_raw_fd(), (&raw mut name).cast(), &raw mut size) };
    let address = name.sll_addr.first_chunk().copied();
    address.filter(|_| result == 0)
}

/// Takes the next frame off.
///
/// # Errors
/// `AGAIN` when none is there; the interface is gone or was down.
pub(super) fn receive(socket: BorrowedFd<'_>, room: &mut [u8]) -> Result<Received, Errno> {
    let mut beside = Beside([0; BESIDE]);
    let mut room = [IoSliceMut::new(room)];
    let message = loop {
        let (fd, beside) = (socket.as_raw_fd(), Some(&mut beside.0[..]));
        match recvmsg::<()>(fd, &mut room, beside, MsgFlags::MSG_DONTWAIT) {
            Err(nix::Error::EINTR) => {}
            done => break done.map_err(errno)?,
        }
    };
    let tag = message.cmsgs().map_err(errno)?.find_map(|told| tag(&told));
    Ok(Received { length: message.bytes, tag })
}

/// Sends a frame.
///
/// # Errors
/// `MSGSIZE` if it is longer than the interface takes; `NOBUFS` and `AGAIN` when there is no room.
pub(super) fn send(socket: BorrowedFd<'_>, frame: &[u8]) -> Result<(), Errno> {
    loop {
        match rustix::net::send(socket, frame, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Err(Errno::INTR) => {}
            done => return done.map(drop),
        }
    }
}

/// Megabits per second of an interface; 0 where it tells none (ethtool, `ETHTOOL_GSET`).
pub(super) fn speed(socket: BorrowedFd<'_>, index: u32) -> u32 {
    let mut asked = Settings { command: GET_SETTINGS, rest: [0; 10] };
    let Ok(name) = index_to_name(socket, index) else { return 0 };
    let mut request = Request { name: [0; 16], data: (&raw mut asked).cast(), rest: [0; 16] };
    for (place, byte) in request.name.iter_mut().zip(name.bytes().take(15)) {
        *place = byte;
    }
    // Safety: the request is an `ifreq`, whose data is an `ethtool_cmd` that lives across the call
    // and is written to no further than its 44 bytes.
    let result =
        unsafe { libc::ioctl(socket.as_raw_fd(), libc::Ioctl::from(ETHTOOL), &raw mut request) };
    if result != 0 {
        return 0;
    }
    // `__u16 speed` at 12 and `__u16 speed_hi` at 28, each at the begin of a word.
    let half = |word: usize| {
        let [a, b, ..] = asked.rest.get(word).copied().unwrap_or_default().to_ne_bytes();
        u32::from(u16::from_ne_bytes([a, b]))
    };
    let speed = half(2) | half(6) << 16;
    // `SPEED_UNKNOWN`, of either width.
    if matches!(speed, 0xffff | u32::MAX) { 0 } else { speed }
}

fn tag(told: &ControlMessageOwned) -> Option<Tag> {
    let ControlMessageOwned::Unknown(UnknownCmsg { cmsg_header, data_bytes }) = told else {
        return None;
    };
    if (cmsg_header.cmsg_level, cmsg_header.cmsg_type) != (libc::SOL_PACKET, PACKET_AUXDATA) {
        return None;
    }
    // `tpacket_auxdata`: status, len and snaplen of 32 bits, mac and net of 16, tci and tpid.
    let half = |at: usize| {
        data_bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk())
            .map(|half| u16::from_ne_bytes(*half))
    };
    let status = u32::from_ne_bytes(*data_bytes.first_chunk()?);
    if status & TAG_VALID == 0 {
        return None;
    }
    let kind = if status & TAG_TYPE_VALID == 0 { VLAN } else { half(18)? };
    Some(Tag { kind, control: half(16)? })
}

fn bind(socket: BorrowedFd<'_>, index: u32, protocol: u16) -> Result<(), Errno> {
    let name = name(index.try_into().map_err(|_| Errno::NODEV)?, protocol);
    let size = libc::socklen_t::try_from(size_of_val(&name)).map_err(|_| Errno::INVAL)?;
    // Safety: the name is a whole `sockaddr_ll` of `size` bytes and lives across the call.
    done(unsafe { libc::bind(socket.as_raw_fd(), (&raw const name).cast(), size) })
}

fn name(index: i32, protocol: u16) -> libc::sockaddr_ll {
    libc::sockaddr_ll {
        sll_family: AF_PACKET,
        sll_protocol: protocol.to_be(),
        sll_ifindex: index,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    }
}

fn set(socket: BorrowedFd<'_>, name: i32, value: &[u8]) -> Result<(), Errno> {
    let size = libc::socklen_t::try_from(value.len()).map_err(|_| Errno::INVAL)?;
    // Safety: the value is readable for `size` bytes across the call.
    done(unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, name, value.as_ptr().cast(), size)
    })
}

fn done(result: i32) -> Result<(), Errno> {
    if result == 0 {
        return Ok(());
    }
    let number = std::io::Error::last_os_error().raw_os_error();
    Err(Errno::from_raw_os_error(number.unwrap_or(libc::EIO)))
}

/// A `packet_mreq`.
fn membership(index: u32, kind: u16, address: Mac) -> [u8; 16] {
    let mut request = [0; 16];
    let [a, b] = kind.to_ne_bytes();
    let [c, d] = 6_u16.to_ne_bytes();
    let fields = index.to_ne_bytes().into_iter().chain([a, b, c, d]).chain(address);
    for (place, byte) in request.iter_mut().zip(fields) {
        *place = byte;
    }
    request
}

/// `ethtool_cmd`: 11 words.
#[repr(C)]
struct Settings {
    command: u32,
    rest: [u32; 10],
}

/// `ifreq`, of which the data is at 16.
#[repr(C)]
struct Request {
    name: [u8; 16],
    data: *mut libc::c_void,
    rest: [u8; 16],
}

/// Room for what comes beside a frame, aligned as the kernel's headers are.
#[repr(align(8))]
struct Beside([u8; BESIDE]);

const BESIDE: usize = 128;

// linux/if_packet.h, linux/if_ether.h, linux/sockios.h and linux/ethtool.h.
const AF_PACKET: u16 = 17;
const PACKET_ADD_MEMBERSHIP: i32 = 1;
const PACKET_DROP_MEMBERSHIP: i32 = 2;
const PACKET_AUXDATA: i32 = 8;
const MULTICAST: u16 = 0;
const PROMISCUOUS: u16 = 1;
const TAG_VALID: u32 = 1 << 4;
const TAG_TYPE_VALID: u32 = 1 << 6;
const ETH_P_ALL: u16 = 3;
const VLAN: u16 = 0x8100;
const ETHTOOL: u32 = 0x8946;
const GET_SETTINGS: u32 = 1;
