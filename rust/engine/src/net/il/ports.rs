//! Ports of IL, which the kernel does not know: each is the name of a Unix socket while it is held.
//!
//! Such names (unix(7), abstract) are one network namespace's, as ports are, so that two programs, or
//! two stacks of one gateway, never have the same one; and they are gone when whoever held them is.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, connect};
use rustix::rand::{GetRandomFlags, getrandom};

use crate::net::address::Local;
use crate::net::sockets::Sockets;

/// Those that Linux gives to other protocols.
const CHOSEN: std::ops::Range<u16> = 32768..61000;
/// The ports that `!r` asks for one of, as the original has them.
const RESTRICTED: std::ops::RangeInclusive<u16> = 600..=1023;

/// A port that is held until the last of its clones is gone.
#[derive(Clone, Debug)]
pub(super) struct Port {
    pub(super) number: u16,
    _name: Arc<OwnedFd>,
}

impl Port {
    /// The port that `local` asks for; 0 lets it be chosen, hard to guess, or low if restricted.
    ///
    /// # Errors
    /// `ADDRINUSE`, or `ADDRNOTAVAIL` where none is left to choose; what the host refuses.
    pub(super) fn hold(from: &Sockets, local: Local) -> Result<Self, Errno> {
        let socket = unix(from)?;
        let take = |number: u16| match bind(&socket, &name(number)?) {
            Err(Errno::ADDRINUSE) if local.port == 0 => Ok(None),
            bound => bound.map(|()| Some(number)),
        };
        let number = if local.port != 0 {
            take(local.port)?
        } else if local.restricted {
            RESTRICTED.rev().find_map(|number| take(number).transpose()).transpose()?
        } else {
            // 28232 of them; what a random number is beyond a multiple of it does no harm.
            let first = usize::try_from(random()?).unwrap_or(0) % CHOSEN.len();
            let around = CHOSEN.skip(first).chain(CHOSEN.take(first));
            around.into_iter().find_map(|number| take(number).transpose()).transpose()?
        };
        let number = number.ok_or(Errno::ADDRNOTAVAIL)?;
        Ok(Self { number, _name: Arc::new(socket) })
    }

    /// Whether anybody in the stack's network holds a port.
    ///
    /// # Errors
    /// The host refuses.
    pub(super) fn is_held(from: &Sockets, number: u16) -> Result<bool, Errno> {
        match connect(&unix(from)?, &name(number)?) {
            Err(Errno::CONNREFUSED) => Ok(false),
            done => done.map(|()| true),
        }
    }
}

/// 32 bits that are hard to guess: a port, a first id.
///
/// # Errors
/// The host has none.
pub(super) fn random() -> Result<u32, Errno> {
    let mut bytes = [0; 4];
    getrandom(&mut bytes, GetRandomFlags::empty())?;
    Ok(u32::from_ne_bytes(bytes))
}

fn name(number: u16) -> Result<SocketAddrUnix, Errno> {
    SocketAddrUnix::new_abstract_name(format!("netrelay/il/{number}").as_bytes())
}

fn unix(from: &Sockets) -> Result<OwnedFd, Errno> {
    from.make(AddressFamily::UNIX, SocketType::DGRAM, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_held_as_long_as_anyone_has_it() {
        let own = Sockets::Own;
        let port = Port::hold(&own, Local::default()).unwrap();
        let asked = Local { port: port.number, ..Local::default() };
        assert!(CHOSEN.contains(&port.number));
        assert_eq!(Port::hold(&own, asked).err(), Some(Errno::ADDRINUSE));
        let other = port.clone();
        drop(port);
        assert_eq!(Port::is_held(&own, other.number), Ok(true));
        drop(other);
        assert_eq!(Port::is_held(&own, asked.port), Ok(false));
    }

    #[test]
    fn a_restricted_port_is_a_low_one() {
        let asked = Local { restricted: true, ..Local::default() };
        let port = Port::hold(&Sockets::Own, asked).unwrap();
        assert!(RESTRICTED.contains(&port.number));
    }
}
