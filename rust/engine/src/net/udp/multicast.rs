//! Which groups a socket belongs to, and the interfaces by which it does (docs/tree.md, 10).
//!
//! An interface is named by an address that it has; two may have the same one, of which a stack of
//! one interface means its own. Memberships end with the socket.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd};

use netrelay_proto::error::Refusal;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;
use rustix::io::Errno;
use rustix::net::sockopt::{
    set_ip_add_membership_with_ifindex, set_ip_drop_membership_with_ifindex,
    set_ip_multicast_if_with_ifindex, set_ipv6_add_membership, set_ipv6_drop_membership,
    set_ipv6_multicast_if, socket_domain,
};
use rustix::net::{AddressFamily, SocketType};

use crate::error::{errno, refusal};
use crate::net::address::Local;
use crate::net::packets::packet::plain;
use crate::net::sockets::{Sockets, family};

/// A group, and an address of the interface; both of one family.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Membership {
    group: IpAddr,
    interface: IpAddr,
}

impl Membership {
    /// One that makes sense.
    ///
    /// # Errors
    /// The texts of docs/tree.md.
    pub(crate) fn new(group: Option<IpAddr>, interface: IpAddr) -> Result<Self, Refusal> {
        let group = group.filter(IpAddr::is_multicast).ok_or(Refusal::NOT_MULTICAST)?;
        if group.is_ipv4() != interface.is_ipv4() {
            return Err(Refusal::INCOMPATIBLE_MULTICAST);
        }
        Ok(Self { group, interface })
    }

    /// Whether the stack has that interface: whether it could send by it.
    fn check(self, from: &Sockets) -> Result<(), Errno> {
        let own = Local { address: Some(self.interface), ..Local::default() };
        from.local(Some(own), None)?;
        let probe = from.make(family(self.interface), SocketType::DGRAM, None)?;
        let number = interface_of(self.interface, from)?;
        match self.interface {
            IpAddr::V4(four) => {
                set_ip_multicast_if_with_ifindex(&probe, &Ipv4Addr::UNSPECIFIED, &four, number)
            }
            IpAddr::V6(_) => set_ipv6_multicast_if(&probe, number),
        }
    }

    fn join(self, socket: BorrowedFd<'_>, from: &Sockets) -> Result<(), Refusal> {
        if self.group.is_ipv6() && socket_domain(socket) != Ok(AddressFamily::INET6) {
            return Err(Refusal::INCOMPATIBLE_MULTICAST);
        }
        let joined = interface_of(self.interface, from).and_then(|number| {
            match (self.group, self.interface) {
                (IpAddr::V4(group), IpAddr::V4(four)) => {
                    set_ip_add_membership_with_ifindex(socket, &group, &four, number)
                }
                (IpAddr::V6(group), _) => set_ipv6_add_membership(socket, &group, number),
                _ => Err(Errno::INVAL),
            }
        });
        match joined {
            // It is in the group already.
            Ok(()) | Err(Errno::ADDRINUSE) => Ok(()),
            Err(Errno::NODEV) => Err(Refusal::NOT_LOCAL),
            Err(error) => Err(refusal(error)),
        }
    }

    fn leave(self, socket: BorrowedFd<'_>, from: &Sockets) -> Result<(), Errno> {
        let number = interface_of(self.interface, from)?;
        match (self.group, self.interface) {
            (IpAddr::V4(group), IpAddr::V4(four)) => {
                set_ip_drop_membership_with_ifindex(socket, &group, &four, number)
            }
            (IpAddr::V6(group), _) => set_ipv6_drop_membership(socket, &group, number),
            _ => Err(Errno::INVAL),
        }
    }
}

/// The memberships of one conversation, before it has a socket and after.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    wanted: Vec<Membership>,
}

impl Groups {
    /// Joins, or remembers to; a second time is nothing new.
    ///
    /// # Errors
    /// The texts of docs/tree.md.
    pub(crate) fn add(
        &mut self,
        wanted: Membership,
        socket: Option<BorrowedFd<'_>>,
        from: &Sockets,
    ) -> Result<(), Refusal> {
        wanted.check(from).map_err(|_| Refusal::NOT_LOCAL)?;
        if let Some(socket) = socket {
            wanted.join(socket, from)?;
        }
        if !self.wanted.contains(&wanted) {
            self.wanted.push(wanted);
        }
        Ok(())
    }

    /// Leaves; a group that was not joined is left already.
    pub(crate) fn remove(
        &mut self,
        wanted: Membership,
        socket: Option<BorrowedFd<'_>>,
        from: &Sockets,
    ) {
        let Some(place) = self.wanted.iter().position(|each| *each == wanted) else { return };
        self.wanted.remove(place);
        if let Some(socket) = socket {
            // The interface may be gone.
            let _ = wanted.leave(socket, from);
        }
    }

    /// The socket is there.
    ///
    /// # Errors
    /// The texts of docs/tree.md.
    pub(crate) fn join_all(&self, socket: impl AsFd, from: &Sockets) -> Result<(), Refusal> {
        self.wanted.iter().try_for_each(|wanted| wanted.join(socket.as_fd(), from))
    }
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
fn interface_of(address: IpAddr, from: &Sockets) -> Result<u32, Errno> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_membership_is_of_a_group_and_one_family() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let new = |group: Option<&str>, interface| Membership::new(group.map(ip), ip(interface));
        assert_eq!(new(None, "10.0.0.1"), Err(Refusal::NOT_MULTICAST));
        assert_eq!(new(Some("10.0.0.2"), "10.0.0.1"), Err(Refusal::NOT_MULTICAST));
        assert_eq!(new(Some("224.0.0.1"), "::1"), Err(Refusal::INCOMPATIBLE_MULTICAST));
        assert!(new(Some("ff02::77"), "::1").is_ok());
    }

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
}
