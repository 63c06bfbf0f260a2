//! What a conversation of esp does its own way: it is a security association of one direction.
//!
//! One that sends has an index that the other side has chosen, and nothing to read. One that receives
//! has chosen its own, and takes no writes.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use netrelay_proto::error::Refusal;
use rustix::io::Errno;
use rustix::net::{AddressFamily, connect};

use super::association::{Association, index};
use super::verbs::Verb;
use crate::net::address::{Local, endpoint, print};
use crate::net::claims::{Claim, Claims, Item};
use crate::net::conversation::State;
use crate::net::filter::Step;
use crate::net::host::Host;
use crate::net::packets::advice;
use crate::net::packets::packet::{Way, name, send_to_peer};
use crate::net::packets::raw::{ALL, IF_EQUAL, NOTHING, WORD, behind_ip, raw, unheaded};
use crate::net::packets::rules::{Base, Given, Rules, Trouble, Whom};
use crate::net::packets::sources::check_local;
use crate::net::random;
use crate::net::sockets::family;
use crate::tree::protocol::Protocol;

/// What only a conversation of esp has.
#[derive(Debug, Default)]
pub(crate) struct Esp {
    association: Option<Association>,
    /// The index of an incoming one, which is its own.
    claim: Option<Claim>,
    incoming: bool,
    header: bool,
}

impl Rules for Esp {
    type Verb = Verb;

    fn permit(&self, host: &Host) -> Result<(), Refusal> {
        host.shared.granted("esp")
    }

    fn calls(verb: &Verb) -> Whom {
        match verb {
            Verb::Associate { remote, .. } => Whom::Host(*remote),
            _ => Whom::Nobody,
        }
    }

    fn call(&mut self, verb: Verb, base: &Base, host: &Host) -> Result<OwnedFd, Trouble> {
        let Verb::Associate { remote, index } = verb else {
            return Err(Refusal::UNKNOWN_CONTROL.into());
        };
        let stack = host.stack(base.key);
        let local = stack.sockets.local(base.bound, Some(remote))?;
        let (index, claim) = match index {
            Some(index) => (index, None),
            None => choose(&stack.claims).map(|(index, claim)| (index, Some(claim)))?,
        };
        let family = family(remote);
        let program = if claim.is_some() { program(family, index) } else { vec![NOTHING] };
        let own = local.and_then(|local| local.address);
        let socket = raw(&stack.sockets, (family, PROTOCOL), own, &program, base.tuning)?;
        advice::ask_for(socket.as_fd())?;
        connect(&socket, &name(socket.as_fd(), SocketAddr::new(remote, 0), 0)?)?;
        self.association = Some(Association::new(index));
        self.incoming = claim.is_some();
        self.claim = claim;
        Ok(socket)
    }

    fn dial(
        &mut self,
        _: SocketAddr,
        _: Option<Local>,
        _: &Base,
        _: &Host,
    ) -> Result<OwnedFd, Trouble> {
        Err(Refusal::BAD_ARGS_TO_CONNECT.into())
    }

    fn announce(&mut self, _: Local, _: &Base, _: &Host) -> Result<OwnedFd, Trouble> {
        Err(Refusal::NO_ANNOUNCE.into())
    }

    fn probe(&self, local: Local, base: &Base, host: &Host) -> Result<Local, Errno> {
        check_local(local, &host.stack(base.key).sockets)
    }

    fn command(&mut self, verb: Verb, _: &mut Base, _: &Host) -> Result<(), Refusal> {
        match (verb, &mut self.association) {
            (Verb::Header(on), _) => self.header = on,
            (Verb::Encrypt(cipher), Some(association)) => {
                association.cipher = cipher;
            }
            (Verb::Authenticate(authentication), Some(association)) => {
                association.authentication = authentication;
            }
            _ => {}
        }
        Ok(())
    }

    fn carries(&self, state: State) -> bool {
        state == State::Connected && self.incoming
    }

    fn sends(&self, state: State) -> bool {
        state == State::Connected && !self.incoming
    }

    fn deaf(&self, state: State) -> bool {
        self.sends(state)
    }

    fn status(&self, _: bool, _: &str, base: &Base, host: &Host) -> String {
        if host.in_use(base.key) { "Open\n".into() } else { "Closed\n".into() }
    }

    fn local(&self, base: &Base) -> String {
        self.end(base.local, self.incoming)
    }

    fn remote(&self, base: &Base) -> String {
        self.end(base.remote, !self.incoming)
    }

    fn sent(&self, quoted: &[u8], _: Option<IpAddr>) -> bool {
        let own = self.association.as_ref().map(|association| association.index);
        own.is_some() && index(quoted) == own
    }

    fn text(&self, way: &Way, data: &[u8], base: &Base, host: &Host) -> Given {
        let (Some(association), Some(remote)) = (&self.association, base.remote) else {
            return Given::Nothing;
        };
        let packet = unheaded(data, family(remote.ip()));
        // One that came before its socket was connected may be anybody's.
        if way.remote.ip() != remote.ip()
            || index(packet).is_some_and(|index| index != association.index)
        {
            return Given::Nothing;
        }
        let totals = &host.stack(base.key).esp;
        let Some(opened) = association.open(packet) else {
            totals.failed();
            return Given::Nothing;
        };
        totals.took();
        if !self.header {
            return Given::Text(opened.payload);
        }
        Given::Text([&[opened.next_header, 0, 0, 0], &opened.payload[..]].concat())
    }

    fn send(&self, data: &[u8], base: &Base, _: &Host) -> Result<bool, Trouble> {
        let (Some(socket), Some(association)) = (base.socket(), &self.association) else {
            return Err(Refusal::HUNGUP.into());
        };
        let (next_header, payload) = if self.header {
            let Some(([next_header, ..], payload)) = data.split_first_chunk::<4>() else {
                return Ok(false);
            };
            (*next_header, payload)
        } else {
            (0, data)
        };
        let packet = association.seal(payload, next_header)?.ok_or(Refusal::HUNGUP)?;
        send_to_peer(socket, &packet)?;
        Ok(true)
    }

    fn closing(&mut self) {
        self.claim = None;
    }
}

impl Esp {
    /// An end's address alone, or with the index.
    fn end(&self, end: Option<SocketAddr>, indexed: bool) -> String {
        let Some(association) = &self.association else { return endpoint(end) };
        let Some(end) = end else { return endpoint(None) };
        let address = print(end.ip());
        if indexed { format!("{address}!{}\n", association.index) } else { format!("{address}\n") }
    }
}

/// An index that no other conversation of the stack has.
fn choose(claims: &Claims) -> Result<(u32, Claim), Errno> {
    let begin = u32::from(u16::from_ne_bytes(random::bytes()?));
    let indexes = (0..CHOSEN_COUNT).map(|index| CHOSEN + (begin + index) % CHOSEN_COUNT);
    let mut taken = indexes.filter_map(|index| {
        let item = Item { protocol: Protocol::Esp, remote: None, number: index };
        claims.take(item).map(|claim| (index, claim))
    });
    taken.next().ok_or(Errno::ADDRNOTAVAIL)
}

/// Lets through what has that index.
fn program(family: AddressFamily, index: u32) -> Vec<Step> {
    vec![behind_ip(family), (WORD, 0, 0, 0), (IF_EQUAL, 0, 1, index), ALL, NOTHING]
}

/// ESP among IP's protocols.
const PROTOCOL: u8 = 50;

/// The indexes that are chosen from, as many as there are from there on.
const CHOSEN: u32 = 256;
const CHOSEN_COUNT: u32 = 1 << 16;
