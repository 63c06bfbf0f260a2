//! What a conversation of udp does its own way: connected, announced, or a call.
//!
//! A call is a conversation that a listen got: connected to its caller, and over once nothing has
//! been read or written for long, as datagrams have no end of their own.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use netrelay_proto::error::Refusal;
use rustix::io::Errno;

use super::callers::{Callers, Ends, HANDED};
use super::headers::{self, Written};
use super::multicast::{Groups, Membership};
use super::segments::Segments;
use super::sockets;
use super::verbs::{Group, Verb};
use crate::error::{is_shortage, refusal};
use crate::mailbox::Waiter;
use crate::net::address::Local;
use crate::net::conversation::{Call, State};
use crate::net::host::Host;
use crate::net::packets::PacketConversation;
use crate::net::packets::packet::{Packet, Way, receive, send, send_to_peer};
use crate::net::packets::rules::{Base, Given, Rules, Trouble};
use crate::net::packets::sockets::drain;
use crate::net::packets::sources::{check_route, sending_by};
use crate::net::sockets::Sockets;
use crate::work::Timer;

/// What only a conversation of udp has.
#[derive(Debug, Default)]
pub(crate) struct Udp {
    headers: bool,
    groups: Groups,
    segments: Segments,
    /// Of an announced conversation.
    callers: Option<Callers>,
    /// Of a call.
    home: Option<Home>,
}

/// With whom a call is, whose it was, and when to see whether it is still used.
#[derive(Debug)]
struct Home {
    way: Way,
    callers: Callers,
    due: Option<Instant>,
}

impl Home {
    fn ends(&self) -> Ends {
        Ends::of(&self.way)
    }
}

impl Rules for Udp {
    type Verb = Verb;

    fn dial(
        &mut self,
        remote: SocketAddr,
        local: Option<Local>,
        base: &Base,
        host: &Host,
    ) -> Result<OwnedFd, Trouble> {
        let from = &host.stack(base.key).sockets;
        let socket = sockets::dial(from, remote, local, base.tuning)?;
        self.groups.join_all(&socket, from)?;
        Ok(socket)
    }

    fn announce(&mut self, local: Local, base: &Base, host: &Host) -> Result<OwnedFd, Trouble> {
        let from = &host.stack(base.key).sockets;
        let socket = sockets::announce(from, local, base.tuning)?;
        self.groups.join_all(&socket, from)?;
        self.callers = Some(Callers::default());
        Ok(socket)
    }

    fn probe(&self, local: Local, base: &Base, host: &Host) -> Result<Local, Errno> {
        sockets::probe(&host.stack(base.key).sockets, local)
    }

    fn command(&mut self, verb: Verb, base: &mut Base, host: &Host) -> Result<(), Refusal> {
        let from = &host.stack(base.key).sockets;
        let remote = base.remote.map(|remote| remote.ip());
        let membership =
            |Group { interface, group }: Group| Membership::new(group.or(remote), interface);
        match verb {
            Verb::Headers => {
                self.headers = true;
                base.arrived.extend(self.callers.iter().flat_map(Callers::take_waiting));
            }
            Verb::AddMulti(group) => self.groups.add(membership(group)?, base.socket(), from)?,
            Verb::DelMulti(group) => self.groups.remove(membership(group)?, base.socket(), from),
        }
        Ok(())
    }

    fn carries(&self, state: State) -> bool {
        state == State::Connected || state == State::Announced && self.headers
    }

    fn text(&self, way: &Way, data: &[u8], base: &Base, host: &Host) -> Given {
        if self.prefixed() {
            let from = &host.stack(base.key).sockets;
            let here = way.here.or_else(|| check_route(way.remote.ip(), way.interface, from).ok());
            let port = base.local.map_or(0, |local| local.port());
            return Given::Text(headers::pack(way, port, here, data));
        }
        // One that came before its socket was connected may be anybody's.
        if base.remote == Some(way.remote) { Given::Data } else { Given::Nothing }
    }

    fn send(&self, data: &[u8], base: &Base, host: &Host) -> Result<bool, Trouble> {
        let Some(socket) = base.socket() else { return Err(Refusal::HUNGUP.into()) };
        if !self.prefixed() {
            send_to_peer(socket, data)?;
            return Ok(true);
        }
        let Some(written) = headers::unpack(data) else { return Ok(false) };
        host.shared.guard.check(written.to.ip())?;
        send_from(socket, &written, &host.stack(base.key).sockets)?;
        Ok(true)
    }

    fn send_run(&mut self, data: &[&[u8]], base: &Base) -> Result<(), Errno> {
        let socket = base.socket().filter(|_| !self.prefixed()).ok_or(Errno::OPNOTSUPP)?;
        self.segments.send(socket, data)
    }

    fn handed(&mut self) -> Option<Packet> {
        let home = self.home.as_ref()?;
        home.callers.handed(home.ends())
    }

    fn ahead(&self) -> Option<usize> {
        match (&self.home, &self.callers) {
            (Some(home), _) => home.callers.ahead_of(home.ends()),
            (None, Some(callers)) if !self.headers => callers.ahead(),
            _ => None,
        }
    }

    fn take_call(
        &mut self,
        base: &mut Base,
        host: &mut Host,
    ) -> Option<(Waiter, Result<Call, Refusal>)> {
        let callers = self.callers.as_ref().filter(|_| !self.headers)?;
        let announced = base.socket.as_ref().filter(|_| base.calls.any())?.as_fd();
        // Once a turn, as senders that can't be answered may be many.
        if base.readable {
            base.readable = !callers.take(announced, host);
        }
        loop {
            let way = callers.first()?;
            let made = sockets::call(&host.stack(base.key).sockets, announced, &way, base.tuning);
            let call = match made {
                Ok(socket) => {
                    // Now nothing of the caller comes here any more, but what has come is its own.
                    base.readable = !callers.take(announced, host);
                    Ok(called(base, socket, way, callers.clone()))
                }
                Err(error) if is_shortage(error) => Err(refusal(error)),
                Err(_) => {
                    callers.drop_first(host);
                    continue;
                }
            };
            return Some((base.calls.next()?, call));
        }
    }

    fn called(&mut self, base: &mut Base, host: &mut Host) {
        let Some(home) = &mut self.home else { return };
        let ends = home.ends();
        home.callers.claim(ends, base.key);
        for packet in waiting(base) {
            if base.remote == Some(packet.way.remote) {
                home.callers.hand(ends, packet, host);
            } else if !packet.way.to_many() {
                home.callers.offer(packet, host);
            }
        }
        base.used = host.now;
        let idle = host.shared.config.limits.packet_idle;
        if !idle.is_zero() {
            home.due = Some(host.now + idle);
            host.schedule(host.now + idle, Timer::Conversation(base.key));
        }
    }

    fn turned_away(&mut self, base: &Base, host: &mut Host) {
        let Some(home) = &self.home else { return };
        for packet in waiting(base) {
            home.callers.offer(packet, host);
        }
    }

    fn expired(&mut self, base: &Base, host: &mut Host) -> bool {
        let Some(home) = &mut self.home else { return false };
        // It may be a timer of the conversation that had the number before.
        if base.socket.is_none() || home.due.is_none_or(|due| host.now < due) {
            return false;
        }
        let over = base.used + host.shared.config.limits.packet_idle;
        if host.now < over {
            home.due = Some(over);
            host.schedule(over, Timer::Conversation(base.key));
        }
        host.now >= over
    }

    fn closing(&mut self) {
        if let Some(home) = self.home.take() {
            home.callers.forget(home.ends());
        }
    }
}

/// What has come to the socket of a call before it was one.
fn waiting(base: &Base) -> Vec<Packet> {
    let drained = |socket| drain(|room| receive(socket, room), HANDED);
    base.socket().map(drained).unwrap_or_default()
}

impl Udp {
    /// Whether data has everybody's datagrams, with their addresses before them.
    fn prefixed(&self) -> bool {
        self.headers && self.callers.is_some()
    }
}

/// The conversation of a caller; its number is to come.
fn called(announced: &Base, socket: OwnedFd, way: Way, callers: Callers) -> Call {
    let mut base = Base::new(announced.key);
    let port = announced.local.map_or(0, |local| local.port());
    base.state = State::Connected;
    base.local = way.local.map(|local| SocketAddr::new(local, port));
    base.remote = Some(way.remote);
    base.tuning = announced.tuning;
    base.socket = Some(socket);
    let home = Some(Home { way, callers, due: None });
    Box::new(PacketConversation::with(base, Udp { home, ..Udp::default() }))
}

/// Sends from the first of the sources that can be had, or else from where the route says.
fn send_from(socket: BorrowedFd<'_>, written: &Written<'_>, from: &Sockets) -> Result<(), Errno> {
    let Written { to, sources, data } = written;
    let own = |source: &IpAddr| from.address().is_none_or(|own| own == *source);
    for source in sources.iter().flatten().copied().filter(own) {
        let sent = sending_by(to.ip(), source, from)
            .and_then(|interface| send(socket, data, *to, Some((source, interface))));
        match sent {
            // What the host says of a source that is not its own, by kernel and family.
            Err(Errno::INVAL | Errno::NETUNREACH | Errno::ADDRNOTAVAIL | Errno::NODEV) => {}
            sent => return sent,
        }
    }
    send(socket, data, *to, None)
}
