//! The clients that use a gateway's files: `clone`, `ctl` and `data` of one 9P session.
//!
//! Bulk keeps eight requests of a full msize outstanding in all, but at least one a stream and no
//! more than a stream's window; ping-pong
//! sends the Twrite and the Tread of a round together, as any client of a window would.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Read, Write},
    thread,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token};

use crate::{
    ECHO, PING, Report, SINK, SOURCE, datagrams, median_us, operations,
    session::{
        RERROR, ROOT, RREAD, RREAD_HEAD, RWRITE, Session, TWRITE_HEAD, clunk, not_ready, read,
        walk, write, write_head,
    },
};

const OUTSTANDING: usize = 8;
// docs/protocol.md, section 6: 4 MiB of Twrites may be outstanding on one fid.
const WINDOW: usize = 4;
// The header stands right before the payload and the payload off its page's start: PERF's trap.
const PAYLOAD_AT: usize = 2048;

pub(crate) fn run(
    work: &str,
    gateway: &str,
    to: &str,
    count: usize,
    time: Duration,
) -> io::Result<Report> {
    match work {
        "down" => Pump::new(gateway, to, count, SOURCE)?.down(time),
        "up" => Pump::new(gateway, to, count, SINK)?.up(time),
        "pp" => Pump::new(gateway, to, count, ECHO)?.ping_pong(time),
        "dials" => dials(gateway, to, count, time),
        "idle" => idle(gateway, to, count),
        "walk" | "stat" | "read" => operations::run(work, gateway, to, count, time),
        "dgram-up" | "dgram-down" => datagrams::through_files(work, gateway, to, count, time),
        _ => Err(io::Error::new(ErrorKind::InvalidInput, "no such work")),
    }
}

/// One session, many conversations, everything outstanding at once.
struct Pump {
    poll: Poll,
    events: Events,
    stream: mio::net::TcpStream,
    payload: u32,
    streams: usize,
    out: VecDeque<u8>,
    // A Twrite whose payload is on its way: how much of the frame has gone.
    frame: Vec<u8>,
    gone: usize,
    frame_end: usize,
    inbox: Vec<u8>,
    held: usize,
    skip: usize,
}

impl Pump {
    fn new(gateway: &str, to: &str, streams: usize, work: u8) -> io::Result<Self> {
        let mut session = Session::open(gateway, false, "")?;
        for number in 0..streams {
            let fid = fid_of(number);
            session.dial("tcp", to, fid)?;
            session.rpc(&write(1, fid, &[work]))?;
        }
        let payload = session.payload();
        session.stream.set_nonblocking(true)?;
        let mut stream = mio::net::TcpStream::from_std(session.stream);
        let poll = Poll::new()?;
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, Token(0), both)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(8),
            stream,
            payload,
            streams,
            out: VecDeque::new(),
            frame: vec![0xa5; PAYLOAD_AT + payload as usize],
            gone: 0,
            frame_end: 0,
            inbox: vec![0; 1 << 20],
            held: 0,
            skip: 0,
        })
    }

    fn down(mut self, time: Duration) -> io::Result<Report> {
        let each = (OUTSTANDING / self.streams).max(1);
        for tag in 0..self.streams * each {
            self.out.extend(read(tag_of(tag), fid_of(tag / each), self.payload));
        }
        let begun = Instant::now();
        let mut bytes = 0;
        while begun.elapsed() < time {
            self.turn(|pump, tag, kind, size| {
                if kind != RREAD || size == 0 {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                bytes += size as u64;
                let again = read(tag, fid_of(usize::from(tag) / each), pump.payload);
                pump.out.extend(again);
                Ok(())
            })?;
        }
        Ok(Report { bytes, seconds: begun.elapsed().as_secs_f64(), ..Report::default() })
    }

    fn up(mut self, time: Duration) -> io::Result<Report> {
        let each = (OUTSTANDING / self.streams).clamp(1, WINDOW);
        let all = self.streams * each;
        let mut free: VecDeque<u16> = (0..all).map(tag_of).collect();
        let begun = Instant::now();
        // A frame that has begun is ended and every reply awaited, however long that takes.
        while begun.elapsed() < time || self.gone < self.frame_end || free.len() < all {
            loop {
                if self.gone == self.frame_end {
                    if begun.elapsed() >= time {
                        break;
                    }
                    let Some(tag) = free.pop_front() else { break };
                    let head = write_head(tag, fid_of(usize::from(tag) / each), self.payload);
                    self.frame[PAYLOAD_AT - TWRITE_HEAD..PAYLOAD_AT].copy_from_slice(&head);
                    self.gone = PAYLOAD_AT - TWRITE_HEAD;
                    self.frame_end = PAYLOAD_AT + self.payload as usize;
                }
                match self.stream.write(&self.frame[self.gone..self.frame_end]) {
                    Ok(count) => self.gone += count,
                    Err(error) if not_ready(&error) => break,
                    Err(error) => return Err(error),
                }
            }
            self.turn(|_, tag, kind, _| {
                if kind != RWRITE {
                    return Err(ErrorKind::BrokenPipe.into());
                }
                free.push_back(tag);
                Ok(())
            })?;
        }
        let bytes = self.delivered()?;
        Ok(Report { bytes, seconds: begun.elapsed().as_secs_f64(), ..Report::default() })
    }

    /// Ends our direction of every conversation and asks the server how much it got.
    fn delivered(self) -> io::Result<u64> {
        let mut session = Session::resumed(self.stream.into(), self.payload)?;
        for number in 0..self.streams {
            session.rpc(&write(1, fid_of(number) + 1, b"shutdown write"))?;
        }
        let mut bytes = 0;
        for number in 0..self.streams {
            let mut count = Vec::new();
            while count.len() < 8 {
                let reply = session.rpc(&read(1, fid_of(number), 8))?;
                match &reply[RREAD_HEAD..] {
                    [] => return Err(ErrorKind::UnexpectedEof.into()),
                    more => count.extend_from_slice(more),
                }
            }
            bytes += count.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        }
        Ok(bytes)
    }

    fn ping_pong(mut self, time: Duration) -> io::Result<Report> {
        let ping = [7; PING];
        let round = |number: usize, out: &mut VecDeque<u8>| {
            out.extend(write(tag_of(2 * number), fid_of(number), &ping));
            out.extend(read(tag_of(2 * number + 1), fid_of(number), count_of(PING)));
        };
        let mut sent = vec![Instant::now(); self.streams];
        let mut left = vec![PING; self.streams];
        let mut took = Vec::new();
        for number in 0..self.streams {
            round(number, &mut self.out);
        }
        let begun = Instant::now();
        while begun.elapsed() < time {
            self.turn(|pump, tag, kind, size| {
                let number = usize::from(tag / 2);
                match kind {
                    RWRITE => return Ok(()),
                    RREAD if size > 0 => left[number] -= size,
                    _ => return Err(ErrorKind::UnexpectedEof.into()),
                }
                if left[number] > 0 {
                    pump.out.extend(read(tag, fid_of(number), count_of(left[number])));
                    return Ok(());
                }
                took.push(u32::try_from(sent[number].elapsed().as_nanos()).unwrap_or(u32::MAX));
                left[number] = PING;
                sent[number] = Instant::now();
                round(number, &mut pump.out);
                Ok(())
            })?;
        }
        let seconds = begun.elapsed().as_secs_f64();
        Ok(Report {
            count: took.len() as u64,
            seconds,
            median_us: median_us(took),
            ..Report::default()
        })
    }

    /// Sends what is waiting, then hands every reply that has come to `each` (tag, type, payload length).
    fn turn(
        &mut self,
        mut each: impl FnMut(&mut Self, u16, u8, usize) -> io::Result<()>,
    ) -> io::Result<()> {
        while !self.out.is_empty() {
            match self.stream.write(self.out.make_contiguous()) {
                Ok(count) => drop(self.out.drain(..count)),
                Err(error) if not_ready(&error) => break,
                Err(error) => return Err(error),
            }
        }
        let mut inbox = std::mem::take(&mut self.inbox);
        let (mut drained, mut heard) = (false, false);
        while !drained {
            match self.stream.read(&mut inbox[self.held..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.held += count,
                Err(error) if not_ready(&error) => drained = true,
                Err(error) => return Err(error),
            }
            let mut at = self.skip.min(self.held);
            self.skip -= at;
            while self.held - at >= RREAD_HEAD || (self.held - at >= 7 && inbox[at] < 11) {
                let word = |from: usize| {
                    u32::from_le_bytes([
                        inbox[from],
                        inbox[from + 1],
                        inbox[from + 2],
                        inbox[from + 3],
                    ]) as usize
                };
                let (size, kind) = (word(at), inbox[at + 4]);
                let tag = u16::from_le_bytes([inbox[at + 5], inbox[at + 6]]);
                if kind == RERROR {
                    let whole = &inbox[at..self.held.min(at + size)];
                    let text = String::from_utf8_lossy(whole.get(9..).unwrap_or_default());
                    return Err(io::Error::other(text.into_owned()));
                }
                let payload = if kind == RREAD { size - RREAD_HEAD } else { 0 };
                each(self, tag, kind, payload)?;
                heard = true;
                let here = size.min(self.held - at);
                self.skip = size - here;
                at += here;
            }
            inbox.copy_within(at..self.held, 0);
            self.held -= at;
            if !self.out.is_empty() {
                break;
            }
        }
        self.inbox = inbox;
        // Whoever has heard something may have something to say, which is not for us to hold up.
        if drained && !heard && self.out.is_empty() {
            self.poll.poll(&mut self.events, Some(Duration::from_millis(100)))?;
        }
        Ok(())
    }
}

fn fid_of(number: usize) -> u32 {
    u32::try_from(2 * number + 2).unwrap_or(u32::MAX)
}

fn count_of(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn tag_of(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// `count` sessions on threads; a dial is two round trips of pipelined requests.
fn dials(gateway: &str, to: &str, count: usize, time: Duration) -> io::Result<Report> {
    let begun = Instant::now();
    let callers: Vec<_> = (0..count)
        .map(|_| {
            let (gateway, connect) =
                (gateway.to_owned(), format!("connect {}", to.replace(':', "!")));
            thread::spawn(move || -> io::Result<Vec<u32>> {
                let mut session = Session::open(&gateway, false, "")?;
                let (data, ctl) = (2, 3);
                let mut took = Vec::new();
                let mut clunks: Vec<u8> = Vec::new();
                let mut owed = 0;
                while begun.elapsed() < time {
                    let dialled = Instant::now();
                    let mut batch = std::mem::take(&mut clunks);
                    batch.extend(walk(1, ROOT, ctl, &["net", "tcp", "clone"]));
                    batch.extend(session.open_file(2, ctl));
                    batch.extend(read(3, ctl, 16));
                    session.stream.write_all(&batch)?;
                    let mut number = String::new();
                    for _ in 0..owed + 3 {
                        let reply = session.reply()?;
                        if reply[4] == RREAD {
                            number = String::from_utf8_lossy(&reply[RREAD_HEAD..]).into_owned();
                        }
                    }
                    let mut batch = write(1, ctl, connect.as_bytes());
                    batch.extend(walk(2, ROOT, data, &["net", "tcp", &number, "data"]));
                    batch.extend(session.open_file(3, data));
                    batch.extend(write(4, data, &[ECHO, 1]));
                    batch.extend(read(5, data, 1));
                    session.stream.write_all(&batch)?;
                    for _ in 0..5 {
                        session.reply()?;
                    }
                    clunks = clunk(6, data);
                    clunks.extend(clunk(7, ctl));
                    owed = 2;
                    took.push(u32::try_from(dialled.elapsed().as_nanos()).unwrap_or(u32::MAX));
                }
                Ok(took)
            })
        })
        .collect();
    let mut took = Vec::new();
    for caller in callers {
        took.extend(caller.join().map_err(|_| io::Error::other("a caller panicked"))??);
    }
    let seconds = begun.elapsed().as_secs_f64();
    Ok(Report {
        count: took.len() as u64,
        seconds,
        median_us: median_us(took),
        ..Report::default()
    })
}

/// Conversations that have echoed a byte; with an empty `to`, idle sessions instead.
fn idle(gateway: &str, to: &str, count: usize) -> io::Result<Report> {
    let mut sessions = Vec::new();
    if to.is_empty() {
        for _ in 0..count {
            sessions.push(Session::open(gateway, false, "")?);
        }
    } else {
        let mut session = Session::open(gateway, false, "")?;
        for number in 0..count {
            let fid = fid_of(number);
            session.dial("tcp", to, fid)?;
            session.rpc(&write(1, fid, &[ECHO, 1]))?;
            session.rpc(&read(1, fid, 1))?;
        }
        sessions.push(session);
    }
    eprintln!("ready");
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(Report { count: count as u64, ..Report::default() })
}
