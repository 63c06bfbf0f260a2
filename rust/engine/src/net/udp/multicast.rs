//! Which groups a socket belongs to, and the interfaces by which it does (docs/tree.md, 10).
//!
//! An interface is named by an address that it has; two may have the same one, of which a stack of
//! one interface means its own. Memberships end with the socket.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, BorrowedFd};

use netrelay_proto::error::Refusal;
use rustix::io::Errno;
use rustix::net::sockopt::{
    set_ip_add_membership_with_ifindex, set_ip_drop_membership_with_ifindex,
    set_ip_multicast_if_with_ifindex, set_ipv6_add_membership, set_ipv6_drop_membership,
    set_ipv6_multicast_if, socket_domain,
};
use rustix::net::{AddressFamily, SocketType};

use crate::error::refusal;
use crate::net::address::Local;
use crate::net::packets::sources::interface_of;
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
}
