//! Small 9P operations on one file, some outstanding: walk and clunk, stat, read.
//!
//! Each of the outstanding ones goes its own way: a Tclunk waits for its Rwalk, because servers with
//! threads carry out pipelined requests in any order. All replies that have come are answered
//! with one send. At the end every reply is awaited: diod dies of a client that leaves earlier.

use std::{
    io::{self, ErrorKind, Read, Write},
    time::{Duration, Instant},
};

use crate::{
    Report,
    session::{RERROR, ROOT, Session, clunk, head, read, walk},
};

const RLERROR: u8 = 7;
const RWALK: u8 = 111;
/// The file that is asked about and read.
const FILE: u32 = 1;

pub(crate) fn run(
    work: &str,
    gateway: &str,
    to: &str,
    count: usize,
    time: Duration,
) -> io::Result<Report> {
    let (linux, aname, path) =
        to.split_once(',').map_or((false, "", to), |(aname, path)| (true, aname, path));
    let mut session = Session::open(gateway, linux, aname)?;
    let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
    session.rpc(&walk(1, ROOT, FILE, &names))?;
    if work == "read" {
        session.rpc(&session.open_file(1, FILE))?;
    }
    let begin = |session: &Session, tag: u16| match work {
        "walk" => walk(tag, ROOT, fid_of(tag), &names),
        "stat" => session.stat(tag, FILE),
        _ => read(tag, FILE, 8),
    };
    let mut out: Vec<u8> = (0..count)
        .filter_map(|tag| u16::try_from(tag).ok())
        .flat_map(|tag| begin(&session, tag))
        .collect();
    let mut inbox = vec![0; 256 << 10];
    let (mut held, mut outstanding, mut done) = (0, count, 0);
    let begun = Instant::now();
    while outstanding > 0 {
        session.stream.write_all(&out)?;
        out.clear();
        let more = session.stream.read(&mut inbox[held..])?;
        if more == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        held += more;
        let mut at = 0;
        while let Some((size, kind, tag)) = head(&inbox[at..held]) {
            match kind {
                RERROR | RLERROR => return Err(io::Error::other("the server refused a request")),
                RWALK => out.extend(clunk(tag, fid_of(tag))),
                _ => {
                    done += 1;
                    if begun.elapsed() < time {
                        out.extend(begin(&session, tag));
                    } else {
                        outstanding -= 1;
                    }
                }
            }
            at += size;
        }
        inbox.copy_within(at..held, 0);
        held -= at;
    }
    Ok(Report { count: done, seconds: begun.elapsed().as_secs_f64(), ..Report::default() })
}

fn fid_of(tag: u16) -> u32 {
    u32::from(tag) + 2
}
