//! What a conversation of gre does its own way.
//!
//! It is with one host and about one encapsulated protocol, and no other conversation of the stack is
//! about both. Its socket is not connected, as `raw` lets it hear anybody at any time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use netrelay_proto::error::Refusal;
use rustix::io::Errno;
use rustix::net::AddressFamily;

use super::verbs::Verb;
use crate::net::address::Local;
use crate::net::claims::{Claim, Item};
use crate::net::conversation::State;
use crate::net::ctl::Command;
use crate::net::filter::Step;
use crate::net::host::Host;
use crate::net::packets::advice;
use crate::net::packets::packet::Way;
use crate::net::packets::raw::{
    ALL, HALF, IF_ANY_OF, IF_AT_LEAST, IF_EQUAL, LENGTH, LESS_X, NOTHING, behind_ip, raw, unheaded,
};
use crate::net::packets::rules::{Base, Given, Rules, Trouble};
use crate::net::packets::sources::{check_local, check_route, send_between};
use crate::net::sockets::{Sockets, family};

/// What only a conversation of gre has.
#[derive(Debug, Default)]
pub(crate) struct Gre {
    raw: bool,
    /// Its host and protocol, which are its own.
    claim: Option<Claim>,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
}

impl Rules for Gre {
    type Verb = Verb;

    fn check(&self, command: &Command<Verb>, _: &Base) -> Result<(), Refusal> {
        let Command::Connect { remote, .. } = command else { return Ok(()) };
        command.check_family(family(remote.socket.ip()))
    }

    fn permit(&self, host: &Host) -> Result<(), Refusal> {
        host.shared.granted("gre")
    }

    fn dial(
        &mut self,
        remote: SocketAddr,
        local: Option<Local>,
        base: &Base,
        host: &Host,
    ) -> Result<OwnedFd, Trouble> {
        let stack = host.stack(base.key);
        let local = stack.sockets.local(local, Some(remote.ip()))?.unwrap_or_default();
        let own = match local.address {
            Some(own) => own,
            None => check_route(remote.ip(), 0, &stack.sockets)?,
        };
        let peer = Item {
            protocol: base.key.branch.protocol,
            remote: Some(remote.ip()),
            number: remote.port().into(),
        };
        let claim = stack.claims.take(peer).ok_or(Refusal::ALREADY_CONNECTED)?;
        let socket = socket(remote, local.address, base, &stack.sockets)?;
        self.claim = Some(claim);
        self.local = Some(SocketAddr::new(own, local.port));
        self.remote = Some(remote);
        Ok(socket)
    }

    fn announce(&mut self, _: Local, _: &Base, _: &Host) -> Result<OwnedFd, Trouble> {
        Err(Refusal::GRE_ANNOUNCE.into())
    }

    fn probe(&self, local: Local, base: &Base, host: &Host) -> Result<Local, Errno> {
        check_local(local, &host.stack(base.key).sockets)
    }

    fn name(&self, _: BorrowedFd<'_>) -> Option<SocketAddr> {
        self.local
    }

    fn command(&mut self, verb: Verb, _: &mut Base, _: &Host) -> Result<(), Refusal> {
        self.raw = verb == Verb::Raw;
        Ok(())
    }

    fn carries(&self, state: State) -> bool {
        state == State::Connected
    }

    fn status(&self, _: bool, _: &str, base: &Base, host: &Host) -> String {
        let open = if host.in_use(base.key) { "Open " } else { "Closed " };
        let raw = if self.raw { "raw " } else { "" };
        format!(
            "{open}{raw}hoa 0.0.0.0 north 0.0.0.0 south 0.0.0.0 seq 0 pending 0  0 \
             buffered dl 0 0 ul 0 0 ulkey 00000000\n"
        )
    }

    fn sent(&self, quoted: &[u8], to: Option<IpAddr>) -> bool {
        let protocol = header(quoted).map(|(_, protocol)| protocol);
        to == self.remote.map(|remote| remote.ip())
            && protocol == self.remote.map(|remote| remote.port())
    }

    fn text(&self, way: &Way, data: &[u8], base: &Base, host: &Host) -> Given {
        let Some(remote) = self.remote else { return Given::Nothing };
        if !self.raw && way.remote.ip() != remote.ip() {
            return Given::Nothing;
        }
        let totals = &host.stack(base.key).gre;
        let message = unheaded(data, family(remote.ip()));
        let Some((flags, protocol)) = header(message) else {
            totals.short();
            return Given::Nothing;
        };
        if flags & ROUTING != 0 || protocol != remote.port() {
            return Given::Nothing;
        }
        let mut text = Vec::with_capacity(32 + message.len());
        for end in [Some(way.remote.ip()), way.local].into_iter().flatten() {
            match end {
                IpAddr::V4(four) => text.extend_from_slice(&four.octets()),
                IpAddr::V6(six) => text.extend_from_slice(&six.octets()),
            }
        }
        text.extend_from_slice(message);
        totals.took(text.len());
        Given::Text(text)
    }

    fn send(&self, data: &[u8], base: &Base, host: &Host) -> Result<bool, Trouble> {
        let (Some(socket), Some(remote)) = (base.socket(), self.remote) else {
            return Err(Refusal::HUNGUP.into());
        };
        let Some(((source, to), message)) = ends(data, remote.ip()) else { return Ok(false) };
        let Some((flags, _)) = header(message) else { return Ok(false) };
        let (to, message) = if self.raw {
            (to, message.to_vec())
        } else {
            let head = [flags.to_be_bytes(), remote.port().to_be_bytes()].concat();
            let rest = message.get(HEADER..).unwrap_or_default();
            (if to.is_unspecified() { remote.ip() } else { to }, [&head, rest].concat())
        };
        if to.is_unspecified() {
            return Ok(false);
        }
        host.shared.guard.check(to)?;
        let stack = host.stack(base.key);
        send_between(socket, (source, to), &message, &stack.sockets)?;
        stack.gre.sent(data.len());
        Ok(true)
    }

    fn closing(&mut self) {
        self.claim = None;
    }
}

fn socket(
    remote: SocketAddr,
    own: Option<IpAddr>,
    base: &Base,
    from: &Sockets,
) -> Result<OwnedFd, Errno> {
    let family = family(remote.ip());
    let program = program(family, remote.port());
    let socket = raw(from, (family, PROTOCOL), own, &program, base.tuning)?;
    advice::ask_for(socket.as_fd())?;
    Ok(socket)
}

/// Lets through what is about that protocol and has no routing, and what is too short for its four
/// bytes.
fn program(family: AddressFamily, protocol: u16) -> [Step; 10] {
    [
        behind_ip(family),
        LENGTH,
        LESS_X,
        (IF_AT_LEAST, 0, 4, 4),
        (HALF, 0, 0, 0),
        (IF_ANY_OF, 3, 0, ROUTING.into()),
        (HALF, 0, 0, 2),
        (IF_EQUAL, 0, 1, protocol.into()),
        ALL,
        NOTHING,
    ]
}

/// The flags and the encapsulated protocol; more comes behind them that is the client's business.
fn header(message: &[u8]) -> Option<(u16, u16)> {
    let [f0, f1, p0, p1] = *message.first_chunk::<HEADER>()?;
    Some((u16::from_be_bytes([f0, f1]), u16::from_be_bytes([p0, p1])))
}

/// The source and the destination that a client wrote, in the family of `like`, and what follows.
fn ends(data: &[u8], like: IpAddr) -> Option<((IpAddr, IpAddr), &[u8])> {
    if like.is_ipv4() {
        let (source, rest) = data.split_first_chunk::<4>()?;
        let (to, rest) = rest.split_first_chunk::<4>()?;
        return Some(((Ipv4Addr::from(*source).into(), Ipv4Addr::from(*to).into()), rest));
    }
    let (source, rest) = data.split_first_chunk::<16>()?;
    let (to, rest) = rest.split_first_chunk::<16>()?;
    Some(((Ipv6Addr::from(*source).into(), Ipv6Addr::from(*to).into()), rest))
}

/// GRE among IP's protocols.
const PROTOCOL: u8 = 47;

// RFC 2784.
const HEADER: usize = 4;
const ROUTING: u16 = 0x4000;
