//! The gateway as a client sees it, over TCP: what only shows with real sockets and threads.
//!
//! The files and their texts are tested for both cores from Python; here are calls, the order and
//! the bounds of bytes, workers that share conversations, and the ends of things.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is a failed test")]

mod gateway_client;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use gateway_client::{Client, Door, PATIENCE, payload, peer, text};
use netrelay_engine::upcall::{Kind, Verdict};
use netrelay_proto::ids::{Fid, Tag};
use netrelay_proto::message::{Tclunk, Topen, Tread, Twrite};

#[test]
fn a_call_echoes_and_ends_in_order() {
    let door = Door::open(1);
    let (listener, address) = peer();
    let mut client = door.attach("glenda");
    client.dial(1, address);
    let (mut call, _) = listener.accept().unwrap();
    assert_eq!(client.write(2, b"hello"), Ok("Rwrite"));
    let mut got = [0; 5];
    call.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"hello");
    call.write_all(b"echo").unwrap();
    assert_eq!(client.read(2, 100).unwrap(), b"echo");
    client.clunk(2);
    client.clunk(1);
    assert_eq!(call.read(&mut got).unwrap(), 0);
}

#[test]
fn a_refused_call_says_so() {
    let door = Door::open(1);
    let (listener, address) = peer();
    drop(listener);
    let mut client = door.attach("glenda");
    client.clone(1);
    let connect = format!("connect 127.0.0.1!{}", address.port());
    assert_eq!(client.write(1, connect.as_bytes()), Err("connection refused".into()));
    assert_eq!(client.write(1, connect.as_bytes()), Err("connection in use".into()));
}

#[test]
fn treads_are_answered_in_order_with_consecutive_bytes() {
    let door = Door::open(1);
    let (listener, address) = peer();
    let mut client = door.attach("glenda");
    client.dial(1, address);
    let (mut call, _) = listener.accept().unwrap();
    let tags: Vec<Tag> = (0..8).map(|_| client.send_read(2, 1 << 19)).collect();
    let sent: Vec<u8> = (0..3_000_000_u32).map(|at| (at / 251).to_le_bytes()[0]).collect();
    let writer = thread::spawn({
        let sent = sent.clone();
        move || {
            call.write_all(&sent).unwrap();
            call
        }
    });
    let mut got = Vec::new();
    for tag in tags {
        let (answered, frame) = client.receive();
        assert_eq!(answered, tag);
        got.extend(payload(&frame).unwrap());
    }
    while got.len() < sent.len() {
        got.extend(client.read(2, 1 << 19).unwrap());
    }
    assert!(got == sent);
    writer.join().unwrap().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.read(2, 10).unwrap(), b"");
}

#[test]
fn a_large_write_is_passed_on_as_it_arrives() {
    let door = Door::open(1);
    let (listener, address) = peer();
    let mut client = door.attach("glenda");
    client.dial(1, address);
    let (mut call, _) = listener.accept().unwrap();
    let data = vec![7; 100_000];
    let mut frame = Vec::new();
    frame.extend((23 + 100_000_u32).to_le_bytes());
    frame.push(118);
    frame.extend(99_u16.to_le_bytes());
    frame.extend(2_u32.to_le_bytes());
    frame.extend(0_u64.to_le_bytes());
    frame.extend(100_000_u32.to_le_bytes());
    client.stream.write_all(&frame).unwrap();
    client.stream.write_all(&data[..60_000]).unwrap();
    let mut got = vec![0; 60_000];
    call.read_exact(&mut got).unwrap();
    client.stream.write_all(&data[60_000..]).unwrap();
    got.resize(40_000, 0);
    call.read_exact(&mut got).unwrap();
    let (tag, reply) = client.receive();
    assert_eq!((tag, text(&reply)), (Tag(99), "Rwrite".into()));
}

#[test]
fn a_large_write_to_a_full_socket_waits_and_arrives_whole() {
    let door = Door::open(1);
    let (listener, address) = peer();
    let mut client = door.attach("glenda");
    client.dial(1, address);
    let (mut call, _) = listener.accept().unwrap();
    // Far more than the sockets hold, in the window that a session has.
    let sent: Vec<u8> = (0..900_000_u32).map(|at| (at % 253).to_le_bytes()[0]).collect();
    let mut pending = 0;
    let mut received = 0;
    let reader = thread::spawn({
        let sent = sent.clone();
        move || {
            let mut got = vec![0; sent.len()];
            for _ in 0..30 {
                call.read_exact(&mut got).unwrap();
                assert!(got == sent);
            }
        }
    });
    for _ in 0..30 {
        client.send(&Twrite { fid: Fid(2), offset: 0, data: &sent }.into());
        pending += 1;
        if pending == 4 {
            let (_, reply) = client.receive();
            assert_eq!(text(&reply), "Rwrite");
            pending -= 1;
            received += 1;
        }
    }
    while received < 30 {
        let (_, reply) = client.receive();
        assert_eq!(text(&reply), "Rwrite");
        received += 1;
    }
    reader.join().unwrap();
}

#[test]
fn waiting_writes_are_bounded_and_nobody_else_waits() {
    let door = Door::open(1);
    let (listener, address) = peer();
    let mut client = door.attach("glenda");
    client.dial(1, address);
    let _silent = listener.accept().unwrap();
    let data = vec![0; 1_000_000];
    let mut unanswered = 0;
    let refused = loop {
        client.send(&Twrite { fid: Fid(2), offset: 0, data: &data }.into());
        unanswered += 1;
        if unanswered < 6 {
            continue;
        }
        let (_, reply) = client.receive();
        unanswered -= 1;
        match text(&reply).as_str() {
            "Rwrite" => {}
            refused => break refused.to_owned(),
        }
    };
    assert_eq!(refused, "write queue full");
    assert!(door.stat("parked_bytes") <= 5_000_000);
    let mut other = door.attach("rob");
    other.dial(1, address);
    let (mut call, _) = listener.accept().unwrap();
    assert_eq!(other.write(2, b"through"), Ok("Rwrite"));
    let mut got = [0; 7];
    call.read_exact(&mut got).unwrap();
}

#[test]
fn flushes_take_back_what_waits() {
    let door = Door::open(1);
    let (listener, address) = peer();
    let mut client = door.attach("glenda");
    client.dial(1, address);
    let (mut call, _) = listener.accept().unwrap();
    let read = client.send_read(2, 100);
    let flush = client.flush(read);
    let (tag, reply) = client.receive();
    assert_eq!((tag, text(&reply)), (flush, "Rflush".into()));
    call.write_all(b"kept").unwrap();
    assert_eq!(client.read(2, 100).unwrap(), b"kept");

    let (number, at) = client.announce(3);
    client.walk(5, &["net", "tcp", &number, "listen"]);
    let listen = client.send(&Topen { fid: Fid(5), mode: 2 }.into());
    let flush = client.flush(listen);
    let (tag, reply) = client.receive();
    assert_eq!((tag, text(&reply)), (flush, "Rflush".into()));
    let mut caller = TcpStream::connect(at).unwrap();
    assert_eq!(client.open(5), Ok("Ropen"));
    let called = String::from_utf8(client.read(5, 10).unwrap()).unwrap();
    client.open_file(6, &called, "data");
    caller.write_all(b"first").unwrap();
    assert_eq!(client.read(6, 10).unwrap(), b"first");
}

#[test]
fn a_clunk_interrupts_what_waits_before_it_is_answered() {
    let door = Door::open(1);
    let (listener, address) = peer();
    let mut client = door.attach("glenda");
    client.dial(1, address);
    let _call = listener.accept().unwrap();
    let reads = [client.send_read(2, 10), client.send_read(2, 10)];
    let clunk = client.send(&Tclunk { fid: Fid(2) }.into());
    let order = [(reads[0], "interrupted"), (reads[1], "interrupted"), (clunk, "Rclunk")];
    for (tag, said) in order {
        let (got, reply) = client.receive();
        assert_eq!((got, text(&reply)), (tag, said.into()));
    }
}

#[test]
fn a_port_is_taken_once_and_free_when_its_session_vanishes() {
    let door = Door::open(2);
    let mut first = door.attach("glenda");
    let (number, at) = first.announce(1);
    first.walk(3, &["net", "tcp", &number, "listen"]);
    first.send(&Topen { fid: Fid(3), mode: 2 }.into());
    let mut second = door.attach("rob");
    second.clone(1);
    let announce = format!("announce 127.0.0.1!{}", at.port());
    assert_eq!(second.write(1, announce.as_bytes()), Err("address in use".into()));
    drop(first);
    while door.stat("sessions") == 2 {
        thread::yield_now();
    }
    assert_eq!(second.write(1, announce.as_bytes()), Ok("Rwrite"));
}

#[test]
fn half_close_goes_out_behind_what_is_written_and_reading_goes_on() {
    let door = Door::open(1);
    let (listener, address) = peer();
    let mut client = door.attach("glenda");
    client.dial(1, address);
    let (mut call, _) = listener.accept().unwrap();
    client.write(2, b"question").unwrap();
    assert_eq!(client.write(1, b"shutdown write"), Ok("Rwrite"));
    assert_eq!(client.write(2, b"more"), Err("i/o on hungup channel".into()));
    let mut question = Vec::new();
    call.read_to_end(&mut question).unwrap();
    assert_eq!(question, b"question");
    call.write_all(b"answer").unwrap();
    drop(call);
    assert_eq!(client.read(2, 100).unwrap(), b"answer");
    for _ in 0..3 {
        assert_eq!(client.read(2, 100).unwrap(), b"");
    }
    assert_eq!(client.read(2, 100), Err("i/o on hungup channel".into()));
}

#[test]
fn conversations_of_another_worker_work_by_number() {
    let door = Door::open(2);
    let (listener, address) = peer();
    let mut owner = door.attach("glenda");
    let number = owner.dial(1, address);
    let (mut call, _) = listener.accept().unwrap();
    let mut guest = door.attach("glenda");
    guest.open_file(1, &number, "ctl");
    guest.open_file(2, &number, "data");
    let data: Vec<u8> = (0..200_000_u32).map(|at| (at % 247).to_le_bytes()[0]).collect();
    assert_eq!(guest.write(2, &data), Ok("Rwrite"));
    let mut got = vec![0; data.len()];
    call.read_exact(&mut got).unwrap();
    assert!(got == data);
    let read = guest.send_read(2, 100);
    let flush = guest.flush(read);
    let (tag, reply) = guest.receive();
    assert_eq!((tag, text(&reply)), (flush, "Rflush".into()));
    owner.clunk(1);
    owner.clunk(2);
    call.write_all(b"still up").unwrap();
    assert_eq!(guest.read(2, 100).unwrap(), b"still up");
    guest.open_file(3, &number, "remote");
    let remote = format!("127.0.0.1!{}\n", address.port());
    assert_eq!(guest.read(3, 100).unwrap(), remote.as_bytes());
    assert_eq!(guest.write(1, b"hangup"), Ok("Rwrite"));
    assert!(call.read(&mut got).is_err());
    guest.clunk(1);
    let waiting = guest.send_read(2, 1);
    let clunk = guest.send(&Tclunk { fid: Fid(2) }.into());
    let answered = [guest.receive(), guest.receive()].map(|(tag, _)| tag);
    assert_eq!(answered, [waiting, clunk]);
    while door.stat("conversations") > 0 {
        thread::yield_now();
    }
}

#[test]
fn calls_taken_for_another_worker_are_given_back_when_it_loses_interest() {
    let door = Door::open(2);
    let mut owner = door.attach("glenda");
    let (number, at) = owner.announce(1);
    let mut guest = door.attach("glenda");
    for fid in 1..20 {
        guest.walk(fid, &["net", "tcp", &number, "listen"]);
        guest.send(&Topen { fid: Fid(fid), mode: 2 }.into());
    }
    let callers: Vec<TcpStream> = (0..5).map(|_| TcpStream::connect(at).unwrap()).collect();
    drop(guest);
    while door.stat("sessions") > 1 || door.stat("conversations") > 1 {
        thread::yield_now();
    }
    drop(callers);
}

#[test]
fn a_client_that_reads_nothing_holds_up_nobody() {
    let door = Door::open(1);
    let (listener, address) = peer();
    let mut client = door.attach("glenda");
    client.dial(1, address);
    let (call, _) = listener.accept().unwrap();
    let pump = thread::spawn(move || flood(call));
    for _ in 0..200 {
        client.send_read(2, 1 << 19);
    }
    let mut other = door.attach("rob");
    other.dial(1, address);
    let (mut call, _) = listener.accept().unwrap();
    for _ in 0..100 {
        call.write_all(b"ping").unwrap();
        assert_eq!(other.read(2, 10).unwrap(), b"ping");
    }
    // What it reads in the end is all there and in order.
    let mut at = 0;
    for _ in 0..200 {
        for byte in payload(&client.receive().1).unwrap() {
            assert_eq!(u32::from(byte), at % 251);
            at += 1;
        }
    }
    drop(client);
    pump.join().unwrap();
}

/// Sends a pattern until the other end has had enough.
fn flood(mut call: TcpStream) {
    let block: Vec<u8> = (0..251 * 400_u32).map(|at| (at % 251).to_le_bytes()[0]).collect();
    while call.write_all(&block).is_ok() {}
}

#[test]
fn a_full_upcall_queue_stops_only_who_asks() {
    let door = Door::with(1, |config| config.limits.upcalls = 1);
    let mut client = door.attach("glenda");
    for fid in 1..=3 {
        client.walk(fid, &["net", "cs"]);
        assert_eq!(client.open(fid), Ok("Ropen"));
    }
    let query = |fid| Twrite { fid: Fid(fid), offset: 0, data: b"tcp!host!http" };
    let writes = [client.send(&query(1).into()), client.send(&query(2).into())];
    let behind = client.send(&Tread { fid: Fid(3), offset: 0, count: 1 }.into());
    let mut other = door.attach("rob");
    other.clone(1);
    // The session goes on as soon as its second question has room, not when that is answered.
    let mut expected = vec![(writes[0], "Rwrite"), (behind, "Rread"), (writes[1], "Rwrite")];
    for answers in [2, 1] {
        let asked = loop {
            if let Some(asked) = door.gateway.upcalls().pop() {
                break asked;
            }
            thread::yield_now();
        };
        assert_eq!((asked.kind, asked.user.as_str()), (Kind::Cs, "glenda"));
        assert_eq!(asked.query, b"tcp!host!http");
        door.gateway.answer(asked.id, Verdict::Replies(vec![b"/net/tcp/clone 1!80".into()]));
        for (tag, said) in expected.drain(..answers) {
            let (got, reply) = client.receive();
            assert_eq!((got, text(&reply)), (tag, said.into()));
        }
    }
    assert_eq!(client.read(1, 100).unwrap(), b"/net/tcp/clone 1!80");
}

#[test]
fn who_does_not_attach_in_time_is_closed() {
    let door = Door::with(1, |config| config.limits.handshake = Duration::from_millis(50));
    let mut silent = TcpStream::connect(door.address).unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
}

#[test]
fn shutdown_lets_conversations_finish_and_takes_no_new_session() {
    let door = Door::open(2);
    let (listener, address) = peer();
    let mut busy = door.attach("glenda");
    let mut idle = door.attach("rob");
    busy.dial(1, address);
    let (mut call, _) = listener.accept().unwrap();
    door.gateway.shutdown(Duration::from_secs(3600));
    assert_eq!(idle.stream.read(&mut [0]).unwrap(), 0);
    call.write_all(b"last words").unwrap();
    assert_eq!(busy.read(2, 100).unwrap(), b"last words");
    assert!(!door.gateway.wait_closed(Duration::ZERO));
    busy.clunk(2);
    busy.clunk(1);
    drop(call);
    assert!(door.gateway.wait_closed(PATIENCE));
    let refused = TcpStream::connect(door.address).is_err();
    assert!(refused);
}

#[test]
fn the_deadline_of_a_shutdown_ends_what_is_left() {
    let door = Door::open(2);
    let (listener, address) = peer();
    let mut busy = door.attach("glenda");
    busy.dial(1, address);
    let (mut call, _) = listener.accept().unwrap();
    door.gateway.shutdown(Duration::from_millis(30));
    assert!(door.gateway.wait_closed(PATIENCE));
    assert_eq!(busy.stream.read(&mut [0]).unwrap(), 0);
    assert_eq!(call.read(&mut [0]).unwrap(), 0);
}

#[test]
fn urgent_bytes_do_not_hide_what_is_behind_them() {
    let door = Door::open(1);
    let (listener, address) = peer();
    let mut client = door.attach("glenda");
    client.dial(1, address);
    let (call, _) = listener.accept().unwrap();
    let urgent = rustix::net::SendFlags::OOB;
    rustix::net::send(&call, b"ahead!", urgent).unwrap();
    (&call).write_all(b"behind").unwrap();
    let mut got = Vec::new();
    while got.len() < 11 {
        got.extend(client.read(2, 100).unwrap());
    }
    assert_eq!(got, b"aheadbehind");
}

#[test]
fn bytes_that_are_not_9p_end_their_session_only() {
    let door = Door::open(1);
    let mut good = door.attach("glenda");
    let bad = TcpStream::connect(door.address).unwrap();
    let mut bad = Client::new(bad);
    bad.stream.write_all(&[3, 0, 0, 0]).unwrap();
    assert_eq!(bad.stream.read(&mut [0]).unwrap(), 0);
    good.clone(1);
    assert_eq!(door.stat("broken_sessions"), 1);
}

#[test]
fn a_peer_that_never_stops_is_reset_when_nobody_reads_it() {
    let door = Door::open(1);
    let (listener, address): (TcpListener, _) = peer();
    let mut client = door.attach("glenda");
    client.dial(1, address);
    let (call, _) = listener.accept().unwrap();
    let pump = thread::spawn(move || flood(call));
    client.read(2, 1000).unwrap();
    client.clunk(1);
    client.clunk(2);
    pump.join().unwrap();
}
