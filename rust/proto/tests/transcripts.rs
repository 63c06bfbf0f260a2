//! Replays `tests/transcripts/*.9p` against a server session; the format is in the README beside them.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test says what fails by its place")]

use std::collections::VecDeque;
use std::fs;
use std::path::Path;

use netrelay_proto::deframe::Deframer;
use netrelay_proto::error::Refusal;
use netrelay_proto::ids::{FIRST_MSIZE, Tag};
use netrelay_proto::message::{decode, encode};
use netrelay_proto::server::{Server, ServerConfig, Step};
use netrelay_proto::text::{Line, print};

#[derive(Debug, PartialEq)]
enum Event {
    Send(String),
    Ask(u16, String),
    Withdraw(u16),
    Reset,
    Over(String),
}

struct Session {
    core: Server,
    deframer: Deframer,
    events: VecDeque<Event>,
}

impl Session {
    fn new() -> Self {
        let (core, deframer) = (Server::new(ServerConfig::default()), Deframer::new(FIRST_MSIZE));
        Self { core, deframer, events: VecDeque::new() }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.deframer.feed(bytes);
        loop {
            let frame = match self.deframer.next_frame() {
                Ok(Some(frame)) => frame.to_vec(),
                Ok(None) => return,
                Err(error) => return self.events.push_back(Event::Over(error.to_string())),
            };
            let mut out = Vec::new();
            match self.core.request(&frame, &mut out) {
                Ok(Step::Done) => {}
                Ok(Step::Ask(ask)) => {
                    let mut text = String::new();
                    print(ask.tag, &ask.message, &mut text);
                    self.events.push_back(Event::Ask(ask.tag.0, text));
                }
                Ok(Step::Withdraw(tag)) => self.events.push_back(Event::Withdraw(tag.0)),
                Ok(Step::Reset) => self.events.push_back(Event::Reset),
                Err(error) => return self.events.push_back(Event::Over(error.to_string())),
            }
            self.deframer.set_msize(self.core.msize());
            self.sent(&out);
        }
    }

    fn sent(&mut self, mut out: &[u8]) {
        while let Some((size, _)) = out.split_first_chunk() {
            let (frame, rest) = out.split_at(u32::from_le_bytes(*size) as usize);
            let (tag, message) = decode(frame, self.core.dialect()).unwrap();
            let mut text = String::new();
            print(tag, &message, &mut text);
            self.events.push_back(Event::Send(text));
            out = rest;
        }
    }

    fn ask(&mut self, words: &str) {
        let bytes = if let Some(hex) = words.strip_prefix("bytes ") {
            let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
            digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
        } else {
            let (line, mut out) = (Line::read(words).unwrap(), Vec::new());
            let (tag, message) = line.message().unwrap();
            encode(tag, &message, self.core.dialect(), u32::MAX, &mut out).unwrap();
            out
        };
        self.feed(&bytes);
    }

    /// The tree's word; false if the session calls it a misuse.
    fn answer(&mut self, words: &str) -> bool {
        let mut out = Vec::new();
        let done = if let Some(tag) = words.strip_prefix("withdraw ") {
            self.core.withdraw(Tag(tag.parse().unwrap()), &mut out)
        } else if let Some(refused) = words.strip_prefix("refuse ") {
            let (tag, rest) = refused.split_once(" \"").unwrap();
            let (text, errno) = rest.split_once("\" ").unwrap();
            let refusal = Refusal::new(text.to_owned(), errno.parse().unwrap());
            self.core.refuse(Tag(tag.parse().unwrap()), &refusal, &mut out)
        } else {
            let line = Line::read(words).unwrap();
            let (tag, message) = line.message().unwrap();
            self.core.answer(tag, &message, &mut out)
        };
        self.sent(&out);
        done.is_ok()
    }

    fn expected(&mut self, words: &str, place: &str) {
        let event = self.events.pop_front();
        let (verb, rest) = words.split_once(' ').unwrap_or((words, ""));
        match (verb, event) {
            ("ask", Some(Event::Ask(tag, text))) => {
                let (number, shown) = rest.split_once(' ').unwrap_or((rest, ""));
                assert_eq!(number, tag.to_string(), "{place}");
                assert!(shown.is_empty() || shown == text, "{place}: asked {text}");
            }
            ("withdraw", Some(Event::Withdraw(tag))) => assert_eq!(rest, tag.to_string()),
            ("reset", Some(Event::Reset)) => {}
            ("over", Some(Event::Over(text))) => assert_eq!(rest, format!("\"{text}\""), "{place}"),
            (_, event) => panic!("{place}: {event:?}"),
        }
    }
}

fn replay(name: &str, text: &str) {
    let (mut session, mut group) = (Session::new(), None);
    for (number, line) in text.lines().enumerate() {
        let place = format!("{name}:{}", number + 1);
        let (verb, words) = line.split_once(' ').unwrap_or((line, ""));
        match (verb, &mut group) {
            ("" | "#", _) => {}
            ("<", Some(wanted)) => Vec::push(wanted, Event::Send(words.to_owned())),
            ("<", None) => {
                let sent = session.events.pop_front();
                assert_eq!(sent, Some(Event::Send(words.to_owned())), "{place}");
            }
            ("{", None) => group = Some(Vec::new()),
            ("}", Some(wanted)) => {
                for _ in 0..wanted.len() {
                    let sent = session.events.pop_front();
                    let found = wanted.iter().position(|each| Some(each) == sent.as_ref());
                    wanted.remove(found.unwrap_or_else(|| panic!("{place}: {sent:?}")));
                }
                group = None;
            }
            ("?", None) => session.expected(words, &place),
            (">" | "!", None) => {
                assert_eq!(session.events, [], "{place}: left over before it");
                match (verb, words.strip_prefix("misuse ")) {
                    (">", _) => session.ask(words),
                    (_, Some(misuse)) => assert!(!session.answer(misuse), "{place}: taken"),
                    _ => assert!(session.answer(words), "{place}: not taken"),
                }
            }
            _ => panic!("{place}: {line}"),
        }
    }
    assert_eq!(session.events, [], "{name}: left over at its end");
}

#[test]
fn every_transcript_replays() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/transcripts");
    let mut count = 0;
    for entry in fs::read_dir(home).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "9p") {
            replay(&path.display().to_string(), &fs::read_to_string(&path).unwrap());
            count += 1;
        }
    }
    assert!(count >= 15, "only {count} transcripts were found");
}
