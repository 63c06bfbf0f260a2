//! An importer on a session: what each call completes with, whatever the server does.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::too_many_lines,
    clippy::cast_possible_truncation,
    reason = "a test that panics has failed, and its server is a table of cases"
)]

mod import_server;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use import_server::{Server, hash, noise};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use netrelay_engine::client::{Completion, Importer, Options, Outcome};
use netrelay_proto::dialect::Dialect;
use netrelay_proto::error::Refusal;
use netrelay_proto::ids::Fid;
use netrelay_proto::message::{Message, Tattach, Tread, decode};

const OURS: &str = "9P2000.netrelay";
const PLAIN: &str = "9P2000";

struct Client {
    importer: Importer,
    poll: Poll,
    held: Vec<Completion>,
}

impl Client {
    fn start(server: &mut Server) -> Self {
        let importer = Importer::start(server.client(), &Options::default()).expect("a start");
        let poll = Poll::new().expect("a poll");
        let fd = importer.completion_fd().as_raw_fd();
        poll.registry().register(&mut SourceFd(&fd), Token(0), Interest::READABLE).expect("a fd");
        let mut client = Self { importer, poll, held: Vec::new() };
        assert!(matches!(client.wait(0), Outcome::Ready(_)));
        let fid = Importer::ROOT;
        let attach =
            Tattach { fid, afid: Fid::NOFID, uname: "glenda", aname: "", n_uname: u32::MAX };
        let id = client.importer.rpc(&Message::Tattach(attach)).expect("a request");
        assert!(matches!(client.wait(id), Outcome::Reply(_)));
        client
    }

    fn wait(&mut self, id: u64) -> Outcome {
        let mut events = Events::with_capacity(1);
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(place) = self.held.iter().position(|done| done.id == id) {
                return self.held.remove(place).outcome;
            }
            let left = end.checked_duration_since(Instant::now()).expect("a completion in time");
            self.held.extend(self.importer.completions());
            if self.held.iter().all(|done| done.id != id) {
                self.poll.poll(&mut events, Some(left)).expect("a poll");
            }
        }
    }

    fn dial(&mut self) -> (Fid, Fid) {
        let id = self.importer.dial(names("net tcp clone"), "10.0.0.1!80".into());
        match self.wait(id.expect("a dial")) {
            Outcome::Dialed { ctl, data, .. } => (ctl, data),
            other => panic!("{other:?}"),
        }
    }

    /// A conversation pumped to the other end of a socket pair.
    fn call(&mut self) -> (UnixStream, u64, Fid) {
        let (ctl, data) = self.dial();
        let (near, far) = UnixStream::pair().expect("a pair");
        (near, self.importer.pump(ctl, data, far.into()).expect("a pump"), data)
    }
}

fn names(path: &str) -> Vec<String> {
    path.split(' ').map(str::to_owned).collect()
}

fn said(text: &str) -> Refusal {
    Refusal::new(text.to_owned(), 0)
}

#[test]
fn a_dial_takes_two_sends_of_a_server_with_the_window() {
    let mut server = Server::start(OURS);
    let mut client = Client::start(&mut server);
    let sends =
        |client: &Client| client.importer.stats().iter().find(|s| s.0 == "sends").unwrap().1;
    let before = sends(&client);
    client.dial();
    assert_eq!(sends(&client) - before, 2);
    let seen = &server.script.lock().unwrap().seen[2..];
    let want = ["Twalk", "Topen", "Tread", "connect 10.0.0.1!80", "Twalk", "Topen"];
    assert_eq!(seen, want);
}

#[test]
fn a_refused_dial_leaves_no_fid_behind_and_reports_the_first_refusal() {
    for version in [OURS, PLAIN] {
        let mut server = Server::start(version);
        server.script.lock().unwrap().refuse = Some("connection refused");
        let mut client = Client::start(&mut server);
        let id = client.importer.dial(names("net tcp clone"), "10.0.0.1!80".into());
        assert_eq!(client.wait(id.unwrap()), Outcome::NotDialed(said("connection refused")));
        assert_eq!(client.importer.new_fid(), Fid(1));
        let clunks = if version == OURS { 2 } else { 1 };
        server.until(|script| script.seen.iter().filter(|s| *s == "Tclunk").count() == clunks);
    }
}

#[test]
fn a_listen_tells_number_fids_and_caller() {
    for version in [OURS, PLAIN] {
        let mut server = Server::start(version);
        let mut client = Client::start(&mut server);
        let id = client.importer.listen(names("net tcp 7")).unwrap();
        match client.wait(id) {
            Outcome::Called { number: 0, remote, .. } => assert_eq!(remote, "10.1.2.3!4567"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_flushed_listen_is_interrupted() {
    let mut server = Server::start(OURS);
    server.script.lock().unwrap().sink = true;
    let mut client = Client::start(&mut server);
    let id = client.importer.listen(names("net tcp 7")).unwrap();
    server.until(|script| script.seen.last().is_some_and(|said| said == "Topen"));
    client.importer.flush(id);
    assert_eq!(client.wait(id), Outcome::NotCalled(Refusal::INTERRUPTED));
}

#[test]
fn a_flushed_rpc_completes_as_flushed_and_its_tag_serves_again() {
    let mut server = Server::start(OURS);
    let mut client = Client::start(&mut server);
    let (_, data) = client.dial();
    let read = Message::Tread(Tread { fid: data, offset: 0, count: 10 });
    let id = client.importer.rpc(&read).unwrap();
    client.importer.flush(id);
    assert_eq!(client.wait(id), Outcome::Flushed);
    let id = client.importer.rpc(&read).unwrap();
    server.say(data.0, b"late", false);
    let Outcome::Reply(frame) = client.wait(id) else { panic!("no reply") };
    let (_, message) = decode(&frame, Dialect::P2000).unwrap();
    assert!(matches!(message, Message::Rread(read) if read.data == b"late"));
}

#[test]
fn sixteen_mebibytes_come_back_unchanged_and_both_ends_pass_through() {
    for version in [OURS, PLAIN] {
        let mut server = Server::start(version);
        let mut client = Client::start(&mut server);
        let (near, id, _) = client.call();
        let bytes = noise(16 << 20);
        let (mut writing, sent) = (near.try_clone().unwrap(), bytes.clone());
        let writer = thread::spawn(move || {
            writing.write_all(&sent).unwrap();
            writing.shutdown(Shutdown::Write).unwrap();
        });
        let mut got = Vec::new();
        (&near).read_to_end(&mut got).unwrap();
        writer.join().unwrap();
        assert!(hash(0, &got) == hash(0, &bytes) && got.len() == bytes.len());
        let len = bytes.len() as u64;
        assert_eq!(client.wait(id), Outcome::Pumped { up: len, down: len, error: None });
        assert_eq!(client.importer.new_fid(), Fid(1), "fids are free again");
        let most = server.script.lock().unwrap().most;
        assert!(version == OURS || most == 1, "{most} Treads outstanding");
    }
}

#[test]
fn the_remote_may_end_first() {
    let mut server = Server::start(OURS);
    server.script.lock().unwrap().sink = true;
    let mut client = Client::start(&mut server);
    let (mut near, id, data) = client.call();
    server.say(data.0, b"banner", true);
    let mut got = Vec::new();
    near.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"banner");
    near.write_all(b"still talking").unwrap();
    near.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.wait(id), Outcome::Pumped { up: 13, down: 6, error: None });
    let seen = server.script.lock().unwrap().seen.clone();
    let said = seen.iter().position(|said| said == "shutdown write").expect("a half-close");
    assert!(seen[..said].contains(&"Twrite".to_owned()));
}

#[test]
fn a_server_without_half_close_is_clunked_when_it_has_ended_too() {
    let mut server = Server::start(PLAIN);
    server.script.lock().unwrap().no_shutdown = true;
    let mut client = Client::start(&mut server);
    let (near, id, data) = client.call();
    near.shutdown(Shutdown::Write).unwrap();
    server.until(|script| script.seen.iter().any(|said| said == "shutdown write"));
    server.say(data.0, b"answer", true);
    assert_eq!(client.wait(id), Outcome::Pumped { up: 0, down: 6, error: None });
}

#[test]
fn a_remote_reset_delivers_what_came_and_hangs_up() {
    let mut server = Server::start(OURS);
    let mut client = Client::start(&mut server);
    let (mut near, id, data) = client.call();
    server.until(|script| !script.parked.is_empty());
    server.say(data.0, b"last words", false);
    server.until(|script| script.parked.get(&data.0).is_some_and(|parked| !parked.is_empty()));
    server.fail(data.0, "connection refused");
    let mut got = Vec::new();
    // A Unix socket has no reset: its end is a plain one.
    near.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"last words");
    let error = Some("connection refused".to_owned());
    assert_eq!(client.wait(id), Outcome::Pumped { up: 0, down: 10, error });
    assert!(server.script.lock().unwrap().seen.contains(&"hangup".to_owned()));
}

#[test]
fn a_local_side_that_is_gone_ends_the_call_behind_what_it_said() {
    let mut server = Server::start(OURS);
    server.script.lock().unwrap().sink = true;
    let mut client = Client::start(&mut server);
    let (mut near, id, _) = client.call();
    near.write_all(b"last words").unwrap();
    drop(near);
    assert_eq!(client.wait(id), Outcome::Pumped { up: 10, down: 0, error: None });
    let script = server.script.lock().unwrap();
    assert_eq!(script.bytes_in, 10);
    assert!(!script.seen.contains(&"hangup".to_owned()), "a reset could lose the last words");
}

#[test]
fn a_local_reset_hangs_up_the_call() {
    let mut server = Server::start(OURS);
    server.script.lock().unwrap().sink = true;
    let mut client = Client::start(&mut server);
    let (ctl, data) = client.dial();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let far = listener.accept().unwrap().0;
    let id = client.importer.pump(ctl, data, far.into()).unwrap();
    server.say(data.0, b"unread", false);
    server.until(|script| script.seen.iter().filter(|said| *said == "Tread").count() >= 3);
    // Closing with something unread is a reset.
    near.peek(&mut [0]).unwrap();
    drop(near);
    let Outcome::Pumped { error: Some(_), .. } = client.wait(id) else { panic!("no error") };
    assert!(server.script.lock().unwrap().seen.contains(&"hangup".to_owned()));
}

#[test]
fn an_idle_pump_keeps_one_tread_outstanding() {
    let mut server = Server::start(OURS);
    let mut client = Client::start(&mut server);
    let (mut near, id, data) = client.call();
    let mut echo = [0; 5];
    for _ in 0..100 {
        near.write_all(b"hello").unwrap();
        near.read_exact(&mut echo).unwrap();
    }
    server.until(|script| script.parked.get(&data.0).is_some_and(|parked| parked.len() == 1));
    drop(near);
    assert!(matches!(client.wait(id), Outcome::Pumped { up: 500, down: 500, .. }));
}

#[test]
fn a_slow_reader_bounds_what_is_asked_for() {
    let mut server = Server::start(OURS);
    server.script.lock().unwrap().sink = true;
    let mut client = Client::start(&mut server);
    let (mut near, id, data) = client.call();
    let bytes = noise(32 << 20);
    server.say(data.0, &bytes, true);
    // Another conversation of the session is served while this one stands still.
    let (mut other, _, _) = client.call();
    other.write_all(b"x").unwrap();
    server.until(|script| script.bytes_in == 1);
    let left = server.script.lock().unwrap().waiting[&data.0].0.len();
    assert!(left > 24 << 20, "only {left} bytes are left at the server");
    let mut got = Vec::new();
    near.read_to_end(&mut got).unwrap();
    assert_eq!(hash(0, &got), hash(0, &bytes));
    near.shutdown(Shutdown::Write).unwrap();
    assert!(matches!(client.wait(id), Outcome::Pumped { error: None, .. }));
}

#[test]
fn many_pumps_share_a_session() {
    let mut server = Server::start(OURS);
    let mut client = Client::start(&mut server);
    let calls: Vec<_> = (0..50).map(|_| client.call()).collect();
    let bytes = noise(200_000);
    let ids: Vec<u64> = calls.iter().map(|(_, id, _)| *id).collect();
    thread::scope(|scope| {
        for (near, ..) in &calls {
            let bytes = &bytes;
            scope.spawn(move || {
                let mut writing = near;
                writing.write_all(bytes).unwrap();
                near.shutdown(Shutdown::Write).unwrap();
            });
            scope.spawn(move || {
                let mut got = Vec::new();
                let mut reading = near;
                reading.read_to_end(&mut got).unwrap();
                assert_eq!(hash(0, &got), hash(0, bytes));
            });
        }
    });
    for id in ids {
        let want = Outcome::Pumped { up: 200_000, down: 200_000, error: None };
        assert_eq!(client.wait(id), want);
    }
}

#[test]
fn a_lost_session_completes_everything() {
    let mut server = Server::start(OURS);
    let mut client = Client::start(&mut server);
    let (_near, pump, _) = client.call();
    let (_, data) = client.dial();
    let read = Message::Tread(Tread { fid: data, offset: 0, count: 10 });
    let rpc = client.importer.rpc(&read).unwrap();
    server.until(|script| script.parked.len() == 2);
    server.hang_up();
    assert_eq!(client.wait(rpc), Outcome::Refused(Refusal::HUNGUP));
    let Outcome::Pumped { error: Some(error), .. } = client.wait(pump) else { panic!() };
    assert_eq!(error, "i/o on hungup channel");
    assert!(matches!(client.wait(0), Outcome::Ended(_)));
    let late = client.importer.rpc(&read).unwrap();
    assert_eq!(client.wait(late), Outcome::Refused(Refusal::HUNGUP));
}

#[test]
fn close_completes_everything_and_is_the_end() {
    let mut server = Server::start(OURS);
    let mut client = Client::start(&mut server);
    let (near, pump, _) = client.call();
    client.importer.close();
    assert!(matches!(client.wait(pump), Outcome::Pumped { error: Some(_), .. }));
    assert_eq!(client.wait(0), Outcome::Ended(None));
    let mut got = Vec::new();
    (&near).read_to_end(&mut got).unwrap();
    assert!(got.is_empty());
}

#[test]
fn a_dial_and_pump_needs_nobody_in_between() {
    let mut server = Server::start(OURS);
    let mut client = Client::start(&mut server);
    let (mut near, far) = UnixStream::pair().unwrap();
    let clone = names("net tcp clone");
    let id = client.importer.dial_and_pump(clone.clone(), "1.1.1.1!1".into(), far.into());
    near.write_all(b"ping").unwrap();
    near.shutdown(Shutdown::Write).unwrap();
    let mut got = Vec::new();
    near.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"ping");
    let id = id.unwrap();
    assert!(matches!(client.wait(id), Outcome::Dialed { number: 0, .. }));
    assert_eq!(client.wait(id), Outcome::Pumped { up: 4, down: 4, error: None });
    server.script.lock().unwrap().refuse = Some("connection timed out");
    let (_near, far) = UnixStream::pair().unwrap();
    let id = client.importer.dial_and_pump(clone, "1.1.1.1!1".into(), far.into());
    let refusal = said("connection timed out");
    assert_eq!(client.wait(id.unwrap()), Outcome::NotDialed(refusal));
}
