//! The clients that use sockets: directly, through a relay's port, or through a SOCKS5 proxy.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token};

use crate::{BLOCK, ECHO, PING, Report, SINK, SOURCE, Target, median_us};

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn run(work: &str, way: &Target, count: usize, time: Duration) -> io::Result<Report> {
    match work {
        "down" => bulk(way, count, time, SOURCE),
        "up" => bulk(way, count, time, SINK),
        "pp" => ping_pong(way, count, time),
        "dials" => dials(way, count, time),
        "idle" => idle(way, count),
        _ => Err(io::Error::new(ErrorKind::InvalidInput, "this work needs a 9p target")),
    }
}

/// A blocking call to the server that has said what it wants.
fn call(way: &Target, work: u8) -> io::Result<TcpStream> {
    let mut stream = match way {
        Target::Socks(proxy, to) => through_socks(proxy, to)?,
        Target::Tcp(address) | Target::Udp(address, _) | Target::Files(address, _) => {
            TcpStream::connect(address)?
        }
    };
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&[work])?;
    Ok(stream)
}

fn through_socks(proxy: &str, to: &str) -> io::Result<TcpStream> {
    let refused = || io::Error::new(ErrorKind::ConnectionRefused, "the SOCKS proxy refused");
    let Ok(SocketAddr::V4(to)) = to.parse() else { return Err(refused()) };
    let mut stream = TcpStream::connect(proxy)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&[5, 1, 0])?;
    let mut method = [0; 2];
    stream.read_exact(&mut method)?;
    let mut request = vec![5, 1, 0, 1];
    request.extend_from_slice(&to.ip().octets());
    request.extend_from_slice(&to.port().to_be_bytes());
    stream.write_all(&request)?;
    let mut reply = [0; 10];
    stream.read_exact(&mut reply)?;
    if reply[1] == 0 { Ok(stream) } else { Err(refused()) }
}

/// Calls that are served by readiness on one thread.
struct Calls {
    poll: Poll,
    streams: Vec<mio::net::TcpStream>,
}

impl Calls {
    fn open(way: &Target, count: usize, work: u8, interest: Interest) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut streams = Vec::with_capacity(count);
        for number in 0..count {
            let stream = call(way, work)?;
            stream.set_nonblocking(true)?;
            let mut stream = mio::net::TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(number), interest)?;
            streams.push(stream);
        }
        Ok(Self { poll, streams })
    }
}

fn bulk(way: &Target, count: usize, time: Duration, work: u8) -> io::Result<Report> {
    let interest = if work == SOURCE { Interest::READABLE } else { Interest::WRITABLE };
    let mut calls = Calls::open(way, count, work, interest)?;
    let mut events = Events::with_capacity(1024);
    let mut block = vec![0xa5; BLOCK];
    let mut bytes = 0;
    let begun = Instant::now();
    while begun.elapsed() < time {
        calls.poll.poll(&mut events, Some(Duration::from_millis(100)))?;
        for event in &events {
            let stream = &mut calls.streams[event.token().0];
            // Bounded, so that one fast stream does not hide the others.
            for _ in 0..8 {
                let gone =
                    if work == SOURCE { stream.read(&mut block) } else { stream.write(&block) };
                match gone {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Ok(count) => bytes += count as u64,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
            calls.poll.registry().reregister(
                &mut calls.streams[event.token().0],
                event.token(),
                interest,
            )?;
        }
    }
    if work == SINK {
        bytes = delivered(calls.streams)?;
    }
    Ok(Report { bytes, seconds: begun.elapsed().as_secs_f64(), ..Report::default() })
}

/// Ends our direction of every call and asks the server how much it got.
fn delivered(streams: Vec<mio::net::TcpStream>) -> io::Result<u64> {
    let streams: Vec<TcpStream> = streams.into_iter().map(TcpStream::from).collect();
    for stream in &streams {
        stream.shutdown(Shutdown::Write)?;
    }
    let mut bytes = 0;
    for mut stream in streams {
        stream.set_nonblocking(false)?;
        let mut count = [0; 8];
        stream.read_exact(&mut count).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => io::Error::other("no half-close"),
            _ => error,
        })?;
        bytes += u64::from_le_bytes(count);
    }
    Ok(bytes)
}

fn ping_pong(way: &Target, count: usize, time: Duration) -> io::Result<Report> {
    let mut calls = Calls::open(way, count, ECHO, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    let ping = [7; PING];
    let mut sent = vec![Instant::now(); count];
    let mut left = vec![PING; count];
    let mut took = Vec::new();
    let begun = Instant::now();
    for (stream, sent) in calls.streams.iter_mut().zip(&mut sent) {
        *sent = Instant::now();
        stream.write_all(&ping)?;
    }
    while begun.elapsed() < time {
        calls.poll.poll(&mut events, Some(Duration::from_millis(100)))?;
        for event in &events {
            let number = event.token().0;
            let stream = &mut calls.streams[number];
            let mut pong = [0; PING];
            loop {
                match stream.read(&mut pong[..left[number]]) {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Ok(count) => left[number] -= count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
                if left[number] == 0 {
                    took.push(u32::try_from(sent[number].elapsed().as_nanos()).unwrap_or(u32::MAX));
                    left[number] = PING;
                    sent[number] = Instant::now();
                    stream.write_all(&ping)?;
                }
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    Ok(Report {
        count: took.len() as u64,
        seconds,
        median_us: median_us(took),
        ..Report::default()
    })
}

/// `count` threads that each connect, echo a byte and close, again and again.
fn dials(way: &Target, count: usize, time: Duration) -> io::Result<Report> {
    let begun = Instant::now();
    let callers: Vec<_> = (0..count)
        .map(|_| {
            let way = way.clone();
            thread::spawn(move || -> io::Result<Vec<u32>> {
                let mut took = Vec::new();
                while begun.elapsed() < time {
                    let dialled = Instant::now();
                    let mut stream = call(&way, ECHO)?;
                    let mut byte = [1];
                    stream.write_all(&byte)?;
                    stream.read_exact(&mut byte)?;
                    stream.shutdown(Shutdown::Both).ok();
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

fn idle(way: &Target, count: usize) -> io::Result<Report> {
    let mut calls = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = call(way, ECHO)?;
        let mut byte = [1];
        stream.write_all(&byte)?;
        stream.read_exact(&mut byte)?;
        calls.push(stream);
    }
    eprintln!("ready");
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(Report { count: calls.len() as u64, ..Report::default() })
}
