//! Sockets of ICMP: raw ones with a filter for an id, and ping sockets, which have it as their port.
//!
//! A ping socket (icmp(7)) is what anybody may have whom the host's `ping_group_range` names, and the
//! kernel lets no more than echo requests and their replies through it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::sockopt::socket_type;
use rustix::net::{Protocol, SocketType, bind, connect};

use super::header::{V4, Version};
use crate::net::address::Local;
use crate::net::filter::Step;
use crate::net::packets::advice;
use crate::net::packets::packet::name;
use crate::net::packets::raw::{
    ALL, BYTE, HALF, IF_EQUAL, NOTHING, ask_for_header, behind_ip, raw,
};
use crate::net::packets::sockets::prepare;
use crate::net::sockets::Sockets;
use crate::net::tuning::Tuning;

/// A socket for what one host sends; the port of `local` is the id.
///
/// # Errors
/// The host refuses; `PERM` where the gateway may have neither kind.
pub(crate) fn dial(
    from: &Sockets,
    version: &Version,
    remote: SocketAddr,
    local: Local,
    made: Made,
) -> Result<OwnedFd, Errno> {
    let local = from.local(Some(local), Some(remote.ip()))?.unwrap_or(local);
    let socket = announce(from, version, local, made)?;
    advice::ask_for(socket.as_fd())?;
    connect(&socket, &name(socket.as_fd(), remote, 0)?)?;
    Ok(socket)
}

/// How a socket is to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    /// For all that the host hands out, and not for the replies to echo requests alone.
    pub(crate) all_types: bool,
    pub(crate) tuning: Tuning,
}

/// A socket for what anybody sends with the id that is the port of `local`.
///
/// # Errors
/// As [`dial`].
pub(crate) fn announce(
    from: &Sockets,
    version: &Version,
    local: Local,
    made: Made,
) -> Result<OwnedFd, Errno> {
    let local = from.local(Some(local), None)?.unwrap_or(local);
    if !made.all_types {
        let protocol = NonZeroU32::new(version.protocol.into()).map(Protocol::from_raw);
        match from.make(version.family, SocketType::DGRAM, protocol) {
            // The host's ping_group_range is not for us.
            Err(Errno::ACCESS | Errno::PERM) => {}
            ping => {
                let socket = ping?;
                prepare(socket.as_fd(), made.tuning)?;
                ask_for_header(socket.as_fd(), version.family)?;
                bind(&socket, &end(version, local, local.port))?;
                return Ok(socket);
            }
        }
    }
    let only: &[u8] = if made.all_types { &[] } else { &[version.reply] };
    let program = program(version, local.port, only);
    let kind = (version.family, version.protocol);
    let socket = raw(from, kind, local.address, &program, made.tuning)?;
    ask_for_header(socket.as_fd(), version.family)?;
    Ok(socket)
}

/// Whether the host hands out the IP header too.
pub(crate) fn headed(socket: BorrowedFd<'_>, version: &Version) -> bool {
    *version == V4 && socket_type(socket) == Ok(SocketType::RAW)
}

/// Lets through what has the id: of the types `only`, or of all but those never taken.
fn program(version: &Version, number: u16, only: &[u8]) -> Vec<Step> {
    let mut program = vec![behind_ip(version.family), (BYTE, 0, 0, 0)];
    program.extend(only.iter().map(|kind| (IF_EQUAL, 0, 3, u32::from(*kind))));
    if only.is_empty() {
        // From each on, the others, two steps and `ALL` are to be skipped.
        let skipped = (3..).take(version.never.len()).collect::<Vec<u8>>().into_iter().rev();
        let steps = skipped.zip(version.never);
        program.extend(steps.map(|(skip, kind)| (IF_EQUAL, skip, 0, u32::from(*kind))));
    }
    program.extend([(HALF, 0, 0, ID), (IF_EQUAL, 0, 1, number.into()), ALL, NOTHING]);
    program
}

fn end(version: &Version, local: Local, port: u16) -> SocketAddr {
    let any = if *version == V4 {
        IpAddr::from(Ipv4Addr::UNSPECIFIED)
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    SocketAddr::new(local.address.unwrap_or(any), port)
}

/// Where the id is in a message.
const ID: u32 = 4;
