//! ttl and tos: options of ctl that outlive the socket that they were set before (ip(3)).

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::net::sockopt::{
    set_ip_tos, set_ip_ttl, set_ipv6_tclass, set_ipv6_unicast_hops, socket_domain, socket_type,
};
use rustix::net::{AddressFamily, SocketType};

/// What was asked for; none is as the host has it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tuning {
    pub(crate) ttl: Option<u8>,
    pub(crate) tos: Option<u8>,
}

impl Tuning {
    /// The ttl as the host takes it: it knows no 0, with which nothing would leave either.
    pub(crate) fn hops(self) -> Option<u8> {
        self.ttl.map(|ttl| ttl.max(1))
    }
}

/// Whether a socket has options of IPv4, and of IPv6.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Families {
    pub(crate) four: bool,
    pub(crate) six: bool,
}

/// Those of a socket: one of IPv6 has both, unless it is raw.
///
/// # Errors
/// It is no socket.
pub(crate) fn families(socket: BorrowedFd<'_>) -> Result<Families, Errno> {
    let six = socket_domain(socket)? == AddressFamily::INET6;
    let four = !six || socket_type(socket)? != SocketType::RAW;
    Ok(Families { four, six })
}

/// Applies ttl and tos.
///
/// # Errors
/// The host refuses one.
pub(crate) fn tune(socket: BorrowedFd<'_>, tuning: Tuning) -> Result<(), Errno> {
    if tuning == Tuning::default() {
        return Ok(());
    }
    let Families { four, six } = families(socket)?;
    if let Some(hops) = tuning.hops() {
        if four {
            set_ip_ttl(socket, hops.into())?;
        }
        if six {
            set_ipv6_unicast_hops(socket, Some(hops))?;
        }
    }
    if let Some(tos) = tuning.tos {
        if four {
            set_ip_tos(socket, tos)?;
        }
        if six {
            set_ipv6_tclass(socket, tos.into())?;
        }
    }
    Ok(())
}
