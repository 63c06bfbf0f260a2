//! The local end of a socket, as connect, announce and bind ask for it (ip(3); docs/tree.md, 5).
//!
//! Nothing here knows a protocol: who makes the socket says of which kind it is and whether its port
//! may be shared.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{getpeername, getsockname};

use super::address::Local;

/// The ports that `!r` asks for one of, as the original has them.
pub(crate) const RESTRICTED: RangeInclusive<u16> = 600..=1023;

/// Takes the local end `address` with the port that `local` asks for.
///
/// # Errors
/// The host refuses it; `ADDRNOTAVAIL` where no restricted port is left.
pub(crate) fn bind(socket: BorrowedFd<'_>, address: IpAddr, local: Local) -> Result<(), Errno> {
    if local.port != 0 || !local.restricted {
        return rustix::net::bind(socket, &SocketAddr::new(address, local.port));
    }
    for port in RESTRICTED.rev() {
        match rustix::net::bind(socket, &SocketAddr::new(address, port)) {
            Err(Errno::ADDRINUSE) => {}
            done => return done,
        }
    }
    Err(Errno::ADDRNOTAVAIL)
}

/// What `make` makes of the address of `local`; without one that is every one of both families, or
/// of IPv4 where the host has no IPv6.
///
/// # Errors
/// Those of `make`.
pub(crate) fn announced(
    local: Local,
    make: impl Fn(IpAddr) -> Result<OwnedFd, Errno>,
) -> Result<OwnedFd, Errno> {
    if let Some(address) = local.address {
        return make(address);
    }
    match make(Ipv6Addr::UNSPECIFIED.into()) {
        Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => make(Ipv4Addr::UNSPECIFIED.into()),
        made => made,
    }
}

/// Any address of the family of `remote`.
pub(crate) fn any(remote: IpAddr) -> IpAddr {
    match remote {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// The address that `bind` chose, for the local file before there is a socket to ask.
pub(crate) fn chosen(local: Local) -> SocketAddr {
    SocketAddr::new(local.address.unwrap_or(Ipv6Addr::UNSPECIFIED.into()), local.port)
}

/// The socket's own address.
pub(crate) fn local(socket: BorrowedFd<'_>) -> Option<SocketAddr> {
    getsockname(socket).ok().and_then(|name| name.try_into().ok())
}

/// The address of the other end.
pub(crate) fn remote(socket: BorrowedFd<'_>) -> Option<SocketAddr> {
    getpeername(socket).ok().flatten().and_then(|name| name.try_into().ok())
}
