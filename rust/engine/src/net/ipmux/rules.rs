//! What a conversation of ipmux does its own way.
//!
//! A socket of Linux is of one protocol, so there is one for each of the filter's. A packet of IPv6
//! is handed out without its header, which is made of what the host tells beside it.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use netrelay_proto::error::Refusal;
use rustix::io::Errno;
use rustix::net::AddressFamily;

use super::filter::{Filter, V4, Version};
use super::listing::Listed;
use super::verbs::Choose;
use crate::net::address::Local;
use crate::net::conversation::State;
use crate::net::filter::Step;
use crate::net::host::Host;
use crate::net::packets::packet::{Received, Way, receive};
use crate::net::packets::raw::{ALL, NOTHING, ask_for_header, header_six, raw};
use crate::net::packets::rules::{Base, Given, Rules, Trouble, Whom};
use crate::net::packets::sockets::lost;
use crate::net::packets::sources::{check_local, check_route, send_between};
use crate::net::sockets::Sockets;
use crate::work::Source;

/// What only a conversation of ipmux has.
#[derive(Debug, Default)]
pub(crate) struct Ipmux {
    filter: Option<Filter>,
    listed: Option<Listed>,
    /// By which packets leave.
    sender: Option<OwnedFd>,
    /// What the first protocol's socket, which is the conversation's own, had no room for.
    lost: Cell<u32>,
    others: Vec<Other>,
    /// Which socket is looked at first: they take turns.
    turn: Cell<usize>,
}

/// The socket of a further protocol.
#[derive(Debug)]
struct Other {
    socket: OwnedFd,
    lost: Cell<u32>,
}

impl Rules for Ipmux {
    type Verb = Choose;

    fn permit(&self, host: &Host) -> Result<(), Refusal> {
        host.shared.granted("ipmux")
    }

    fn calls(_: &Choose) -> Whom {
        Whom::Anybody
    }

    fn call(&mut self, verb: Choose, base: &Base, host: &Host) -> Result<OwnedFd, Trouble> {
        let Choose(filter) = verb;
        let stack = host.stack(base.key);
        let made = filter
            .protocols
            .iter()
            .map(|protocol| socket(filter.version, *protocol, &[ALL], base, &stack.sockets));
        let mut sockets = made.collect::<Result<Vec<_>, Errno>>()?.into_iter();
        let first = sockets.next().ok_or(Refusal::BAD_ARG)?;
        for socket in sockets {
            host.watch(socket.as_fd(), Source::Conversation(base.key))?;
            self.others.push(Other { socket, lost: Cell::new(0) });
        }
        self.sender = Some(socket(filter.version, ANY, &[NOTHING], base, &stack.sockets)?);
        self.listed = Some(stack.filters.add(base.key.number, filter.text()));
        self.filter = Some(filter);
        Ok(first)
    }

    fn dial(
        &mut self,
        _: SocketAddr,
        _: Option<Local>,
        _: &Base,
        _: &Host,
    ) -> Result<OwnedFd, Trouble> {
        Err(Refusal::BAD_ARG.into())
    }

    fn announce(&mut self, _: Local, _: &Base, _: &Host) -> Result<OwnedFd, Trouble> {
        Err(Refusal::IPMUX_ANNOUNCE.into())
    }

    fn probe(&self, local: Local, base: &Base, host: &Host) -> Result<Local, Errno> {
        check_local(local, &host.stack(base.key).sockets)
    }

    fn name(&self, _: BorrowedFd<'_>) -> Option<SocketAddr> {
        None
    }

    fn command(&mut self, _: Choose, _: &mut Base, _: &Host) -> Result<(), Refusal> {
        Err(Refusal::BAD_ARG)
    }

    fn carries(&self, state: State) -> bool {
        state == State::Connected
    }

    fn status(&self, open: bool, _: &str, _: &Base, _: &Host) -> String {
        let filter = self.filter.as_ref().filter(|_| open);
        filter.map_or_else(|| "\n".into(), Filter::text)
    }

    fn unread(&self, _: BorrowedFd<'_>, _: &Base, _: &mut Host) -> usize {
        // Status does not tell.
        0
    }

    fn receive(&self, socket: BorrowedFd<'_>, room: &mut [u8]) -> Result<Received, Errno> {
        let protocols = self.filter.as_ref().map_or(&[][..], |filter| &filter.protocols);
        for _ in protocols {
            let at = self.turn.get();
            self.turn.set((at + 1) % protocols.len());
            let other = at.checked_sub(1).and_then(|behind| self.others.get(behind));
            let (socket, count) =
                other.map_or((socket, &self.lost), |other| (other.socket.as_fd(), &other.lost));
            match receive(socket, room) {
                Err(Errno::AGAIN) => {}
                received => {
                    let mut received = received?;
                    count.set(received.lost);
                    received.lost = self.lost();
                    // A socket does not say with a packet of which protocol it is.
                    let protocol = protocols.get(at).copied().unwrap_or(0);
                    received.way.remote.set_port(protocol.into());
                    return Ok(received);
                }
            }
        }
        Err(Errno::AGAIN)
    }

    fn lost(&self, socket: BorrowedFd<'_>) -> u32 {
        let others = self.others.iter().map(|other| lost(other.socket.as_fd()));
        others.fold(lost(socket), u32::wrapping_add)
    }

    fn text(&self, way: &Way, data: &[u8], base: &Base, host: &Host) -> Given {
        let Some(filter) = &self.filter else { return Given::Nothing };
        let from = &host.stack(base.key).sockets;
        let here = way.here.or_else(|| check_route(way.remote.ip(), way.interface, from).ok());
        let protocol = way.remote.port().try_into().unwrap_or(0);
        let mut text = Vec::with_capacity(16 + 40 + data.len());
        text.extend_from_slice(&mapped(here).octets());
        if *filter.version != V4 {
            text.extend_from_slice(&header_six(way, protocol, data.len()));
        }
        text.extend_from_slice(data);
        let accepted = text.get(16..).is_some_and(|packet| filter.accepts(packet, here));
        if accepted { Given::Text(text) } else { Given::Nothing }
    }

    fn send(&self, data: &[u8], base: &Base, host: &Host) -> Result<bool, Trouble> {
        let (Some(sender), Some(filter)) = (&self.sender, &self.filter) else {
            return Err(Refusal::HUNGUP.into());
        };
        let version = filter.version;
        let first = data.first().copied().unwrap_or(0);
        let header = if *version == V4 { 4 * usize::from(first & 15) } else { version.header };
        if first >> 4 != version.number || header < version.header || data.len() < header {
            return Ok(false);
        }
        let protocol = data.get(version.protocol).copied().unwrap_or(0);
        // Options could name other hosts to pass by.
        if header != version.header || !filter.protocols.contains(&protocol) {
            return Err(Refusal::PERMISSION_DENIED.into());
        }
        let from = &host.stack(base.key).sockets;
        let (source, to) =
            (end(data, version.source, version), end(data, version.destination, version));
        host.shared.guard.check(to)?;
        let source = match source {
            chosen if !chosen.is_unspecified() => chosen,
            _ => from.address().map_or_else(|| check_route(to, 0, from), Ok)?,
        };
        let mut packet = data.to_vec();
        put(&mut packet, version.source, &octets(source));
        if *version != V4 {
            let length = u16::try_from(data.len() - header).map_err(|_| Refusal::TOO_LARGE)?;
            put(&mut packet, LENGTH_SIX, &length.to_be_bytes());
        }
        send_between(sender.as_fd(), (source, to), &packet, from)?;
        Ok(true)
    }

    fn closing(&mut self) {
        self.listed = None;
        self.sender = None;
        self.others.clear();
    }
}

impl Ipmux {
    /// What no socket had room for, as far as packets have told.
    fn lost(&self) -> u32 {
        let others = self.others.iter().map(|other| other.lost.get());
        others.fold(self.lost.get(), u32::wrapping_add)
    }
}

fn socket(
    version: &Version,
    protocol: u8,
    program: &[Step],
    base: &Base,
    from: &Sockets,
) -> Result<OwnedFd, Errno> {
    let (family, any): (_, IpAddr) = if *version == V4 {
        (AddressFamily::INET, Ipv4Addr::UNSPECIFIED.into())
    } else {
        (AddressFamily::INET6, Ipv6Addr::UNSPECIFIED.into())
    };
    let own = from.local(None, Some(any))?.and_then(|local| local.address);
    let socket = raw(from, (family, protocol), own, program, base.tuning)?;
    ask_for_header(socket.as_fd(), family)?;
    Ok(socket)
}

/// IP's number that no packet has: a socket of it sends headers as they are written (raw(7)).
const ANY: u8 = 255;

/// Where a packet of IPv6 has the length of what is behind its header.
const LENGTH_SIX: usize = 4;

/// An address in a header.
fn end(header: &[u8], at: usize, version: &Version) -> IpAddr {
    let bytes = header.get(at..).unwrap_or_default();
    if *version == V4 {
        Ipv4Addr::from(bytes.first_chunk().copied().unwrap_or_default()).into()
    } else {
        Ipv6Addr::from(bytes.first_chunk().copied().unwrap_or_default()).into()
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(four) => four.octets().into(),
        IpAddr::V6(six) => six.octets().into(),
    }
}

fn put(packet: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = packet.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

/// An address as 16 bytes have it.
fn mapped(address: Option<IpAddr>) -> Ipv6Addr {
    match address {
        None => Ipv6Addr::UNSPECIFIED,
        Some(IpAddr::V4(four)) => four.to_ipv6_mapped(),
        Some(IpAddr::V6(six)) => six,
    }
}
