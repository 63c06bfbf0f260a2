//! Carrying out ctl commands (docs/tree.md, section 5).
//!
//! Every command but connect is done when its Twrite is answered. What a command needs of the
//! conversation's state is checked here; who may write to ctl was checked when it was opened.

use std::os::fd::AsFd;
use std::time::Duration;

use netrelay_proto::error::Refusal;

use super::conversation::TcpConversation;
use super::sockets;
use super::verbs::Verb;
use crate::error::refusal;
use crate::log::Event as Note;
use crate::mailbox::Waiter;
use crate::net::address::{Local, Remote};
use crate::net::binding;
use crate::net::conversation::{Conversation, State};
use crate::net::ctl::Command;
use crate::net::host::Host;
use crate::net::operation::Outcome;
use crate::net::tuning::{Tuning, tune};
use crate::work::Source;

impl TcpConversation {
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
        let done = match command {
            Command::Connect { remote, local } => {
                return match self.connect(remote, local, host) {
                    Ok(()) => {
                        self.connecting = Some((waiter, count));
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
            Command::Own(Verb::Close) => {
                self.close(host);
                Ok(())
            }
            Command::Own(Verb::ShutdownWrite) => self.shutdown_write(host),
            Command::Own(Verb::Keepalive(idle)) => self.keep_alive(idle),
            Command::Ttl(ttl) => self.tune(Tuning { ttl: Some(ttl), ..self.tuning }),
            Command::Tos(tos) => self.tune(Tuning { tos: Some(tos), ..self.tuning }),
            Command::IgnoreAdvice => Ok(()),
        };
        Some(done.map_or_else(Outcome::Refused, |()| Outcome::Wrote(count)))
    }

    fn connect(
        &mut self,
        remote: Remote,
        local: Option<Local>,
        host: &mut Host,
    ) -> Result<(), Refusal> {
        self.idle()?;
        host.shared.guard.check(remote.socket.ip())?;
        let mut local = local.or(self.bound);
        if remote.restricted {
            local = Some(Local { restricted: true, ..local.unwrap_or_default() });
        }
        // From here on the conversation is used up, whatever comes of it.
        self.remote = Some(remote.socket);
        self.from = local.is_some_and(|local| local.address.is_some() || local.port != 0);
        host.shared.stats.dials.add(1);
        let from = &host.stack(self.key).sockets;
        let dialled = sockets::dial(from, remote.socket, local, self.tuning).and_then(|socket| {
            host.watch(socket.as_fd(), Source::Conversation(self.key))?;
            Ok(socket)
        });
        match dialled {
            Ok(socket) => {
                self.socket = Some(socket);
                self.state = State::Connecting;
                Ok(())
            }
            Err(error) => {
                let why = self.connect_refusal(error);
                self.inbound.fail(why.clone());
                self.fail(why.clone(), host);
                Err(why)
            }
        }
    }

    fn announce(&mut self, local: Local, host: &mut Host) -> Result<(), Refusal> {
        self.idle()?;
        let from = &host.stack(self.key).sockets;
        let socket = sockets::announce(from, local, self.tuning).map_err(refusal)?;
        host.watch(socket.as_fd(), Source::Conversation(self.key)).map_err(refusal)?;
        if let Some(local) = binding::local(socket.as_fd()) {
            host.record(self.key, Note::Announce(local));
        }
        self.socket = Some(socket);
        self.state = State::Announced;
        Ok(())
    }

    fn bind(&mut self, local: Local, host: &Host) -> Result<(), Refusal> {
        self.idle()?;
        let local = sockets::probe(&host.stack(self.key).sockets, local).map_err(refusal)?;
        self.bound = Some(local);
        self.local = Some(binding::chosen(local));
        Ok(())
    }

    fn shutdown_write(&mut self, host: &mut Host) -> Result<(), Refusal> {
        let State::Connected = self.state else { return Err(Refusal::HUNGUP) };
        self.outbound.finish_after_queue();
        self.serve(host);
        Ok(())
    }

    fn keep_alive(&mut self, idle: Duration) -> Result<(), Refusal> {
        let (State::Connected, Some(socket)) = (self.state, self.socket()) else {
            return Err(Refusal::NOT_ESTABLISHED);
        };
        sockets::keep_alive(socket, idle).map_err(refusal)?;
        self.keepalive = idle;
        Ok(())
    }

    fn tune(&mut self, tuning: Tuning) -> Result<(), Refusal> {
        if let Some(socket) = self.socket() {
            tune(socket, tuning).map_err(refusal)?;
        }
        self.tuning = tuning;
        Ok(())
    }

    fn idle(&self) -> Result<(), Refusal> {
        if self.state == State::Idle { Ok(()) } else { Err(Refusal::CONNECTION_IN_USE) }
    }
}
