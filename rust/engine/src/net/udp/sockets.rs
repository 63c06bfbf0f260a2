//! UDP sockets: with one peer, for whoever sends, and for one caller beside an announced one.
//!
//! Nothing here blocks and nothing here decides. A port is one socket's, so that nobody else gets a
//! share of its datagrams; only callers share the announced one's.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr};
use rustix::net::{SocketType, bind, connect, getsockname};

use crate::net::address::Local;
use crate::net::binding;
use crate::net::packets::advice;
use crate::net::packets::packet::{Way, name};
use crate::net::packets::sockets::prepare;
use crate::net::sockets::{Sockets, family};
use crate::net::tuning::Tuning;

/// A socket for one peer.
///
/// # Errors
/// The host refuses.
pub(crate) fn dial(
    from: &Sockets,
    remote: SocketAddr,
    local: Option<Local>,
    tuning: Tuning,
) -> Result<OwnedFd, Errno> {
    let local = from.local(local, Some(remote.ip()))?;
    let socket = socket(from, remote.ip())?;
    prepare(socket.as_fd(), tuning)?;
    if let Some(local) = local {
        let address = local.address.unwrap_or(binding::any(remote.ip()));
        binding::bind(socket.as_fd(), address, local)?;
    }
    connect_to(socket.as_fd(), remote, 0)?;
    Ok(socket)
}

/// A socket for whoever sends.
///
/// # Errors
/// The host refuses.
pub(crate) fn announce(from: &Sockets, local: Local, tuning: Tuning) -> Result<OwnedFd, Errno> {
    let local = from.local(Some(local), None)?.unwrap_or(local);
    binding::announced(local, |address| {
        let socket = bound(from, address, local)?;
        prepare(socket.as_fd(), tuning)?;
        Ok(socket)
    })
}

/// Checks that `local` may be bound, without taking it; the end that it is in this stack.
///
/// # Errors
/// The host refuses.
pub(crate) fn probe(from: &Sockets, local: Local) -> Result<Local, Errno> {
    let local = from.local(Some(local), None)?.unwrap_or(local);
    binding::announced(local, |address| bound(from, address, local))?;
    Ok(local)
}

/// A socket for the sender of a datagram, at the address to which that was sent.
///
/// Between its binding and its connecting it may have got datagrams of others.
///
/// # Errors
/// The host refuses, as it does where it can't answer.
pub(crate) fn call(
    from: &Sockets,
    announced: BorrowedFd<'_>,
    way: &Way,
    tuning: Tuning,
) -> Result<OwnedFd, Errno> {
    let socket = socket(from, way.remote.ip())?;
    prepare(socket.as_fd(), tuning)?;
    set_socket_reuseaddr(&socket, true)?;
    let port = getsockname(announced)?.try_into().map_or(0, |name: SocketAddr| name.port());
    let local = way.local.unwrap_or(binding::any(way.remote.ip()));
    let local = name(socket.as_fd(), SocketAddr::new(local, port), way.interface)?;
    // While it binds, and no longer, others may bind to the port.
    set_socket_reuseaddr(announced, true)?;
    let bound = bind(&socket, &local);
    set_socket_reuseaddr(announced, false)?;
    bound?;
    connect_to(socket.as_fd(), way.remote, way.interface)?;
    Ok(socket)
}

fn connect_to(socket: BorrowedFd<'_>, remote: SocketAddr, interface: u32) -> Result<(), Errno> {
    advice::ask_for(socket)?;
    connect(socket, &name(socket, remote, interface)?)
}

fn bound(from: &Sockets, address: IpAddr, local: Local) -> Result<OwnedFd, Errno> {
    let socket = socket(from, address)?;
    if address.is_ipv6() {
        set_ipv6_v6only(&socket, address != Ipv6Addr::UNSPECIFIED)?;
    }
    binding::bind(socket.as_fd(), address, local)?;
    Ok(socket)
}

fn socket(from: &Sockets, address: IpAddr) -> Result<OwnedFd, Errno> {
    from.make(family(address), SocketType::DGRAM, None)
}
