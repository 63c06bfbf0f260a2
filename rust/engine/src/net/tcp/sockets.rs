//! TCP sockets: how they are made, probed and reset.
//!
//! Nothing here blocks and nothing here decides: addresses come parsed and permitted, and a host
//! that refuses is reported by its errno. Every socket is non-blocking, closed on exec, and sends
//! without Nagle's delay, because a Twrite is the client's own unit.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{
    set_ipv6_v6only, set_socket_keepalive, set_socket_linger, set_socket_reuseaddr,
    set_tcp_keepidle, set_tcp_keepintvl, set_tcp_nodelay, socket_error,
};
use rustix::net::{SocketFlags, SocketType, accept_with, connect, getpeername, listen};

use crate::net::address::Local;
use crate::net::binding;
use crate::net::sockets::{Sockets, family};
use crate::net::tuning::{Tuning, tune};

/// Completed calls that the host keeps for an announced conversation until they are listened for.
const BACKLOG: i32 = 128;

/// Starts a connection; its outcome is known when the socket becomes writable.
///
/// # Errors
/// The host refuses at once; `ADDRNOTAVAIL` without `local` means that it has no port left.
pub(crate) fn dial(
    from: &Sockets,
    remote: SocketAddr,
    local: Option<Local>,
    tuning: Tuning,
) -> Result<OwnedFd, Errno> {
    let local = from.local(local, Some(remote.ip()))?;
    let socket = socket(from, remote.ip())?;
    set_tcp_nodelay(&socket, true)?;
    tune(socket.as_fd(), tuning)?;
    if let Some(local) = local {
        let address = local.address.unwrap_or(binding::any(remote.ip()));
        bind(socket.as_fd(), address, local)?;
    }
    match connect(&socket, &remote) {
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(socket),
        Err(error) => Err(error),
    }
}

/// Whether a connection in progress is up: `None` while it is not known.
pub(crate) fn dialled(socket: BorrowedFd<'_>) -> Option<Result<(), Errno>> {
    match socket_error(socket) {
        Ok(Err(error)) | Err(error) => Some(Err(error)),
        // An event left over from the number's former conversation must not count as success.
        Ok(Ok(())) => getpeername(socket).ok().flatten().map(|_| Ok(())),
    }
}

/// Takes calls at `local`; without an address at every one of both families, or of IPv4 where the
/// host has no IPv6.
///
/// # Errors
/// The host refuses the address or the port.
pub(crate) fn announce(from: &Sockets, local: Local, tuning: Tuning) -> Result<OwnedFd, Errno> {
    let local = from.local(Some(local), None)?.unwrap_or(local);
    binding::announced(local, |address| {
        let listener = bound(from, address, local, tuning)?;
        listen(&listener, BACKLOG)?;
        Ok(listener)
    })
}

/// Checks that `local` may be bound, without taking it; the end that it is in this stack.
///
/// # Errors
/// The host refuses the address or the port.
pub(crate) fn probe(from: &Sockets, local: Local) -> Result<Local, Errno> {
    let local = from.local(Some(local), None)?.unwrap_or(local);
    let address = local.address.unwrap_or(Ipv6Addr::UNSPECIFIED.into());
    let socket = socket(from, address)?;
    bind(socket.as_fd(), address, local)?;
    Ok(local)
}

/// Takes one call off a listener: its socket and who calls.
///
/// # Errors
/// `AGAIN` when none waits; anything else is about that call or the host's room.
pub(crate) fn accept(listener: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    loop {
        match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
            Ok(socket) => {
                // A caller that has gone again already is found out by the first read.
                let _ = set_tcp_nodelay(&socket, true);
                return Ok(socket);
            }
            Err(Errno::INTR | Errno::CONNABORTED) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Has the close of `socket` reset the connection instead of finishing it.
pub(crate) fn reset_on_close(socket: BorrowedFd<'_>) {
    // Only a socket that is no longer connected refuses, and that has nothing to reset.
    let _ = set_socket_linger(socket, Some(Duration::ZERO));
}

/// Probes the other end after `idle` of silence, and as often again.
///
/// # Errors
/// The host refuses the interval.
pub(crate) fn keep_alive(socket: BorrowedFd<'_>, idle: Duration) -> Result<(), Errno> {
    // The host counts whole seconds, 1 to 32767.
    let idle = Duration::from_secs(idle.as_secs().clamp(1, 32_767));
    set_socket_keepalive(socket, true)?;
    set_tcp_keepidle(socket, idle)?;
    set_tcp_keepintvl(socket, idle)
}

fn bound(from: &Sockets, address: IpAddr, local: Local, tuning: Tuning) -> Result<OwnedFd, Errno> {
    let socket = socket(from, address)?;
    if let IpAddr::V6(address) = address {
        set_ipv6_v6only(&socket, !address.is_unspecified())?;
    }
    tune(socket.as_fd(), tuning)?;
    bind(socket.as_fd(), address, local)?;
    Ok(socket)
}

fn bind(socket: BorrowedFd<'_>, address: IpAddr, local: Local) -> Result<(), Errno> {
    // The port of calls that have just ended may be had again.
    set_socket_reuseaddr(socket, true)?;
    binding::bind(socket, address, local)
}

fn socket(from: &Sockets, address: IpAddr) -> Result<OwnedFd, Errno> {
    from.make(family(address), SocketType::STREAM, None)
}
