//! Which addresses a packet may be sent from, and by which interface (docs/tree.md, section 10).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};

use netrelay_proto::error::Refusal;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_broadcast;
use rustix::net::{SocketType, bind, connect};

use super::packet::{name, plain, send};
use super::rules::Trouble;
use crate::error::errno;
use crate::net::address::Local;
use crate::net::binding;
use crate::net::sockets::{Sockets, family};

/// Whether it is a unicast address of the stack's.
///
/// # Errors
/// `not a local IP address`.
pub(crate) fn check_own(address: IpAddr, from: &Sockets) -> Result<(), Refusal> {
    let own = || {
        from.local(Some(Local { address: Some(address), ..Local::default() }), None)?;
        interface_of(address, from)?;
        if address.is_ipv6() {
            return Ok(());
        }
        let probe = from.make(family(address), SocketType::DGRAM, None)?;
        bind(&probe, &SocketAddr::new(address, 0))?;
        // What is for many can be bound to, but not called by who has not asked for that.
        connect(&probe, &SocketAddr::new(address, ANY_PORT))
    };
    if address.is_multicast() || own().is_err() { Err(Refusal::NOT_LOCAL) } else { Ok(()) }
}

/// Whether a local address may be had; the end that it is in this stack.
///
/// # Errors
/// The host refuses.
pub(crate) fn check_local(local: Local, from: &Sockets) -> Result<Local, Errno> {
    let local = from.local(Some(local), None)?.unwrap_or(local);
    if let Some(address) = local.address {
        bind(from.make(family(address), SocketType::DGRAM, None)?, &SocketAddr::new(address, 0))?;
    }
    Ok(local)
}

/// The address from which the host would send to one.
///
/// # Errors
/// It can't.
pub(crate) fn check_route(to: IpAddr, interface: u32, from: &Sockets) -> Result<IpAddr, Errno> {
    let probe = from.make(family(to), SocketType::DGRAM, None)?;
    set_socket_broadcast(&probe, true)?;
    connect(&probe, &name(probe.as_fd(), SocketAddr::new(to, ANY_PORT), interface)?)?;
    let local = binding::local(probe.as_fd()).ok_or(Errno::NETUNREACH)?;
    Ok(local.ip().to_canonical())
}

/// Sends one packet from an address; zeros are chosen by the host.
///
/// # Errors
/// `not a local IP address`; the host refuses.
pub(crate) fn send_between(
    socket: BorrowedFd<'_>,
    (source, to): (IpAddr, IpAddr),
    data: &[u8],
    from: &Sockets,
) -> Result<(), Trouble> {
    if to.to_canonical() != to {
        return Err(Errno::NETUNREACH.into());
    }
    let own = Some(source).filter(|source| !source.is_unspecified());
    let own = own.map(|source| {
        check_own(source, from)?;
        Ok::<_, Trouble>((source, sending_by(to, source, from)?))
    });
    Ok(send(socket, data, SocketAddr::new(to, 0), own.transpose()?)?)
}

/// The interface by which a packet from `source` has to leave; 0 where the route says it.
///
/// # Errors
/// There is none.
pub(crate) fn sending_by(to: IpAddr, source: IpAddr, from: &Sockets) -> Result<u32, Errno> {
    match (to, source) {
        (IpAddr::V6(to), IpAddr::V6(source)) if to.is_multicast() || to.is_unicast_link_local() => {
            interface_of(source.into(), from)
        }
        _ => Ok(0),
    }
}

/// The number of the stack's interface that has an address; 0 where the host finds it by that.
///
/// # Errors
/// `NODEV` if none has.
pub(crate) fn interface_of(address: IpAddr, from: &Sockets) -> Result<u32, Errno> {
    match (from.device(), address) {
        (Some(device), _) if has(device, address)? => if_nametoindex(device).map_err(errno),
        (Some(_), _) => Err(Errno::NODEV),
        (None, IpAddr::V4(_)) => Ok(0),
        (None, IpAddr::V6(six)) => listed(six, &from.proc("if_inet6")).ok_or(Errno::NODEV),
    }
}

/// Whether an interface has an address. It is asked where the worker is: a stack of an interface is
/// in no other namespace.
fn has(device: &str, address: IpAddr) -> Result<bool, Errno> {
    let mut all = getifaddrs().map_err(errno)?;
    Ok(all.any(|each| {
        // An address of IPv4 is listed by its label, `eth0:1`.
        let name = each.interface_name.split(':').next();
        let own = each.address.as_ref().and_then(plain).map(|own| own.ip());
        name == Some(device) && own == Some(address)
    }))
}

/// The number of the first interface that `if_inet6` of /proc has an address of.
fn listed(address: Ipv6Addr, text: &str) -> Option<u32> {
    let wanted = format!("{:032x}", address.to_bits());
    text.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some(&wanted)).then(|| u32::from_str_radix(words.next()?, 16).ok())?
    })
}

/// Nothing is sent there.
const ANY_PORT: u16 = 9;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn the_loopback_interface_is_the_first() {
        assert_eq!(interface_of(Ipv6Addr::LOCALHOST.into(), &Sockets::Own), Ok(1));
        let nobodys = "2001:db8::1".parse().unwrap();
        assert_eq!(interface_of(nobodys, &Sockets::Own), Err(Errno::NODEV));
    }

    #[test]
    fn a_stack_of_an_interface_has_the_addresses_of_that() {
        let lo = Sockets::Device("lo".into());
        assert_eq!(interface_of(Ipv4Addr::LOCALHOST.into(), &lo), Ok(1));
        assert_eq!(interface_of(Ipv6Addr::LOCALHOST.into(), &lo), Ok(1));
        let nobodys = "240.0.0.1".parse().unwrap();
        assert_eq!(interface_of(nobodys, &lo), Err(Errno::NODEV));
    }

    #[test]
    fn what_is_for_many_is_nobodys_own() {
        let own = |text: &str| check_own(text.parse().unwrap(), &Sockets::Own).is_ok();
        assert!(own("127.0.0.1") && own("127.0.0.9"));
        for other in ["192.0.2.1", "224.0.0.1", "127.255.255.255", "ff02::1", "2001:db8::1"] {
            assert!(!own(other), "{other}");
        }
    }
}
