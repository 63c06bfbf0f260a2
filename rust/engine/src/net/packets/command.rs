//! Carrying out ctl commands, each of which is done when its Twrite is answered (docs/tree.md, 10).

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use netrelay_proto::error::Refusal;
use rustix::io::Errno;

use super::conversation::PacketConversation;
use super::packet::NOWHERE;
use super::rules::{Base, Rules, Trouble, Whom};
use super::sockets;
use crate::error::refusal;
use crate::log::Event as Note;
use crate::net::address::{Local, Remote};
use crate::net::binding;
use crate::net::conversation::State;
use crate::net::ctl::Command;
use crate::net::host::Host;
use crate::net::tuning::Tuning;
use crate::work::Source;

impl<R: Rules> PacketConversation<R> {
    /// A Twrite of ctl.
    pub(super) fn command(&mut self, line: &[u8], host: &mut Host) -> Result<(), Refusal> {
        let command = Command::<R::Verb>::parse(line)?;
        self.rules.check(&command, &self.base)?;
        self.heed_and_serve(None, host);
        match command {
            Command::Connect { remote, local } => self.connect(remote, local, host),
            Command::Announce(local) => self.announce(local, host),
            Command::Bind(local) => self.bind(local, host),
            Command::Hangup => {
                self.end(None, host);
                self.serve_reads(host);
                Ok(())
            }
            Command::Ttl(ttl) => self.tune(Tuning { ttl: Some(ttl), ..self.base.tuning }),
            Command::Tos(tos) => self.tune(Tuning { tos: Some(tos), ..self.base.tuning }),
            Command::IgnoreAdvice => {
                self.base.ignores_advice = true;
                Ok(())
            }
            Command::Own(verb) if R::calls(&verb) != Whom::Nobody => self.call(verb, host),
            Command::Own(verb) => {
                self.rules.command(verb, &mut self.base, host)?;
                self.serve_reads(host);
                Ok(())
            }
        }
    }

    fn connect(
        &mut self,
        remote: Remote,
        local: Option<Local>,
        host: &mut Host,
    ) -> Result<(), Refusal> {
        self.idle()?;
        self.rules.permit(host)?;
        host.shared.guard.check(remote.socket.ip())?;
        let mut local = local.or(self.base.bound);
        if remote.restricted {
            local = Some(Local { restricted: true, ..local.unwrap_or_default() });
        }
        let from = local.is_some_and(|local| local.address.is_some() || local.port != 0);
        self.dialled(remote.socket, from, host, |rules, base, host| {
            rules.dial(remote.socket, local, base, host)
        })
    }

    /// A connect in words of the protocol's own.
    fn call(&mut self, verb: R::Verb, host: &mut Host) -> Result<(), Refusal> {
        self.idle()?;
        self.rules.permit(host)?;
        let remote = match R::calls(&verb) {
            Whom::Host(address) => {
                host.shared.guard.check(address)?;
                SocketAddr::new(address, 0)
            }
            _ => NOWHERE,
        };
        self.dialled(remote, false, host, |rules, base, host| rules.call(verb, base, host))
    }

    /// Connects by the socket that `dial` makes; `from` tells whether a local end was given.
    fn dialled(
        &mut self,
        remote: SocketAddr,
        from: bool,
        host: &mut Host,
        dial: impl FnOnce(&mut R, &Base, &Host) -> Result<OwnedFd, Trouble>,
    ) -> Result<(), Refusal> {
        host.shared.stats.dials.add(1);
        let dialled = dial(&mut self.rules, &self.base, host);
        let opened = dialled.and_then(|socket| Ok(self.open(socket, State::Connected, host)?));
        match opened {
            Ok(()) => {
                let socket = self.base.socket();
                let peer = socket.and_then(binding::remote).map_or(remote, plain);
                self.base.remote = Some(peer);
                host.record(self.base.key, Note::Connect(peer));
                Ok(())
            }
            Err(trouble) => {
                let why = match trouble {
                    // The host's one errno for "no port" has two meanings.
                    Trouble::Host(Errno::ADDRNOTAVAIL) if !from => Refusal::NO_PORTS,
                    Trouble::Host(error) => refusal(error),
                    Trouble::Ours(why) => why,
                };
                self.base.remote = Some(remote);
                self.end(Some(why.clone()), host);
                self.serve_reads(host);
                Err(why)
            }
        }
    }

    fn announce(&mut self, local: Local, host: &mut Host) -> Result<(), Refusal> {
        self.idle()?;
        self.rules.permit(host)?;
        let socket = self.rules.announce(local, &self.base, host).map_err(unwrapped)?;
        self.open(socket, State::Announced, host).map_err(refusal)?;
        if let Some(local) = self.base.local {
            host.record(self.base.key, Note::Announce(local));
        }
        Ok(())
    }

    /// The socket is there.
    fn open(&mut self, socket: OwnedFd, state: State, host: &Host) -> Result<(), Errno> {
        host.watch(socket.as_fd(), Source::Conversation(self.base.key))?;
        self.base.local = self.rules.name(socket.as_fd()).map(plain);
        self.base.socket = Some(socket);
        self.base.state = state;
        Ok(())
    }

    fn bind(&mut self, local: Local, host: &Host) -> Result<(), Refusal> {
        self.idle()?;
        let local = self.rules.probe(local, &self.base, host).map_err(refusal)?;
        self.base.bound = Some(local);
        self.base.local = Some(binding::chosen(local));
        Ok(())
    }

    fn tune(&mut self, tuning: Tuning) -> Result<(), Refusal> {
        self.base.tuning = tuning;
        match self.base.socket() {
            Some(socket) => sockets::tune(socket, tuning).map_err(refusal),
            None => Ok(()),
        }
    }

    fn idle(&self) -> Result<(), Refusal> {
        if self.base.state == State::Idle { Ok(()) } else { Err(Refusal::CONNECTION_IN_USE) }
    }
}

fn unwrapped(trouble: Trouble) -> Refusal {
    match trouble {
        Trouble::Host(error) => refusal(error),
        Trouble::Ours(why) => why,
    }
}

/// An address as all of ours are: without a zone, and of IPv4 if it is mapped.
fn plain(name: SocketAddr) -> SocketAddr {
    SocketAddr::new(name.ip().to_canonical(), name.port())
}
