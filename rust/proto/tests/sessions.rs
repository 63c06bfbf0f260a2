//! What transcripts can't say: limits, heads without payloads, and the session used.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test says what fails by its place")]

use netrelay_proto::client::{Client, Event};
use netrelay_proto::dialect::{Dialect, WINDOWED};
use netrelay_proto::error::{PeerError, UsageError};
use netrelay_proto::ids::{Fid, NONUNAME, Qid, Tag, mode};
use netrelay_proto::message::{
    Message, Names, Qids, Rattach, Rclunk, Rerror, Rflush, Ropen, Rversion, Rwalk, Rwrite, Tattach,
    Tclunk, Tflush, Topen, Tread, Tversion, Twalk, Twrite, decode, encode,
};
use netrelay_proto::server::{Server, ServerConfig, Step};

fn frame<'a>(tag: u16, message: impl Into<Message<'a>>) -> Vec<u8> {
    let mut out = Vec::new();
    encode(Tag(tag), &message.into(), Dialect::P2000, u32::MAX, &mut out).unwrap();
    out
}

fn attach(fid: u32, uname: &str) -> Tattach<'_> {
    Tattach { fid: Fid(fid), afid: Fid::NOFID, uname, aname: "", n_uname: NONUNAME }
}

/// A server with fid 0 attached and open for both.
fn open_server(max_fids: usize, max_requests: usize) -> Server {
    let config = ServerConfig { max_fids, max_requests, ..ServerConfig::default() };
    let (mut server, mut out) = (Server::new(config), Vec::new());
    let hello = Tversion { msize: 8216, version: "9P2000.netrelay" };
    server.request(&frame(0xffff, hello), &mut out).unwrap();
    assert!(server.windowed());
    server.request(&frame(1, attach(0, "glenda")), &mut out).unwrap();
    let qid = Qid::default();
    server.answer(Tag(1), &Rattach { qid }.into(), &mut out).unwrap();
    server.request(&frame(1, Topen { fid: Fid(0), mode: mode::ORDWR }), &mut out).unwrap();
    server.answer(Tag(1), &Ropen { qid, iounit: 0 }.into(), &mut out).unwrap();
    server
}

/// The text of the one Rerror that the session sends to this.
fn refused(server: &mut Server, request: &[u8]) -> String {
    let mut out = Vec::new();
    assert!(matches!(server.request(request, &mut out), Ok(Step::Done)));
    match decode(&out, Dialect::P2000).unwrap().1 {
        Message::Rerror(Rerror { ename, .. }) => ename.to_owned(),
        other => panic!("{other:?}"),
    }
}

const READ: Tread = Tread { fid: Fid(0), offset: 0, count: 10 };

#[test]
fn requests_beyond_the_limit_are_refused_and_a_flush_never() {
    let (mut server, mut out) = (open_server(10, 3), Vec::new());
    for tag in 0..3 {
        assert!(matches!(server.request(&frame(tag, READ), &mut out), Ok(Step::Ask(_))));
    }
    assert_eq!(refused(&mut server, &frame(3, READ)), "too many requests");
    let flush = frame(3, Tflush { oldtag: Tag(0) });
    assert!(matches!(server.request(&flush, &mut out), Ok(Step::Withdraw(Tag(0)))));
    server.withdraw(Tag(0), &mut out).unwrap();
    assert_eq!(out, frame(3, Rflush {}));
    assert_eq!(server.in_flight(), 2);
    assert!(matches!(server.request(&frame(3, READ), &mut out), Ok(Step::Ask(_))));
}

#[test]
fn fids_beyond_the_limit_are_refused_and_promises_count() {
    let (mut server, mut out) = (open_server(3, 10), Vec::new());
    let walk = |newfid| Twalk { fid: Fid(0), newfid: Fid(newfid), wname: Names::default() };
    server.request(&frame(1, walk(1_000_000)), &mut out).unwrap();
    server.answer(Tag(1), &Rwalk { wqid: Qids::default() }.into(), &mut out).unwrap();
    assert!(matches!(server.request(&frame(1, attach(2, "")), &mut out), Ok(Step::Ask(_))));
    assert_eq!(refused(&mut server, &frame(2, walk(4))), "too many fids");
    assert_eq!(server.fids().count(), 2);
    server.request(&frame(3, Tclunk { fid: Fid(1_000_000) }), &mut out).unwrap();
    out.clear();
    server.request(&frame(2, walk(4)), &mut out).unwrap();
    server.answer(Tag(2), &Rwalk { wqid: Qids::default() }.into(), &mut out).unwrap();
    assert_eq!(out[4], 111);
}

#[test]
fn a_name_lives_as_long_as_a_fid_of_its_attach_and_its_place_is_used_again() {
    let (mut server, mut out) = (open_server(10, 10), Vec::new());
    for round in 0..1000 {
        let uname = format!("user{round}");
        server.request(&frame(1, attach(5, &uname)), &mut out).unwrap();
        server.answer(Tag(1), &Rattach { qid: Qid::default() }.into(), &mut out).unwrap();
        let clunk = frame(1, Tclunk { fid: Fid(5) });
        let step = server.request(&clunk, &mut out).unwrap();
        let Step::Ask(ask) = step else { panic!("{step:?}") };
        let attach = ask.fid.unwrap().attach;
        assert_eq!(server.uname(attach), uname);
        assert!(attach.0 < 2);
        server.answer(Tag(1), &Rclunk {}.into(), &mut out).unwrap();
    }
}

#[test]
fn a_write_is_accepted_by_its_head_and_answered_as_any_other() {
    let (mut server, mut out) = (open_server(10, 10), Vec::new());
    let whole = frame(2, Twrite { fid: Fid(0), offset: 5, data: &[7; 3000] });
    let ask = server.begin_write(&whole[..23]).unwrap().unwrap();
    assert_eq!((ask.tag, ask.fid.fid, ask.offset, ask.count), (Tag(2), Fid(0), 5, 3000));
    assert_eq!(refused(&mut server, &frame(2, READ)), "duplicate tag");
    // In flight already: the ordinary way has the refusal.
    assert!(server.begin_write(&whole[..23]).unwrap().is_none());
    server.answer(Tag(2), &Rwrite { count: 3000 }.into(), &mut out).unwrap();
    assert_eq!(out, frame(2, Rwrite { count: 3000 }));
}

#[test]
fn a_head_that_is_no_legal_write_goes_the_ordinary_way_and_a_contradiction_ends_the_session() {
    let mut server = open_server(10, 10);
    let unknown = frame(2, Twrite { fid: Fid(9), offset: 0, data: &[0; 9] });
    assert!(server.begin_write(&unknown).unwrap().is_none());
    assert!(server.begin_write(&frame(2, READ)).unwrap().is_none());
    assert!(server.begin_write(&unknown[..22]).unwrap().is_none());
    let mut contradicted = frame(2, Twrite { fid: Fid(0), offset: 0, data: &[0; 9] });
    contradicted[19] = 10;
    let error = server.begin_write(&contradicted).unwrap_err().to_string();
    assert_eq!(error, "short in Twrite.data");
    assert_eq!(server.request(&contradicted, &mut Vec::new()).unwrap_err().to_string(), error);
    contradicted[19] = 8;
    let error = server.begin_write(&contradicted).unwrap_err().to_string();
    assert_eq!(error, "trailing in Twrite.end");
    assert_eq!(server.request(&contradicted, &mut Vec::new()).unwrap_err().to_string(), error);
}

#[test]
fn a_read_is_answered_by_a_head_and_the_flushes_go_behind_its_payload() {
    let (mut server, mut out) = (open_server(10, 10), Vec::new());
    server.request(&frame(2, READ), &mut out).unwrap();
    server.request(&frame(3, Tflush { oldtag: Tag(2) }), &mut out).unwrap();
    assert!(server.answer_head(Tag(2), 8216 - 10, &mut out).is_err());
    let head = server.answer_head(Tag(2), 5, &mut out).unwrap();
    assert_eq!(decode(&[&head[..], b"hello"].concat(), Dialect::P2000).unwrap().0, Tag(2));
    assert_eq!(out, frame(3, Rflush {}));
    assert_eq!(server.in_flight(), 0);
    let again = server.answer_head(Tag(2), 5, &mut out);
    assert_eq!(again, Err(UsageError::NotInFlight { tag: 2 }));
}

#[test]
fn a_chain_of_flushes_longer_than_any_stack_is_answered_in_order() {
    let (mut server, mut out) = (open_server(10, 10), Vec::new());
    server.request(&frame(0, READ), &mut out).unwrap();
    for tag in 1..60_000 {
        server.request(&frame(tag, Tflush { oldtag: Tag(tag - 1) }), &mut out).unwrap();
    }
    server.withdraw(Tag(0), &mut out).unwrap();
    let tags = out.chunks(7).map(|frame| u16::from_le_bytes([frame[5], frame[6]]));
    assert!(tags.eq(1..60_000));
}

fn agreed(version: &str) -> Client {
    let (mut client, mut out) = (Client::new(1 << 20, WINDOWED), Vec::new());
    client.hello(&mut out).unwrap();
    assert_eq!(out, frame(0xffff, Tversion { msize: 1 << 20, version: WINDOWED }));
    let reply = frame(0xffff, Rversion { msize: 8216, version });
    assert!(matches!(client.receive(&reply, &mut out), Ok(Event::Ready { msize: 8216, .. })));
    client
}

#[test]
fn the_window_is_there_only_where_it_was_promised() {
    assert!(agreed(WINDOWED).windowed());
    assert!(!agreed("9P2000").windowed());
}

#[test]
fn a_version_that_is_not_known_is_asked_for_once_more() {
    let (mut client, mut out) = (Client::new(8216, WINDOWED), Vec::new());
    let unknown = frame(0xffff, Rversion { msize: 8216, version: "unknown" });
    assert!(matches!(client.receive(&unknown, &mut out), Ok(Event::Retry)));
    assert_eq!(out, frame(0xffff, Tversion { msize: 8216, version: "9P2000" }));
    let again = client.receive(&unknown, &mut out).unwrap_err();
    assert_eq!(again, PeerError::BadVersion("unknown".to_owned()));
}

#[test]
fn a_tag_is_free_at_its_reply_or_at_the_last_rflush() {
    let (mut client, mut out) = (agreed(WINDOWED), Vec::new());
    let clunk = Message::Tclunk(Tclunk { fid: Fid(0) });
    assert_eq!(client.request(&clunk, &mut out).unwrap(), Tag(0));
    assert_eq!(client.request(&clunk, &mut out).unwrap(), Tag(1));
    assert_eq!(client.flush(Tag(0), &mut out).unwrap(), Tag(2));
    assert_eq!(client.flush(Tag(0), &mut out).unwrap(), Tag(3));
    let clunked = frame(0, Rclunk {});
    let reply = client.receive(&clunked, &mut out);
    assert!(matches!(reply, Ok(Event::Reply(Tag(0), Message::Rclunk(_)))));
    let rflush = frame(2, Rflush {});
    assert!(matches!(client.receive(&rflush, &mut out), Ok(Event::Nothing)));
    assert_eq!(client.request(&clunk, &mut out).unwrap(), Tag(2));
    let rflush = frame(3, Rflush {});
    let flushed = client.receive(&rflush, &mut out);
    assert!(matches!(flushed, Ok(Event::Flushed { tag: Tag(0), replied: true })));
    assert_eq!(client.request(&clunk, &mut out).unwrap(), Tag(0));
}

#[test]
fn a_server_that_breaks_the_rules_is_told_apart() {
    let (mut client, mut out) = (agreed(WINDOWED), Vec::new());
    let clunk = Message::Tclunk(Tclunk { fid: Fid(0) });
    client.request(&clunk, &mut out).unwrap();
    let wrong = frame(0, Rwrite { count: 1 });
    let error = client.receive(&wrong, &mut out).unwrap_err().to_string();
    assert_eq!(error, "Rwrite answers Tclunk");
    let stray = frame(9, Rclunk {});
    let error = client.receive(&stray, &mut out).unwrap_err().to_string();
    assert_eq!(error, "Rclunk for tag 9, which is not in flight");
    let mut fresh = Client::new(8216, WINDOWED);
    assert_eq!(fresh.request(&clunk, &mut out), Err(UsageError::NoVersion));
    let raised = frame(0xffff, Rversion { msize: 8217, version: WINDOWED });
    assert_eq!(fresh.receive(&raised, &mut out).unwrap_err(), PeerError::BadMsize(8217));
}
