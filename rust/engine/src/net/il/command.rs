//! Carrying out ctl commands (docs/il.md, section 10).

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use netrelay_proto::error::Refusal;
use rustix::io::Errno;

use super::calls::Callers;
use super::conversation::IlConversation;
use super::end::End;
use super::ports::Port;
use super::sockets;
use super::verbs::Verb;
use crate::error::refusal;
use crate::log::Event as Note;
use crate::mailbox::Waiter;
use crate::net::address::{Local, Remote};
use crate::net::binding;
use crate::net::conversation::State;
use crate::net::ctl::Command;
use crate::net::host::Host;
use crate::net::operation::Outcome;
use crate::net::tuning::{Tuning, tune};
use crate::work::{Source, Work};

/// What the operator has to say before there are calls.
const GRANT: &str = "il";

impl IlConversation {
    /// A Twrite of ctl; what came of it, or nothing while a connect waits.
    pub(super) fn command(
        &mut self,
        waiter: Waiter,
        line: &[u8],
        host: &mut Host,
    ) -> Option<Outcome> {
        // An msize bounds the length.
        let count = u32::try_from(line.len()).unwrap_or(u32::MAX);
        let command = match Command::parse(line) {
            Ok(command) => command,
            Err(why) => return Some(Outcome::Refused(why)),
        };
        let fast = matches!(command, Command::Own(Verb::ConnectFast { .. }));
        let done = match command {
            Command::Connect { remote, local }
            | Command::Own(Verb::ConnectFast { remote, local }) => {
                return match self.connect(remote, local, fast, host) {
                    Ok(()) => {
                        self.connecting = Some((waiter, count));
                        host.ready.push_back(Work::Conversation(self.key));
                        None
                    }
                    Err(why) => Some(Outcome::Refused(why)),
                };
            }
            Command::Announce(local) => self.announce(local, host),
            Command::Bind(local) => self.bind(local, host),
            Command::Hangup => {
                self.hang_up(host);
                Ok(())
            }
            Command::Own(Verb::Keepalive) => match self.state {
                State::Connected => Ok(()),
                _ => Err(Refusal::NOT_ESTABLISHED),
            },
            Command::Ttl(ttl) => self.tune(Tuning { ttl: Some(ttl), ..self.tuning }),
            Command::Tos(tos) => self.tune(Tuning { tos: Some(tos), ..self.tuning }),
            Command::IgnoreAdvice => {
                self.ignores_advice = true;
                if let Some(end) = &mut self.end {
                    end.ignores_advice = true;
                }
                Ok(())
            }
        };
        Some(done.map_or_else(Outcome::Refused, |()| Outcome::Wrote(count)))
    }

    fn connect(
        &mut self,
        remote: Remote,
        local: Option<Local>,
        fast: bool,
        host: &mut Host,
    ) -> Result<(), Refusal> {
        self.idle()?;
        host.shared.granted(GRANT)?;
        host.shared.guard.check(remote.socket.ip())?;
        let mut local = local.or(self.bound);
        if remote.restricted {
            local = Some(Local { restricted: true, ..local.unwrap_or_default() });
        }
        // From here on the conversation is used up, whatever comes of it.
        self.remote = Some(remote.socket);
        host.shared.stats.dials.add(1);
        match self.dial(remote.socket, local, fast, host) {
            Ok(()) => {
                self.state = State::Connecting;
                Ok(())
            }
            Err(why) => {
                self.finish(Some(why.clone()), host);
                Err(why)
            }
        }
    }

    fn dial(
        &mut self,
        remote: SocketAddr,
        local: Option<Local>,
        fast: bool,
        host: &Host,
    ) -> Result<(), Refusal> {
        let given = local.is_some_and(|local| local.address.is_some() || local.port != 0);
        let why = |error| match error {
            // The host's one errno for "no port" has two meanings.
            Errno::ADDRNOTAVAIL if !given => Refusal::NO_PORTS,
            error => refusal(error),
        };
        let from = &host.stack(self.key).sockets;
        let local = from.local(local, Some(remote.ip())).map_err(why)?.unwrap_or_default();
        let SocketAddr::V4(remote) = remote else { return Err(Refusal::IP_FOUR_ONLY) };
        let here = four(local.address)?;
        let end = self.end_to(remote, here, local, fast, host).map_err(why)?;
        // What can't be tuned is as the host has it.
        let _ = tune(end.socket(), self.tuning);
        self.end = Some(end);
        Ok(())
    }

    fn end_to(
        &mut self,
        remote: SocketAddrV4,
        here: Option<Ipv4Addr>,
        local: Local,
        fast: bool,
        host: &Host,
    ) -> Result<End, Errno> {
        let from = &host.stack(self.key).sockets;
        let port = Port::hold(from, local)?;
        let number = port.number;
        let socket = sockets::connected(from, here, number, remote)?;
        let mut end = End::call(socket, port, remote, fast, self.key.branch.stack)?;
        host.watch(end.socket(), Source::Conversation(self.key))?;
        self.local = sockets::local(end.socket()).map(|ip| SocketAddr::from((ip, number)));
        end.ignores_advice = self.ignores_advice;
        Ok(end)
    }

    fn announce(&mut self, local: Local, host: &Host) -> Result<(), Refusal> {
        self.idle()?;
        host.shared.granted(GRANT)?;
        let from = &host.stack(self.key).sockets;
        let local = from.local(Some(local), None).map_err(refusal)?.unwrap_or(local);
        let here = four(local.address)?;
        let port = Port::hold(from, local).map_err(refusal)?;
        let local = binding::chosen(Local { port: port.number, ..local });
        let callers = Callers::new(from, here, port).map_err(refusal)?;
        host.watch(callers.socket(), Source::Conversation(self.key)).map_err(refusal)?;
        // What can't be tuned is as the host has it.
        let _ = tune(callers.socket(), self.tuning);
        self.callers = Some(callers);
        self.local = Some(local);
        self.state = State::Announced;
        host.record(self.key, Note::Announce(local));
        Ok(())
    }

    fn bind(&mut self, local: Local, host: &Host) -> Result<(), Refusal> {
        self.idle()?;
        host.shared.granted(GRANT)?;
        let from = &host.stack(self.key).sockets;
        let local = from.local(Some(local), None).map_err(refusal)?.unwrap_or(local);
        sockets::check_local(from, four(local.address)?).map_err(refusal)?;
        Port::hold(from, local).map_err(refusal)?;
        self.bound = Some(local);
        self.local = Some(binding::chosen(local));
        Ok(())
    }

    fn tune(&mut self, tuning: Tuning) -> Result<(), Refusal> {
        self.tuning = tuning;
        let end = self.end.as_ref().map(End::socket);
        let socket = end.or_else(|| self.callers.as_ref().map(Callers::socket));
        socket.map_or(Ok(()), |socket| tune(socket, tuning)).map_err(refusal)
    }

    fn idle(&self) -> Result<(), Refusal> {
        if self.state == State::Idle { Ok(()) } else { Err(Refusal::CONNECTION_IN_USE) }
    }
}

/// A local address, if one is asked for.
fn four(address: Option<IpAddr>) -> Result<Option<Ipv4Addr>, Refusal> {
    match address {
        Some(IpAddr::V6(_)) => Err(Refusal::IP_FOUR_ONLY),
        Some(IpAddr::V4(four)) => Ok(Some(four)),
        None => Ok(None),
    }
}
