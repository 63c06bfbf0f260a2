//! IL over a link that loses, doubles, delays and reorders, on a clock that is only moved.
//!
//! The same laws as `tests/simulation` has for both cores, with a generator of a few lines, so that this
//! crate needs neither Python nor a dependency to be trusted; and bytes of any kind, which must not panic.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test says what fails by its place")]
#![allow(clippy::cast_possible_truncation, reason = "dice have few sides")]

use std::collections::{BTreeMap, VecDeque};

use netrelay_proto::error::Refusal;
use netrelay_proto::il::{
    Conversation, DEATH_TIME, Event, Flaw, MAX_MESSAGE, Packet, SendError, State, Stats, WINDOW,
    kind, refuse,
};

const CALLER: u16 = 5000;
const CALLED: u16 = 17008;

/// Knuth's multiplier; the high half is random enough.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// What a link does, in percent and milliseconds.
#[derive(Clone, Copy, Debug)]
struct Faults {
    loss: u64,
    double: u64,
    slowest: u64,
}

const PERFECT: Faults = Faults { loss: 0, double: 0, slowest: 1 };

/// One direction: packets by the moment of their arrival and their number.
struct Link {
    faults: Faults,
    dice: Dice,
    travelling: BTreeMap<(u64, u64), Vec<u8>>,
    count: u64,
    lost: u64,
    cut: bool,
}

impl Link {
    fn new(faults: Faults, seed: u64) -> Self {
        let travelling = BTreeMap::new();
        Self { faults, dice: Dice(seed), travelling, count: 0, lost: 0, cut: false }
    }

    fn put(&mut self, now: u64, packet: &[u8]) {
        // Seventeen in a row would be a cut.
        if self.cut || (self.lost < 3 && self.dice.roll(100) < self.faults.loss) {
            self.lost += 1;
            return;
        }
        self.lost = 0;
        for _ in 0..=u64::from(self.dice.roll(100) < self.faults.double) {
            let arrival = now + 1 + self.dice.roll(self.faults.slowest);
            self.travelling.insert((arrival, self.count), packet.to_vec());
            self.count += 1;
        }
    }

    fn due(&self) -> Option<u64> {
        self.travelling.first_key_value().map(|((arrival, _), _)| *arrival)
    }

    fn arrived(&mut self, now: u64) -> Option<Vec<u8>> {
        let first = self.travelling.first_entry().filter(|first| first.key().0 <= now)?;
        Some(first.remove())
    }
}

struct End {
    il: Conversation,
    to_send: VecDeque<Vec<u8>>,
    heard: Vec<Vec<u8>>,
    closed: Option<Event>,
}

impl End {
    fn new(il: Conversation) -> Self {
        Self { il, to_send: VecDeque::new(), heard: Vec::new(), closed: None }
    }

    fn settle(&mut self, now: u64, link: &mut Link) {
        while let Some(event) = self.il.poll_event() {
            match event {
                Event::Connected => {}
                Event::Message(data) => self.heard.push(data),
                Event::Closed(_) => assert_eq!(self.closed.replace(event), None),
            }
        }
        while self.il.room() > 0
            && let Some(message) = self.to_send.pop_front()
        {
            self.il.send(now, &message).unwrap();
        }
        while let Some(packet) = self.il.poll_transmit() {
            link.put(now, packet);
        }
    }
}

struct Pair {
    now: u64,
    ends: [End; 2],
    links: [Link; 2],
}

impl Pair {
    /// Both ends of a call that is up, and the links from each.
    fn new(faults: Faults, seed: u64) -> Self {
        let mut caller = Conversation::connect(0, CALLER, CALLED, u32::MAX - 30);
        let sync = caller.poll_transmit().unwrap().to_vec();
        let called =
            Conversation::answer(0, &Packet::decode(&sync).unwrap(), u32::MAX - 50).unwrap();
        let mut pair = Self {
            now: 0,
            ends: [End::new(caller), End::new(called)],
            links: [Link::new(faults, seed), Link::new(faults, !seed)],
        };
        pair.run(|pair| pair.ends.iter().all(|end| end.il.state() == State::Established));
        pair
    }

    fn run(&mut self, until: impl Fn(&Self) -> bool) {
        self.settle();
        while !until(self) {
            assert!(self.step(), "nothing is due any more");
            assert!(
                self.now < 36_000_000,
                "{}{}",
                self.ends[0].il.status(),
                self.ends[1].il.status()
            );
        }
    }

    fn settle(&mut self) {
        for (end, link) in self.ends.iter_mut().zip(&mut self.links) {
            end.settle(self.now, link);
        }
    }

    fn step(&mut self) -> bool {
        let timers = self.ends.iter().map(|end| end.il.poll_timeout());
        let arrivals = self.links.iter().map(Link::due);
        let Some(next) = timers.chain(arrivals).flatten().min() else { return false };
        self.now = self.now.max(next);
        let [one, other] = &mut self.ends;
        for (link, to) in self.links.iter_mut().zip([other, one]) {
            while let Some(packet) = link.arrived(self.now) {
                to.il.handle_packet(self.now, &packet);
            }
        }
        for end in &mut self.ends {
            if end.il.poll_timeout().is_some_and(|due| due <= self.now) {
                end.il.handle_timeout(self.now);
            }
        }
        self.settle();
        true
    }
}

fn said(dice: &mut Dice) -> VecDeque<Vec<u8>> {
    let count = dice.roll(80);
    (0..count)
        .map(|number| {
            let len = match dice.roll(8) {
                0 => 0,
                1 => dice.roll(MAX_MESSAGE as u64 + 1),
                _ => dice.roll(200),
            };
            (0..len).map(|place| (number * 7 + place * 13) as u8).collect()
        })
        .collect()
}

#[test]
fn every_message_arrives_once_in_order_and_unchanged() {
    for seed in 0..400 {
        let mut dice = Dice(seed);
        let faults = Faults {
            loss: [0, 5, 20, 40][dice.roll(4) as usize],
            double: [0, 10, 50][dice.roll(3) as usize],
            slowest: [1, 20, 500][dice.roll(3) as usize],
        };
        let mut pair = Pair::new(faults, seed);
        let (up, down) = (said(&mut dice), said(&mut dice));
        pair.ends[0].to_send.clone_from(&up);
        pair.ends[1].to_send.clone_from(&down);
        pair.run(|pair| {
            pair.ends[1].heard.len() >= up.len()
                && pair.ends[0].heard.len() >= down.len()
                && pair.ends.iter().all(|end| end.il.status().unacked == 0)
        });
        assert!(up.iter().eq(&pair.ends[1].heard), "{faults:?} {seed}");
        assert!(down.iter().eq(&pair.ends[0].heard), "{faults:?} {seed}");
        pair.ends[0].il.close(pair.now);
        pair.run(|pair| pair.ends.iter().all(|end| end.il.state() == State::Closed));
        assert!(
            pair.ends.iter().all(|end| end.closed == Some(Event::Closed(None))),
            "{faults:?} {seed}"
        );
    }
}

#[test]
fn a_cut_is_found_out_by_both_ends_within_five_minutes() {
    for seed in 0..100 {
        let mut dice = Dice(seed);
        let mut pair = Pair::new(Faults { loss: 10, double: 10, slowest: 50 }, seed);
        for end in &mut pair.ends {
            end.to_send = said(&mut dice);
        }
        let until = pair.now + dice.roll(5000);
        pair.run(|pair| pair.now >= until);
        let begun = pair.now;
        for link in &mut pair.links {
            link.cut = true;
            link.travelling.clear();
        }
        pair.run(|pair| pair.ends.iter().all(|end| end.closed.is_some()));
        assert!(pair.now - begun <= DEATH_TIME);
        let told = Some(Event::Closed(Some(Refusal::TIMED_OUT)));
        assert!(pair.ends.iter().all(|end| end.closed == told));
    }
}

#[test]
fn no_bytes_and_no_packet_bring_it_down() {
    let mut dice = Dice(1);
    for round in 0..2000 {
        let mut il = if round % 2 == 0 {
            Pair::new(PERFECT, 0).ends.into_iter().next().unwrap().il
        } else {
            Conversation::connect_fast(0, CALLER, CALLED, u32::MAX - 30)
        };
        let mut now = 1000;
        for _ in 0..50 {
            let data = vec![0x5a; dice.roll(40) as usize];
            let mut number = |base: u32| match dice.roll(4) {
                0 => dice.roll(1 << 32) as u32,
                _ => base.wrapping_add(dice.roll(30) as u32),
            };
            let (id, ack) = (number(u32::MAX - 50), number(u32::MAX - 31));
            let (kind, spec) = (dice.roll(9) as u8, dice.roll(12) as u8);
            let packet = Packet { kind, spec, src: CALLED, dst: CALLER, id, ack, data: &data };
            let mut raw = [&packet.header()[..], &data].concat();
            match dice.roll(10) {
                0 => {
                    let place = dice.roll(raw.len() as u64) as usize;
                    raw[place] = dice.roll(256) as u8;
                }
                1 => raw.truncate(dice.roll(raw.len() as u64) as usize),
                _ => {}
            }
            il.handle_packet(now, &raw);
            match dice.roll(8) {
                0 => now += dice.roll(20_000),
                1 => drop(il.send(now, &data)),
                2 => while il.poll_transmit().is_some() {},
                3 => while il.poll_event().is_some() {},
                4 if dice.roll(10) == 0 => il.close(now),
                5 => drop(il.clone().status().to_string()),
                _ => il.handle_timeout(now),
            }
        }
        // Whatever it was, it ends.
        for _ in 0..100 {
            if let Some(due) = il.poll_timeout() {
                now = now.max(due);
                il.handle_timeout(now);
            }
        }
        assert_eq!(il.state(), State::Closed);
    }
}

#[test]
fn a_packet_is_what_its_header_says_and_every_flaw_has_its_counter() {
    let packet = Packet { kind: kind::DATA, spec: 0, src: 1, dst: 2, id: 3, ack: 4, data: b"abc" };
    let raw = [&packet.header()[..], b"abc", b"padding"].concat();
    assert_eq!(Packet::decode(&raw), Ok(packet));
    assert_eq!(Packet::decode(&raw[..17]), Err(Flaw::Header));
    assert_eq!(Packet::decode(&raw[..20]), Err(Flaw::Length));
    let mut stats = Stats::default();
    for place in 0..21 {
        let mut damaged = raw.clone();
        damaged[place] ^= 0x10;
        let flaw = Packet::decode(&damaged).unwrap_err();
        assert_eq!(flaw == Flaw::Length, (2..4).contains(&place), "byte {place}");
        stats.flawed(flaw);
    }
    assert_eq!((stats.csum_errs, stats.len_errs), (19, 2));
    let mut sum = stats;
    sum += stats;
    assert_eq!(sum.rows()[2], ("CsumErrs", 38));
    assert_eq!(Packet::decode(&refuse(&packet).unwrap()).unwrap().ack, 3);
}

#[test]
fn a_full_window_says_wait_and_an_end_says_never() {
    let mut pair = Pair::new(PERFECT, 0);
    let il = &mut pair.ends[0].il;
    for _ in 0..WINDOW {
        assert_eq!(il.send(pair.now, b"abc"), Ok(()));
    }
    assert_eq!(il.send(pair.now, b"abc"), Err(SendError::WindowFull));
    assert_eq!(SendError::WindowFull.refusal(), None);
    assert_eq!(il.send(pair.now, &vec![0; MAX_MESSAGE + 1]), Err(SendError::TooLarge));
    il.close(pair.now);
    let hungup = il.send(pair.now, b"abc").unwrap_err();
    assert_eq!(hungup.refusal(), Some(Refusal::HUNGUP));
}
