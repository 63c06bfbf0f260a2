//! Messages a second of the Rust codec on one thread: `netrelay-bench-proto SECONDS` prints JSON.
//!
//! The same jobs as `benches/codec.py`, without Python in between.

#![allow(clippy::print_stdout, reason = "the result is a line")]

use std::{
    env,
    hint::black_box,
    time::{Duration, Instant},
};

use netrelay_proto::{
    dialect::Dialect,
    error::{DecodeError, FrameTooBig},
    ids::{Fid, Tag},
    message::{Message, Names, Rread, Tread, Twalk, decode, encode},
};

// Enough that reading the clock costs nothing, few enough for a short run.
const BURST: u32 = 1000;
const MSIZE: u32 = 2 << 20;

fn main() -> Result<(), FrameTooBig> {
    let seconds = env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1.0);
    let time = Duration::from_secs_f64(seconds);
    let payload = vec![0; 1 << 20];
    let names = Names::new(&["net", "tcp", "clone"]).unwrap_or_default();
    let tread = Message::Tread(Tread { fid: Fid(1), offset: 0, count: 8192 });
    let twalk = Message::Twalk(Twalk { fid: Fid(1), newfid: Fid(2), wname: names });
    let rread = Message::Rread(Rread { data: &payload });
    let mut frame = Vec::new();
    let encoding = rate(time, || {
        frame.clear();
        encode(Tag(1), black_box(&tread), Dialect::P2000, MSIZE, &mut frame).is_ok()
    });
    let decoding = |message| -> Result<f64, FrameTooBig> {
        let mut frame = Vec::new();
        encode(Tag(1), message, Dialect::P2000, MSIZE, &mut frame)?;
        Ok(rate(time, || is_message(&decode(black_box(&frame), Dialect::P2000))))
    };
    println!(
        "{{\"decode Tread\": {:.0}, \"encode Tread\": {encoding:.0}, \"decode Twalk 3\": {:.0}, \
         \"decode Rread 1 MiB\": {:.0}}}",
        decoding(&tread)?,
        decoding(&twalk)?,
        decoding(&rread)?
    );
    Ok(())
}

/// Takes every field, as a program does; a copy of the whole enum is nobody's use of it.
fn is_message(decoded: &Result<(Tag, Message<'_>), DecodeError>) -> bool {
    match decoded {
        Ok((tag, Message::Tread(Tread { fid, offset, count }))) => {
            black_box((tag, fid, offset, count));
        }
        Ok((tag, Message::Twalk(Twalk { fid, newfid, wname }))) => {
            for name in wname.iter() {
                black_box(name);
            }
            black_box((tag, fid, newfid));
        }
        Ok((tag, Message::Rread(Rread { data }))) => {
            black_box((tag, *data));
        }
        _ => return false,
    }
    true
}

/// How often a second `job` succeeds.
fn rate(time: Duration, mut job: impl FnMut() -> bool) -> f64 {
    let mut done = 0;
    let begun = Instant::now();
    while begun.elapsed() < time {
        done += (0..BURST).filter(|_| job()).count();
    }
    f64::from(u32::try_from(done / 1000).unwrap_or(u32::MAX)) * 1000.0
        / begun.elapsed().as_secs_f64()
}
