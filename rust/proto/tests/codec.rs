//! Laws of the codec: what is encoded decodes, and no bytes at all do harm.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says what fails by its place"
)]

use netrelay_proto::deframe::Deframer;
use netrelay_proto::dialect::Dialect;
use netrelay_proto::dir;
use netrelay_proto::ids::{Fid, Qid, Tag};
use netrelay_proto::message::{ALL, Message, Names, Qids, Rread, Source, Stat, decode, encode};
use netrelay_proto::server::{Server, ServerConfig};
use netrelay_proto::text::{Line, print};

const DIALECTS: [Dialect; 3] = [Dialect::P2000, Dialect::U, Dialect::L];

/// Numbers that look random and are the same in every run.
struct Xorshift(u64);

impl Xorshift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next()).unwrap() % end
    }

    fn string(&mut self) -> &'static str {
        const STRINGS: [&str; 6] =
            ["", "glenda", ".", "..", "tcp!*!564", "\u{e9}\n\"\\\u{7f}\u{1}"];
        STRINGS[self.below(STRINGS.len())]
    }
}

/// Any message is made by reading its fields from here.
impl Source<'static> for Xorshift {
    type Error = std::convert::Infallible;

    fn u8(&mut self, _: &'static str) -> Result<u8, Self::Error> {
        Ok(self.next().to_le_bytes()[1])
    }
    fn u16(&mut self, _: &'static str) -> Result<u16, Self::Error> {
        Ok(u16::try_from(self.next() >> 48).unwrap() | 0xff00)
    }
    fn u32(&mut self, _: &'static str) -> Result<u32, Self::Error> {
        Ok(u32::try_from(self.next() >> 32).unwrap())
    }
    fn u64(&mut self, _: &'static str) -> Result<u64, Self::Error> {
        Ok(self.next())
    }
    fn qid(&mut self, _: &'static str) -> Result<Qid, Self::Error> {
        Ok(Qid { kind: self.u8("")?, vers: self.u32("")?, path: self.next() })
    }
    fn text(&mut self, _: &'static str) -> Result<&'static str, Self::Error> {
        Ok(self.string())
    }
    fn data(&mut self, _: &'static str) -> Result<&'static [u8], Self::Error> {
        const BYTES: &[u8] = b"\0\xff\n\"\\ plain \x80\r\t";
        Ok(&BYTES[..self.below(BYTES.len() + 1)])
    }
    fn names(&mut self, _: &'static str) -> Result<Names<'static>, Self::Error> {
        let names: Vec<_> = (0..self.below(17)).map(|_| self.string()).collect();
        Ok(Names::new(&names).unwrap())
    }
    fn qids(&mut self, field: &'static str) -> Result<Qids, Self::Error> {
        let qids: Vec<_> = (0..self.below(17)).map(|_| self.qid(field).unwrap()).collect();
        Ok(Qids::new(&qids).unwrap())
    }
    fn stat(&mut self, _: &'static str) -> Result<Stat<'static>, Self::Error> {
        Stat::read_fields(self)
    }
}

fn messages(rounds: usize) -> Vec<Message<'static>> {
    let mut numbers = Xorshift(0x9e37_79b9_7f4a_7c15);
    let all = (0..rounds).flat_map(|_| ALL);
    all.map(|(kind, _)| Message::read(*kind, &mut numbers).unwrap().unwrap()).collect()
}

fn frame(message: &Message<'_>, dialect: Dialect) -> Vec<u8> {
    let mut out = Vec::new();
    encode(Tag(7), message, dialect, u32::MAX, &mut out).unwrap();
    out
}

#[test]
fn what_is_encoded_decodes_to_bytes_that_are_the_same() {
    for message in messages(50) {
        for dialect in DIALECTS {
            let sent = frame(&message, dialect);
            // A dialect that lacks the message refuses it; one that lacks a field leaves it out.
            let Ok((tag, got)) = decode(&sent, dialect) else { continue };
            assert_eq!(tag, Tag(7));
            assert_eq!(frame(&got, dialect), sent);
            if dialect == Dialect::U {
                assert_eq!(got, message);
            }
        }
    }
}

#[test]
fn every_message_has_a_dialect() {
    for message in messages(1) {
        let has = |dialect: &Dialect| decode(&frame(&message, *dialect), *dialect).is_ok();
        assert!(DIALECTS.iter().any(has), "{}", message.name());
    }
}

#[test]
fn a_frame_cut_short_or_long_is_refused_by_name() {
    for message in messages(5) {
        let sent = frame(&message, Dialect::U);
        if decode(&sent, Dialect::U).is_err() {
            continue;
        }
        for size in 7..sent.len() {
            let mut short = sent[..size].to_vec();
            short[..4].copy_from_slice(&u32::try_from(size).unwrap().to_le_bytes());
            let error = decode(&short, Dialect::U).unwrap_err();
            assert_eq!(error.message, message.name(), "{error}");
        }
        let mut long = sent.clone();
        long.push(0);
        let size = u32::try_from(long.len()).unwrap();
        long[..4].copy_from_slice(&size.to_le_bytes());
        let error = decode(&long, Dialect::U).unwrap_err();
        assert_eq!(error.to_string(), format!("trailing in {}.end", message.name()));
    }
}

#[test]
fn the_text_form_of_any_message_parses_back() {
    for message in messages(50) {
        let mut text = String::new();
        print(Tag::NOTAG, &message, &mut text);
        assert!(!text.contains('\n'));
        let line = Line::read(&text).unwrap();
        assert_eq!(line.message().unwrap(), (Tag::NOTAG, message), "{text}");
    }
}

#[test]
fn any_bytes_give_a_message_or_a_named_error() {
    let mut numbers = Xorshift(1);
    let seeds: Vec<_> = messages(3).iter().map(|each| frame(each, Dialect::U)).collect();
    let mut server = Server::new(ServerConfig::default());
    let mut out = Vec::new();
    for round in 0..60_000 {
        let mut bytes = seeds[numbers.below(seeds.len())].clone();
        for _ in 0..numbers.below(4) {
            let at = numbers.below(bytes.len());
            bytes[at] = numbers.next().to_le_bytes()[0];
        }
        bytes.truncate(numbers.below(bytes.len() * 4));
        if let (Ok(size), Some(room)) = (u32::try_from(bytes.len()), bytes.first_chunk_mut()) {
            *room = size.to_le_bytes();
        }
        for dialect in DIALECTS {
            if let Ok((tag, message)) = decode(&bytes, dialect) {
                let mut again = Vec::new();
                encode(tag, &message, dialect, u32::MAX, &mut again).unwrap();
            }
        }
        let _ = server.begin_write(&bytes);
        let _ = server.request(&bytes, &mut out);
        if round % 64 == 0 {
            out.clear();
        }
        dir::stats(&bytes, Dialect::U).for_each(drop);
        dir::dirents(&bytes).for_each(drop);
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let _ = Line::read(text).map(|line| line.message().is_ok());
        }
    }
}

#[test]
fn a_frame_above_msize_leaves_the_buffer_as_it_was() {
    let message = Message::Rread(Rread { data: &[0; 100] });
    let mut out = vec![1, 2, 3];
    assert!(encode(Tag(1), &message, Dialect::P2000, 110, &mut out).is_err());
    assert_eq!(out, [1, 2, 3]);
    encode(Tag(1), &message, Dialect::P2000, 111, &mut out).unwrap();
    assert_eq!(out.len(), 3 + 111);
    let long = "x".repeat(65536);
    let names = Names::new(&[&long]).unwrap();
    let walk = netrelay_proto::message::Twalk { fid: Fid(0), newfid: Fid(1), wname: names };
    assert!(encode(Tag(1), &walk.into(), Dialect::P2000, u32::MAX, &mut out).is_err());
    assert_eq!(out.len(), 3 + 111);
}

#[test]
fn directory_records_and_entries_come_back_in_order() {
    let mut numbers = Xorshift(5);
    let stats: Vec<Stat<'_>> = (0..9).map(|_| numbers.stat("").unwrap()).collect();
    let mut data = Vec::new();
    for stat in &stats {
        dir::put_stat(stat, Dialect::U, &mut data).unwrap();
    }
    assert_eq!(dir::stats(&data, Dialect::U).collect::<Result<Vec<_>, _>>().unwrap(), stats);
    data.pop();
    let mut cut = dir::stats(&data, Dialect::U).skip(8);
    assert_eq!(cut.next().unwrap().unwrap_err().to_string(), "short in stat.size");
    assert!(cut.next().is_none());
    let entry = dir::Dirent { qid: numbers.qid("").unwrap(), offset: 3, kind: 4, name: "tcp" };
    let mut data = Vec::new();
    dir::put_dirent(&entry, &mut data).unwrap();
    dir::put_dirent(&entry, &mut data).unwrap();
    assert_eq!(dir::dirents(&data).collect::<Result<Vec<_>, _>>().unwrap(), [entry, entry]);
}

/// The frames of a stream fed in pieces, and the refusal.
fn cut(stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, Option<String>) {
    let (mut deframer, mut got) = (Deframer::new(4096), Vec::new());
    for part in stream.chunks(piece) {
        deframer.feed(part);
        loop {
            match deframer.next_frame() {
                Ok(Some(frame)) => got.push(frame.to_vec()),
                Ok(None) => break,
                Err(error) => return (got, Some(error.to_string())),
            }
        }
    }
    (got, None)
}

#[test]
fn every_cut_of_a_stream_gives_the_same_frames_and_the_same_refusal() {
    let frames: Vec<_> = messages(1).iter().map(|each| frame(each, Dialect::U)).collect();
    for tail in [&[][..], &[6, 0, 0, 0], &[1, 16, 0, 0], &[9, 0, 0, 0, 120]] {
        let stream = [&frames.concat(), tail].concat();
        let whole = cut(&stream, stream.len());
        assert_eq!(whole.0, frames);
        assert_eq!(whole.1.is_some(), tail.len() == 4);
        for piece in 1..stream.len().min(300) {
            assert_eq!(cut(&stream, piece), whole);
        }
    }
}
