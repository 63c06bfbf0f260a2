//! The load of the benchmarks: a server, and clients that reach it directly, through a relay, or
//! through the files of a 9P gateway.
//!
//! Every peer is measured with the same server and the same client loop; only the way there
//! differs. It is one program without threads, so that it takes the same share of the machine
//! from whatever it measures. The first byte of a call tells the server what to do.

#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a load generator for our own loopback: a panic is a failed run, and its result is a line"
)]

mod datagrams;
mod operations;
mod server;
mod session;
mod sockets;
mod through_files;

use std::{env, io, process::ExitCode, time::Duration};

/// The first byte of a call.
pub(crate) const SOURCE: u8 = b'S';
/// The server reads and forgets, and at the end says how many bytes it got, in eight bytes.
pub(crate) const SINK: u8 = b'K';
/// The server sends back what it gets.
pub(crate) const ECHO: u8 = b'E';
/// The size of a ping, as in every peer's own benchmark.
pub(crate) const PING: usize = 64;
/// What a bulk client or server hands to the kernel at once.
pub(crate) const BLOCK: usize = 256 << 10;

const HELP: &str = "\
netrelay-load serve ADDR              source, sink and echo on one port
netrelay-load WORK TARGET COUNT SECONDS
  WORK    down | up    bulk over COUNT streams
          pp           64-byte ping-pong on COUNT calls
          dials        COUNT callers that connect, echo a byte and close
          idle         COUNT calls that echo a byte and stay until standard input ends
          dgram-up | dgram-down   64-byte datagrams one way, COUNT requests under way in 9P
          walk | stat | read   9P operations, COUNT outstanding; the target is 9p:ADDR,PATH, or
               9p:ADDR,ANAME,PATH to ask in 9P2000.L
  TARGET  tcp:ADDR                 the server or a relay to it
          socks:ADDR,ADDR          a SOCKS5 proxy, then the server
          9p:ADDR,ADDR             a 9P gateway, then the server as the gateway dials it
One line of JSON on standard output.";

/// What a run found out.
#[derive(Default)]
pub(crate) struct Report {
    /// Payload bytes, in bulk runs.
    pub(crate) bytes: u64,
    /// Round trips, dials or operations; of datagrams those that arrived.
    pub(crate) count: u64,
    /// Datagrams that were sent and did not arrive.
    pub(crate) lost: u64,
    /// From the first byte to the last.
    pub(crate) seconds: f64,
    /// Half of the round trips took no longer, in microseconds.
    pub(crate) median_us: f64,
}

/// Where a client finds the server.
#[derive(Clone)]
pub(crate) enum Target {
    Tcp(String),
    Socks(String, String),
    Udp(String, String),
    Files(String, String),
}

impl Target {
    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let pair = rest.split_once(',').map(|(a, b)| (a.to_owned(), b.to_owned()));
        match (kind, pair) {
            ("tcp", None) => Some(Self::Tcp(rest.to_owned())),
            ("socks", Some((proxy, to))) => Some(Self::Socks(proxy, to)),
            ("udp", Some((relay, far))) => Some(Self::Udp(relay, far)),
            ("9p", Some((gateway, to))) => Some(Self::Files(gateway, to)),
            _ => None,
        }
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["serve", address] => server::serve(address).map(|()| None),
        [work, target, count, seconds] => {
            let (Some(target), Ok(count), Ok(seconds)) =
                (Target::parse(target), count.parse(), seconds.parse())
            else {
                eprintln!("{HELP}");
                return ExitCode::from(2);
            };
            run(work, &target, count, Duration::from_secs_f64(seconds)).map(Some)
        }
        _ => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(Report { bytes, count, lost, seconds, median_us })) => {
            println!(
                "{{\"bytes\": {bytes}, \"count\": {count}, \"lost\": {lost}, \
                 \"seconds\": {seconds:.6}, \"median_us\": {median_us:.1}}}"
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("netrelay-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(work: &str, target: &Target, count: usize, time: Duration) -> io::Result<Report> {
    match target {
        Target::Files(gateway, to) => through_files::run(work, gateway, to, count, time),
        Target::Udp(relay, far) => datagrams::through_socket(work, relay, far, time),
        way => sockets::run(work, way, count, time),
    }
}

/// The middle of some durations in microseconds.
pub(crate) fn median_us(mut all: Vec<u32>) -> f64 {
    all.sort_unstable();
    all.get(all.len() / 2).map_or(0.0, |nanos| f64::from(*nanos) / 1000.0)
}
