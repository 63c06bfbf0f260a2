//! Datagrams of 64 bytes one way: one end of ours sends them, the other counts what arrives.
//!
//! The far end has the server's port and is a plain socket on a thread of its own; the near end is a
//! socket too, towards it or a relay, or `data` of a conversation of a gateway's `/net/udp`, with as
//! many requests under way as the benchmark wants.
//! A datagram begins with its number. No more than [`BETWEEN`] are on their way at a time, so that
//! no queue overflows for want of a turn on the processor; what is lost all the same is counted.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, UdpSocket},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use crate::{
    PING, Report,
    session::{RERROR, RREAD, RREAD_HEAD, Session, head, not_ready, read, write},
};

/// A receive queue of the usual size (`net.core.rmem_default`, 208 KiB) holds 277 small datagrams,
/// and a quarter of it is free again late, as the kernel settles accounts seldom.
const BETWEEN: u64 = 192;
/// Nothing arrives for so long: what is under way is given up.
const PATIENCE: Duration = Duration::from_millis(250);
/// The fid of `data`.
const DATA: u32 = 2;

/// Through a socket: `relay` is the far end itself if there is none between.
pub(crate) fn through_socket(
    work: &str,
    relay: &str,
    far: &str,
    time: Duration,
) -> io::Result<Report> {
    let far = UdpSocket::bind(far)?;
    let near = UdpSocket::bind("127.0.0.1:0")?;
    near.connect(relay)?;
    near.send(b"hello")?;
    far.connect(caller(&far)?)?;
    match work {
        "dgram-up" => one_way(time, |way, until| send(&near, way, until), |way| count(&far, way)),
        "dgram-down" => one_way(time, |way, until| send(&far, way, until), |way| count(&near, way)),
        _ => Err(io::Error::new(ErrorKind::InvalidInput, "not a work of datagrams")),
    }
}

/// Through the files of a gateway, with `requests` under way.
pub(crate) fn through_files(
    work: &str,
    gateway: &str,
    far: &str,
    requests: usize,
    time: Duration,
) -> io::Result<Report> {
    let requests = u16::try_from(requests)
        .map_err(|_| io::Error::new(ErrorKind::InvalidInput, "too many requests under way"))?;
    let mut session = Session::open(gateway, false, "")?;
    let address = far;
    let far = UdpSocket::bind(far)?;
    session.dial("udp", address, DATA)?;
    session.rpc(&write(1, DATA, b"hello"))?;
    far.connect(caller(&far)?)?;
    match work {
        "dgram-up" => one_way(
            time,
            |way, until| write_all(&mut session, requests, way, until),
            |way| count(&far, way),
        ),
        _ => one_way(
            time,
            |way, until| send(&far, way, until),
            |way| read_all(&mut session, requests, way),
        ),
    }
}

/// Who said hello to the far end.
fn caller(far: &UdpSocket) -> io::Result<SocketAddr> {
    far.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(far.recv_from(&mut [0; PING])?.1)
}

/// Runs a sender here and a receiver on a thread beside it; a receiver says when the last arrived.
fn one_way(
    time: Duration,
    sender: impl FnOnce(&Way, Instant) -> io::Result<()> + Send,
    receiver: impl FnOnce(&Way) -> io::Result<Instant> + Send,
) -> io::Result<Report> {
    let way = Way::new(thread::current());
    thread::scope(|scope| {
        let receiver = scope.spawn(|| receiver(&way));
        let begun = Instant::now();
        let sent = sender(&way, begun + time);
        way.over.store(true, SeqCst);
        let last = receiver.join().map_err(|_| io::Error::other("the receiver panicked"))??;
        sent?;
        let count = way.arrived.load(SeqCst);
        let lost = way.sent.load(SeqCst) - count;
        let seconds = last.saturating_duration_since(begun).as_secs_f64();
        Ok(Report { count, lost, seconds, ..Report::default() })
    })
}

/// What the two ends tell each other, beside the datagrams.
struct Way {
    sender: Thread,
    /// Whether the sender waits for room.
    waits: AtomicBool,
    /// The sender has nothing more to send.
    over: AtomicBool,
    sent: AtomicU64,
    arrived: AtomicU64,
    /// One more than the greatest number that has arrived: those below are no longer under way.
    reached: AtomicU64,
}

impl Way {
    fn new(sender: Thread) -> Self {
        Self {
            sender,
            waits: AtomicBool::new(false),
            over: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            arrived: AtomicU64::new(0),
            reached: AtomicU64::new(0),
        }
    }

    /// How many more may be under way.
    fn room(&self) -> u64 {
        BETWEEN.saturating_sub(self.sent.load(SeqCst) - self.reached.load(SeqCst))
    }

    /// Waits until half of what may be under way has arrived, or does not.
    fn wait(&self) {
        self.waits.store(true, SeqCst);
        let mut reached = self.reached.load(SeqCst);
        let mut heard = Instant::now();
        while self.room() < BETWEEN / 2 {
            thread::park_timeout(PATIENCE);
            match self.reached.load(SeqCst) {
                now if now > reached => (reached, heard) = (now, Instant::now()),
                _ if heard.elapsed() < PATIENCE => {}
                _ => drop(self.reached.fetch_max(self.sent.load(SeqCst), SeqCst)),
            }
        }
        self.waits.store(false, SeqCst);
    }

    /// One has arrived.
    fn arrive(&self, datagram: &[u8]) {
        let Some(number) = datagram.first_chunk() else { return };
        self.arrived.fetch_add(1, SeqCst);
        self.reached.fetch_max(u64::from_le_bytes(*number) + 1, SeqCst);
        if self.waits.load(SeqCst) && self.room() >= BETWEEN / 2 {
            self.sender.unpark();
        }
    }

    /// Whether nothing more will arrive; `quiet` after a while in which nothing did.
    fn ended(&self, quiet: bool) -> bool {
        self.over.load(SeqCst) && (quiet || self.reached.load(SeqCst) == self.sent.load(SeqCst))
    }
}

fn datagram(number: u64) -> [u8; PING] {
    let mut whole = [0x5a; PING];
    whole[..8].copy_from_slice(&number.to_le_bytes());
    whole
}

fn send(socket: &UdpSocket, way: &Way, until: Instant) -> io::Result<()> {
    let mut number = 0;
    while Instant::now() < until {
        let room = way.room();
        way.sent.store(number + room, SeqCst);
        for number in number..number + room {
            socket.send(&datagram(number))?;
        }
        number += room;
        way.wait();
    }
    Ok(())
}

fn count(socket: &UdpSocket, way: &Way) -> io::Result<Instant> {
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut last = Instant::now();
    let mut room = [0; PING];
    let mut quiet = false;
    while !way.ended(quiet) {
        match socket.recv(&mut room) {
            Ok(size) => {
                way.arrive(&room[..size]);
                last = Instant::now();
                quiet = false;
            }
            Err(error) if not_ready(&error) => quiet = true,
            Err(error) => return Err(error),
        }
    }
    Ok(last)
}

/// Sends as Twrites; all that have a free tag and room go out with one send.
fn write_all(session: &mut Session, requests: u16, way: &Way, until: Instant) -> io::Result<()> {
    let mut free: Vec<u16> = (0..requests).collect();
    let mut inbox = Inbox::new();
    let mut out = Vec::new();
    let mut number = 0;
    loop {
        let going_on = Instant::now() < until;
        let room = if going_on { way.room().min(free.len() as u64) } else { 0 };
        way.sent.store(number + room, SeqCst);
        for (number, tag) in (number..number + room).zip(free.drain(free.len() - index(room)..)) {
            out.extend(write(tag, DATA, &datagram(number)));
        }
        number += room;
        session.stream.write_all(&out)?;
        out.clear();
        if free.len() < usize::from(requests) {
            inbox.receive(session, |tag, _| free.push(tag))?;
        } else if going_on {
            way.wait();
        } else {
            return Ok(());
        }
    }
}

/// Receives by Treads; as many go out again with one send as have been answered.
fn read_all(session: &mut Session, requests: u16, way: &Way) -> io::Result<Instant> {
    session.stream.set_read_timeout(Some(PATIENCE))?;
    let tread = |tag| read(tag, DATA, u32::try_from(PING).unwrap_or(u32::MAX));
    let mut out: Vec<u8> = (0..requests).flat_map(tread).collect();
    let mut inbox = Inbox::new();
    let mut last = Instant::now();
    let mut quiet = false;
    while !way.ended(quiet) {
        session.stream.write_all(&out)?;
        out.clear();
        let answered = inbox.receive(session, |tag, datagram| {
            way.arrive(datagram);
            out.extend(tread(tag));
        });
        match answered {
            Ok(()) => {
                last = Instant::now();
                quiet = false;
            }
            Err(error) if not_ready(&error) => quiet = true,
            Err(error) => return Err(error),
        }
    }
    Ok(last)
}

/// What has come of a session and is no whole reply yet.
struct Inbox {
    bytes: Vec<u8>,
    held: usize,
}

impl Inbox {
    fn new() -> Self {
        Self { bytes: vec![0; 64 << 10], held: 0 }
    }

    /// Waits for replies and hands over each one's tag and, of an Rread, its data.
    fn receive(
        &mut self,
        session: &mut Session,
        mut each: impl FnMut(u16, &[u8]),
    ) -> io::Result<()> {
        match session.stream.read(&mut self.bytes[self.held..])? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            more => self.held += more,
        }
        let mut at = 0;
        while let Some((size, kind, tag)) = head(&self.bytes[at..self.held]) {
            let whole = &self.bytes[at..at + size];
            match kind {
                RERROR => {
                    let text = String::from_utf8_lossy(whole.get(9..).unwrap_or_default());
                    return Err(io::Error::other(text.into_owned()));
                }
                RREAD => each(tag, whole.get(RREAD_HEAD..).unwrap_or_default()),
                _ => each(tag, &[]),
            }
            at += size;
        }
        self.bytes.copy_within(at..self.held, 0);
        self.held -= at;
        Ok(())
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
