//! What a conversation of icmp or icmpv6 does its own way.
//!
//! It is told from others by its id, which is its local port, so that the host's ping and those of
//! other conversations never hear each other's replies. Without the grant it sends echo requests and
//! takes their replies, and nothing else.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use netrelay_proto::error::Refusal;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::header::{self, V4, V6, Version, numbered};
use super::sockets::{self, Made};
use super::verbs::Headers;
use crate::net::address::Local;
use crate::net::binding;
use crate::net::claims::{Claim, Item};
use crate::net::conversation::State;
use crate::net::ctl::Command;
use crate::net::host::Host;
use crate::net::packets::packet::{LARGEST, Way, send_to_peer};
use crate::net::packets::raw::unheaded;
use crate::net::packets::rules::{Base, Given, Rules, Trouble};
use crate::net::packets::sources::{check_local, send_between};
use crate::net::random;
use crate::tree::protocol::Protocol;

/// What only a conversation of icmp or icmpv6 has.
#[derive(Debug, Default)]
pub(crate) struct Icmp {
    /// 0 where it has none yet.
    number: u16,
    claim: Option<Claim>,
    /// Its packets come with their IP headers.
    headed: bool,
    headers: bool,
}

impl Rules for Icmp {
    type Verb = Headers;

    fn check(&self, command: &Command<Headers>, base: &Base) -> Result<(), Refusal> {
        command.check_family(version(base).family)
    }

    fn dial(
        &mut self,
        remote: SocketAddr,
        local: Option<Local>,
        base: &Base,
        host: &Host,
    ) -> Result<OwnedFd, Trouble> {
        let from = &host.stack(base.key).sockets;
        // The address first: that it can't be had is said before its port is looked at.
        let local = from.local(local, Some(remote.ip()))?.unwrap_or_default();
        let made = made(base, host);
        self.numbered(local, base, host, |local| {
            sockets::dial(from, version(base), remote, local, made)
        })
    }

    fn announce(&mut self, local: Local, base: &Base, host: &Host) -> Result<OwnedFd, Trouble> {
        let from = &host.stack(base.key).sockets;
        let made = made(base, host);
        self.numbered(local, base, host, |local| {
            sockets::announce(from, version(base), local, made)
        })
    }

    fn probe(&self, local: Local, base: &Base, host: &Host) -> Result<Local, Errno> {
        let stack = host.stack(base.key);
        if stack.claims.holds(item(local.port, base)) {
            return Err(Errno::ADDRINUSE);
        }
        check_local(local, &stack.sockets)
    }

    fn name(&self, socket: BorrowedFd<'_>) -> Option<SocketAddr> {
        Some(SocketAddr::new(binding::local(socket)?.ip(), self.number))
    }

    fn command(&mut self, _: Headers, base: &mut Base, host: &Host) -> Result<(), Refusal> {
        if *version(base) == V4 {
            return Err(Refusal::UNKNOWN_CONTROL);
        }
        host.shared.granted(GRANT)?;
        self.headers = true;
        Ok(())
    }

    fn carries(&self, state: State) -> bool {
        matches!(state, State::Connected | State::Announced)
    }

    fn status(&self, _: bool, queues: &str, _: &Base, _: &Host) -> String {
        format!("Datagram {queues}\n")
    }

    fn unread(&self, socket: BorrowedFd<'_>, base: &Base, host: &mut Host) -> usize {
        // A ping socket has no ioctl to say so.
        let mut room = host.pool.take(LARGEST);
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let length = recv(socket, room.room(LARGEST), flags).map(|(_, length)| length);
        host.pool.give(room);
        let more = if self.headed { 0 } else { version(base).header };
        length.map_or(0, |length| length + more)
    }

    fn sent(&self, quoted: &[u8], _: Option<IpAddr>) -> bool {
        header::read(quoted).is_some_and(|(_, _, number)| number == self.number)
    }

    fn text(&self, way: &Way, data: &[u8], base: &Base, host: &Host) -> Given {
        let version = version(base);
        let message = if self.headed { unheaded(data, version.family) } else { data };
        let remote = base.remote.is_none_or(|remote| remote.ip() == way.remote.ip());
        let local = base.local.map(|local| local.ip()).filter(|local| !local.is_unspecified());
        // One that came before its socket was connected may be anybody's.
        if !remote || local.is_some_and(|local| way.local != Some(local)) {
            return Given::Nothing;
        }
        if !self.takes(message, version, host) {
            return Given::Nothing;
        }
        Given::Text(header::whole(way, message, version))
    }

    fn send(&self, data: &[u8], base: &Base, host: &Host) -> Result<bool, Trouble> {
        let version = version(base);
        let Some(socket) = base.socket() else { return Err(Refusal::HUNGUP.into()) };
        if base.remote.is_none() && !self.headers {
            return Err(Refusal::HUNGUP.into());
        }
        let message = data.get(version.header..).unwrap_or_default();
        let Some((kind, code, number)) = header::read(message) else { return Ok(false) };
        if (kind, code) != (version.request, 0) {
            host.shared.granted(GRANT)?;
        }
        if self.headers {
            // The addresses of the header.
            let ends = (end(data, 8), end(data, 24));
            host.shared.guard.check(ends.1)?;
            let message = numbered(message, number, version);
            send_between(socket, ends, &message, &host.stack(base.key).sockets)?;
        } else {
            send_to_peer(socket, &numbered(message, self.number, version))?;
        }
        Ok(true)
    }

    fn closing(&mut self) {
        self.claim = None;
    }
}

impl Icmp {
    /// The socket that `make` makes with the first id that can be had, which is this conversation's
    /// then.
    fn numbered(
        &mut self,
        local: Local,
        base: &Base,
        host: &Host,
        make: impl Fn(Local) -> Result<OwnedFd, Errno>,
    ) -> Result<OwnedFd, Trouble> {
        let claims = &host.stack(base.key).claims;
        let begin = random::below(CHOSEN_COUNT)?;
        let chosen = (0..CHOSEN_COUNT).map(|index| CHOSEN + (begin + index) % CHOSEN_COUNT);
        let numbers: Box<dyn Iterator<Item = u16>> = match local {
            Local { port: 0, restricted: true, .. } => Box::new(binding::RESTRICTED.rev()),
            Local { port: 0, .. } => Box::new(chosen),
            Local { port, .. } => Box::new(std::iter::once(port)),
        };
        for port in numbers {
            let Some(claim) = claims.take(item(port, base)) else { continue };
            match make(Local { port, ..local }) {
                Err(Errno::ADDRINUSE) => {}
                made => {
                    let socket = made?;
                    self.headed = sockets::headed(socket.as_fd(), version(base));
                    self.number = port;
                    self.claim = Some(claim);
                    return Ok(socket);
                }
            }
        }
        Err(if local.port == 0 { Errno::ADDRNOTAVAIL } else { Errno::ADDRINUSE }.into())
    }

    fn takes(&self, message: &[u8], version: &Version, host: &Host) -> bool {
        let Some((kind, _, number)) = header::read(message) else { return false };
        let kinds = if host.shared.granted(GRANT).is_ok() {
            !version.never.contains(&kind)
        } else {
            kind == version.reply
        };
        // Of packets without a header the host has looked at the checksum.
        kinds && number == self.number && (!self.headed || header::checksum(message) == 0)
    }
}

/// An address of IPv6 in a header.
fn end(header: &[u8], at: usize) -> IpAddr {
    let bytes = header.get(at..).and_then(<[u8]>::first_chunk::<16>);
    Ipv6Addr::from(bytes.copied().unwrap_or_default()).into()
}

fn version(base: &Base) -> &'static Version {
    if base.key.branch.protocol == Protocol::Icmp { &V4 } else { &V6 }
}

fn item(port: u16, base: &Base) -> Item {
    Item { protocol: base.key.branch.protocol, remote: None, number: port.into() }
}

fn made(base: &Base, host: &Host) -> Made {
    Made { all_types: host.shared.granted(GRANT).is_ok(), tuning: base.tuning }
}

/// What lets through more than echo requests and their replies.
const GRANT: &str = "icmp-raw";

/// The ids that are chosen from, as many as there are from there on.
const CHOSEN: u16 = 32768;
const CHOSEN_COUNT: u16 = 32768;
