//! TCP sockets: how they are made, named, tuned and reset.
//!
//! Nothing here blocks and nothing here decides: addresses come parsed and permitted, and a host
//! that refuses is reported by its errno. Every socket is non-blocking, closed on exec, and sends
//! without Nagle's delay, because a Twrite is the client's own unit.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{
    set_ip_tos, set_ip_ttl, set_ipv6_unicast_hops, set_ipv6_v6only, set_socket_keepalive,
    set_socket_linger, set_socket_reuseaddr, set_tcp_keepidle, set_tcp_keepintvl, set_tcp_nodelay,
    socket_error,
};
use rustix::net::{
    SocketAddrAny, SocketFlags, SocketType, accept_with, bind, connect, getpeername, getsockname,
    listen,
};

use crate::net::address::Local;
use crate::net::sockets::{Sockets, family};

/// Completed calls that the host keeps for an announced conversation until they are listened for.
const BACKLOG: i32 = 128;

/// The ports that `!r` asks for one of, as the original has them.
const RESTRICTED: RangeInclusive<u16> = 600..=1023;

/// Options of ctl that outlive the socket they were set before.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tuning {
    pub(crate) ttl: Option<u8>,
    pub(crate) tos: Option<u8>,
}

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
        bind_to(socket.as_fd(), local.address.unwrap_or(any(remote.ip())), local)?;
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
    if local.restricted && local.port == 0 {
        // Two families can't be given the same port of a range without a race; nobody asks.
        return Err(Errno::ADDRNOTAVAIL);
    }
    let listener = match local.address {
        Some(address) => listener(from, address, local.port, tuning)?,
        None => match listener(from, Ipv6Addr::UNSPECIFIED.into(), local.port, tuning) {
            Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => {
                listener(from, Ipv4Addr::UNSPECIFIED.into(), local.port, tuning)?
            }
            made => made?,
        },
    };
    listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// Checks that `local` may be bound, without taking it; the end that it is in this stack.
///
/// # Errors
/// The host refuses the address or the port.
pub(crate) fn probe(from: &Sockets, local: Local) -> Result<Local, Errno> {
    let local = from.local(Some(local), None)?.unwrap_or(local);
    let address = local.address.unwrap_or(Ipv6Addr::UNSPECIFIED.into());
    let socket = socket(from, address)?;
    bind_to(socket.as_fd(), address, local)?;
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

/// The address that `bind` chose, for the local file before there is a socket to ask.
pub(crate) fn chosen(local: Local) -> SocketAddr {
    SocketAddr::new(local.address.unwrap_or(Ipv6Addr::UNSPECIFIED.into()), local.port)
}

/// The socket's own address.
pub(crate) fn local(socket: BorrowedFd<'_>) -> Option<SocketAddr> {
    getsockname(socket).ok().and_then(address)
}

/// The address of the other end.
pub(crate) fn remote(socket: BorrowedFd<'_>) -> Option<SocketAddr> {
    getpeername(socket).ok().flatten().and_then(address)
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

/// Applies ttl and tos.
///
/// # Errors
/// The host refuses one.
pub(crate) fn tune(socket: BorrowedFd<'_>, tuning: Tuning) -> Result<(), Errno> {
    if tuning == Tuning::default() {
        return Ok(());
    }
    let six = matches!(local(socket), Some(SocketAddr::V6(_)));
    if let Some(ttl) = tuning.ttl {
        // 0 is no hop count that the host takes; nothing would leave with it either way.
        let ttl = u32::from(ttl.max(1));
        if six {
            set_ipv6_unicast_hops(socket, Some(u8::try_from(ttl).unwrap_or(u8::MAX)))?;
        } else {
            set_ip_ttl(socket, ttl)?;
        }
    }
    if let Some(tos) = tuning.tos {
        set_ip_tos(socket, tos)?;
    }
    Ok(())
}

fn listener(from: &Sockets, address: IpAddr, port: u16, tuning: Tuning) -> Result<OwnedFd, Errno> {
    let socket = socket(from, address)?;
    set_socket_reuseaddr(&socket, true)?;
    if let IpAddr::V6(address) = address {
        set_ipv6_v6only(&socket, !address.is_unspecified())?;
    }
    tune(socket.as_fd(), tuning)?;
    bind(&socket, &SocketAddr::new(address, port))?;
    Ok(socket)
}

fn bind_to(socket: BorrowedFd<'_>, address: IpAddr, local: Local) -> Result<(), Errno> {
    set_socket_reuseaddr(socket, true)?;
    if local.port != 0 || !local.restricted {
        return bind(socket, &SocketAddr::new(address, local.port));
    }
    for port in RESTRICTED.rev() {
        match bind(socket, &SocketAddr::new(address, port)) {
            Err(Errno::ADDRINUSE) => {}
            done => return done,
        }
    }
    Err(Errno::ADDRNOTAVAIL)
}

fn socket(from: &Sockets, address: IpAddr) -> Result<OwnedFd, Errno> {
    from.make(family(address), SocketType::STREAM, None)
}

/// Any address of the family of `remote`.
fn any(remote: IpAddr) -> IpAddr {
    match remote {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

fn address(any: SocketAddrAny) -> Option<SocketAddr> {
    SocketAddr::try_from(any).ok()
}
