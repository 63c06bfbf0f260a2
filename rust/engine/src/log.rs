//! The file `log` of a stack: what the network did, for those who watch (ip(3)).
//!
//! One text for the stack, and a place in it for each reader, so that a reader costs eight bytes
//! and one that never reads holds nothing back: when the text is full its oldest lines go, and who
//! was behind goes on at the oldest line left. Nothing is recorded until somebody sets a flag.
//!
//! Parking reads and waking readers is the sessions' business.

use std::collections::{HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use netrelay_proto::error::Refusal;

use crate::net::address;
use crate::net::ctl::words;
use crate::tree::protocol::Protocol;

/// The log of one stack.
#[derive(Debug, Default)]
pub(crate) struct Log {
    state: Mutex<State>,
}

/// Where a fid that has log open reads next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Reader {
    next: u64,
}

/// What a line tells of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Event {
    /// A call was placed and answered; the remote end.
    Connect(SocketAddr),
    /// Calls are taken from now on; the local end.
    Announce(SocketAddr),
    /// A call was taken by a listen; the remote end.
    Call(SocketAddr),
    /// A conversation that was Connected or Announced is over, for whatever reason; its remote end,
    /// which `only` goes by and the line does not have.
    Hangup(Option<SocketAddr>),
}

impl Log {
    /// A place for a new reader: it gets the lines from now on.
    pub(crate) fn reader(&self) -> Reader {
        Reader { next: self.state().end() }
    }

    /// Takes at most `count` bytes for `reader`; none means that it must wait. Reads end where
    /// `count` does, not with a line.
    pub(crate) fn read(&self, reader: &mut Reader, count: u32) -> Vec<u8> {
        let state = self.state();
        // Whoever is behind the oldest line left has missed what went.
        let next = reader.next.max(state.start);
        let skip = usize::try_from(next - state.start).unwrap_or(usize::MAX);
        let bytes: Vec<u8> = state.text.iter().copied().skip(skip).take(count as usize).collect();
        reader.next = next + bytes.len() as u64;
        bytes
    }

    /// Carries out a write to the file: `set flag…`, `clear flag…`, `only addr`.
    ///
    /// Flags that nothing here tells of are accepted and do nothing.
    ///
    /// # Errors
    /// `too few arguments for netlog control message`, `unknown ip control message`,
    /// `bad ip address syntax`.
    pub(crate) fn control(&self, text: &[u8]) -> Result<(), Refusal> {
        let text = String::from_utf8_lossy(text);
        let words = words(&text);
        let [verb, first, ..] = words.as_slice() else {
            return Err(Refusal::LOG_TOO_FEW);
        };
        let named = |protocol: &Protocol| words.iter().skip(1).any(|flag| *flag == protocol.name());
        match verb.as_ref() {
            "set" => self.state().set.extend(Protocol::ALL.into_iter().filter(named)),
            "clear" => self.state().set.retain(|protocol| !named(protocol)),
            "only" => {
                let only = address::ip(first)?;
                self.state().only = Some(only).filter(|only| !only.is_unspecified());
            }
            _ => return Err(Refusal::LOG_UNKNOWN),
        }
        Ok(())
    }

    /// Records what conversation `number` of a protocol did; whether a line came of it, and then
    /// readers that wait must be woken. With `only` set, lines about other addresses are left out.
    pub(crate) fn record(&self, protocol: Protocol, number: u32, event: Event) -> bool {
        let mut state = self.state();
        let (word, at) = event.parts();
        let about = at.map(|socket| socket.ip().to_canonical());
        let unwanted = state.only.is_some_and(|only| about != Some(only));
        if unwanted || !state.set.contains(&protocol) {
            return false;
        }
        let mut line = format!("{} {number} {word}", protocol.name());
        if !matches!(event, Event::Hangup(_)) {
            line.push(' ');
            line.push_str(&address::bare_endpoint(at));
        }
        line.push('\n');
        state.append(line.as_bytes());
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Lines are appended and dropped whole; after a panic between, one may be torn, no more.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Event {
    fn parts(self) -> (&'static str, Option<SocketAddr>) {
        match self {
            Self::Connect(remote) => ("connect", Some(remote)),
            Self::Announce(local) => ("announce", Some(local)),
            Self::Call(remote) => ("call", Some(remote)),
            Self::Hangup(remote) => ("hangup", remote),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    /// Protocols whose lines are recorded.
    set: HashSet<Protocol>,
    only: Option<IpAddr>,
    text: VecDeque<u8>,
    /// Bytes that have gone from the front of `text`.
    start: u64,
}

impl State {
    fn end(&self) -> u64 {
        self.start + self.text.len() as u64
    }

    fn append(&mut self, line: &[u8]) {
        self.text.extend(line);
        while self.text.len() > MAX_TEXT {
            let oldest = self.text.iter().position(|byte| *byte == b'\n');
            let gone = oldest.map_or(self.text.len(), |end| end + 1);
            self.text.drain(..gone);
            self.start += gone as u64;
        }
    }
}

/// Bytes kept, as many as the original keeps.
const MAX_TEXT: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(log: &Log, number: u32, remote: &str) -> bool {
        log.record(Protocol::Tcp, number, Event::Connect(remote.parse().unwrap()))
    }

    fn read(log: &Log, reader: &mut Reader) -> String {
        String::from_utf8(log.read(reader, 8192)).unwrap()
    }

    fn tcp_log() -> Log {
        let log = Log::default();
        log.control(b"set tcp").unwrap();
        log
    }

    #[test]
    fn nothing_is_recorded_until_tcp_is_set() {
        let log = Log::default();
        let mut reader = log.reader();
        assert!(!connect(&log, 0, "10.0.0.1:80"));
        log.control(b"set ip udp").unwrap();
        assert!(!connect(&log, 0, "10.0.0.1:80"));
        log.control(b"set ip tcp\n").unwrap();
        assert!(connect(&log, 0, "10.0.0.1:80"));
        log.control(b"clear udp").unwrap();
        assert!(log.record(Protocol::Tcp, 0, Event::Hangup(None)));
        log.control(b"clear tcp").unwrap();
        assert!(!connect(&log, 0, "10.0.0.1:80"));
        assert_eq!(read(&log, &mut reader), "tcp 0 connect 10.0.0.1!80\ntcp 0 hangup\n");
        assert_eq!(read(&log, &mut reader), "");
    }

    #[test]
    fn each_event_has_its_word_and_address() {
        let log = tcp_log();
        let mut reader = log.reader();
        log.record(Protocol::Tcp, 7, Event::Announce("[::]:564".parse().unwrap()));
        log.record(Protocol::Tcp, 8, Event::Call("[::ffff:10.0.0.1]:9".parse().unwrap()));
        log.record(Protocol::Tcp, 7, Event::Hangup(None));
        let text = "tcp 7 announce ::!564\ntcp 8 call 10.0.0.1!9\ntcp 7 hangup\n";
        assert_eq!(read(&log, &mut reader), text);
    }

    #[test]
    fn readers_begin_with_the_lines_after_their_open_and_do_not_share() {
        let log = tcp_log();
        let mut first = log.reader();
        connect(&log, 0, "10.0.0.1:80");
        let mut second = log.reader();
        connect(&log, 1, "10.0.0.1:80");
        assert_eq!(read(&log, &mut second), "tcp 1 connect 10.0.0.1!80\n");
        assert_eq!(log.read(&mut first, 3), b"tcp");
        assert_eq!(log.read(&mut first, 0), b"");
        assert_eq!(read(&log, &mut first), " 0 connect 10.0.0.1!80\ntcp 1 connect 10.0.0.1!80\n");
    }

    #[test]
    fn only_keeps_lines_of_one_address() {
        let log = tcp_log();
        let mut reader = log.reader();
        log.control(b"only ::ffff:10.0.0.1").unwrap();
        assert!(connect(&log, 0, "10.0.0.1:80"));
        assert!(!connect(&log, 1, "10.0.0.2:80"));
        assert!(!log.record(Protocol::Tcp, 2, Event::Hangup(None)));
        let remote = "10.0.0.1:80".parse().ok();
        assert!(log.record(Protocol::Tcp, 0, Event::Hangup(remote)));
        log.control(b"only ::").unwrap();
        assert!(connect(&log, 3, "10.0.0.2:80"));
        assert_eq!(read(&log, &mut reader).lines().count(), 3);
    }

    #[test]
    fn controls_that_do_not_parse_say_why() {
        let log = Log::default();
        let table: [(&[u8], Refusal); 8] = [
            (b"", Refusal::LOG_TOO_FEW),
            (b"\n", Refusal::LOG_TOO_FEW),
            (b"set", Refusal::LOG_TOO_FEW),
            (b"frob", Refusal::LOG_TOO_FEW),
            (b"only", Refusal::LOG_TOO_FEW),
            (b"frob tcp", Refusal::LOG_UNKNOWN),
            (b"only x", Refusal::BAD_IP),
            (b"\xff tcp", Refusal::LOG_UNKNOWN),
        ];
        for (text, refusal) in table {
            assert_eq!(log.control(text), Err(refusal), "{text:?}");
        }
    }

    #[test]
    fn a_reader_that_falls_behind_goes_on_at_the_oldest_line_left() {
        let log = tcp_log();
        let mut slow = log.reader();
        connect(&log, 99, "10.0.0.1:80");
        log.read(&mut slow, 3);
        for number in 0..2000 {
            connect(&log, number, "10.0.0.1:80");
        }
        let text = String::from_utf8(log.read(&mut slow, 1 << 20)).unwrap();
        assert!(text.len() <= MAX_TEXT && text.len() > MAX_TEXT - 64);
        assert!(text.starts_with("tcp "));
        assert!(text.ends_with("tcp 1999 connect 10.0.0.1!80\n"));
        assert_eq!(log.read(&mut slow, 1), b"");
    }
}
