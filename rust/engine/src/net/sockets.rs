//! Where the sockets of a stack come from (docs/tree.md, section 9).
//!
//! A socket is in its stack from its making on: it is made in the stack's network namespace, bound to
//! its interface, or given its address. So nothing that is done with a socket later need know of
//! stacks.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::socket::{setsockopt, sockopt::BindToDevice};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, bind, socket_with};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::address::Local;
use crate::config::{StackConfig, StackKind};
use crate::error::errno;

/// Makes the sockets of one stack.
#[derive(Debug)]
pub(crate) enum Sockets {
    /// Those of the process.
    Own,
    /// Of a network namespace; `home` is the one that the workers are in.
    Namespace {
        /// Where they are made.
        inside: OwnedFd,
        /// Where the thread goes back to.
        home: OwnedFd,
    },
    /// Bound to an interface.
    Device(Box<str>),
    /// With a local address.
    Address(IpAddr),
}

impl Sockets {
    /// The sockets of a configured stack. The thread that calls is in the workers' namespace.
    ///
    /// # Errors
    /// There is no such namespace, interface or local address, or it may not be used.
    pub(crate) fn new(config: &StackConfig) -> Result<Self, io::Error> {
        let value = config.value.as_str();
        let sockets = match config.kind {
            StackKind::Namespace => {
                let named = format!("{NAMED}/{value}");
                let path = if value.contains('/') { value } else { &named };
                Self::Namespace { inside: namespace(path)?, home: namespace(HOME)? }
            }
            StackKind::Device => Self::Device(value.into()),
            StackKind::Address => Self::Address(value.parse().map_err(io::Error::other)?),
        };
        // What can't be had is refused now and not at the first dial.
        let own = sockets.address().unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        let probe = sockets.make(family(own), SocketType::DGRAM, None)?;
        bind(&probe, &SocketAddr::new(own, 0))?;
        Ok(sockets)
    }

    /// A socket that does not block and is closed on exec.
    ///
    /// # Errors
    /// The host refuses.
    pub(crate) fn make(
        &self,
        family: AddressFamily,
        kind: SocketType,
        protocol: Option<Protocol>,
    ) -> Result<OwnedFd, Errno> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = self.inside(|| socket_with(family, kind, flags, protocol))??;
        if let Self::Device(name) = self {
            let name = name.to_string().into();
            setsockopt(&socket, BindToDevice, &name).map_err(errno)?;
        }
        Ok(socket)
    }

    /// The local end to use where `wanted` is asked for, to reach `remote` if that is given.
    ///
    /// # Errors
    /// `ADDRNOTAVAIL` of an address that is not the stack's, `NETUNREACH` of a remote one that it
    /// can't reach.
    pub(crate) fn local(
        &self,
        wanted: Option<Local>,
        remote: Option<IpAddr>,
    ) -> Result<Option<Local>, Errno> {
        let Some(own) = self.address() else { return Ok(wanted) };
        if remote.is_some_and(|remote| remote.is_ipv4() != own.is_ipv4()) {
            return Err(Errno::NETUNREACH);
        }
        let wanted = wanted.unwrap_or_default();
        match wanted.address {
            Some(address) if address != own => Err(Errno::ADDRNOTAVAIL),
            _ => Ok(Some(Local { address: Some(own), ..wanted })),
        }
    }

    /// A file of /proc/net as the stack has it; nothing where the host does not tell.
    pub(crate) fn proc(&self, name: &str) -> String {
        // Not /proc/net, which is the process's first thread's.
        let path = format!("/proc/thread-self/net/{name}");
        let text = self.inside(|| fs::read_to_string(path).unwrap_or_default());
        text.unwrap_or_default()
    }

    /// The only address that it has, if it is that kind of stack.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            _ => None,
        }
    }

    /// The only interface that it has, if it is that kind of stack.
    pub(crate) fn device(&self) -> Option<&str> {
        match self {
            Self::Device(name) => Some(name),
            _ => None,
        }
    }

    /// Does `act` while this thread is in the stack's network namespace.
    ///
    /// Aborts the process if the thread can't go back: a worker that is in another network than it
    /// believes would dial from there for everybody. Linux refuses that to nobody who came from
    /// there a moment ago.
    fn inside<T>(&self, act: impl FnOnce() -> T) -> Result<T, Errno> {
        let Self::Namespace { inside, home } = self else { return Ok(act()) };
        let network = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(inside.as_fd(), network)?;
        let result = act();
        if move_into_link_name_space(home.as_fd(), network).is_err() {
            std::process::abort();
        }
        Ok(result)
    }
}

/// The family of an address.
pub(crate) fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    }
}

fn namespace(path: &str) -> Result<OwnedFd, Errno> {
    open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// Where ip-netns(8) keeps namespaces by name.
const NAMED: &str = "/run/netns";
/// The namespace of the thread that looks.
const HOME: &str = "/proc/thread-self/ns/net";

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(kind: StackKind, value: &str) -> Result<Sockets, io::Error> {
        Sockets::new(&StackConfig { name: "alt".into(), kind, value: value.into() })
    }

    #[test]
    fn a_stack_that_can_not_be_had_is_refused_at_once() {
        for (kind, value) in [
            (StackKind::Namespace, "no-such-namespace"),
            (StackKind::Namespace, "/etc/hostname"),
            (StackKind::Device, "nosuchdevice0"),
            (StackKind::Address, "240.0.0.1"),
            (StackKind::Address, "x"),
        ] {
            assert!(stack(kind, value).is_err(), "{value}");
        }
        assert!(stack(StackKind::Address, "127.0.0.2").is_ok());
    }

    #[test]
    fn a_stack_of_an_address_has_no_other() {
        let sockets = stack(StackKind::Address, "127.0.0.2").unwrap();
        let own: IpAddr = "127.0.0.2".parse().unwrap();
        let at = |port| Local { address: Some(own), port, restricted: false };
        let any = Local { port: 7, ..Local::default() };
        assert_eq!(sockets.local(None, None), Ok(Some(at(0))));
        assert_eq!(sockets.local(Some(any), Some(own)), Ok(Some(at(7))));
        assert_eq!(sockets.local(Some(at(7)), None), Ok(Some(at(7))));
        let other = Local { address: Some("127.0.0.1".parse().unwrap()), ..any };
        assert_eq!(sockets.local(Some(other), None), Err(Errno::ADDRNOTAVAIL));
        let six = Some("::1".parse().unwrap());
        assert_eq!(sockets.local(None, six), Err(Errno::NETUNREACH));
        assert_eq!(Sockets::Own.local(Some(other), six), Ok(Some(other)));
    }

    #[test]
    fn proc_is_the_stacks() {
        assert!(Sockets::Own.proc("snmp").contains("Tcp:"));
        assert_eq!(Sockets::Own.proc("nothing"), "");
    }
}
