//! The server that every benchmark calls: it sends, swallows or echoes, as the call's first byte says.

use std::{
    collections::HashMap,
    io::{self, ErrorKind, Read, Write},
};

use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};

use crate::{BLOCK, ECHO, SINK, SOURCE};

const LISTENER: Token = Token(0);
// An echo that the caller does not read may pile up this far; then we stop reading.
const HELD: usize = 1 << 20;

struct Call {
    stream: TcpStream,
    work: Option<u8>,
    held: Vec<u8>,
    swallowed: u64,
    ended: bool,
}

pub(crate) fn serve(address: &str) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut calls: HashMap<Token, Call> = HashMap::new();
    let mut next = 1;
    let mut block = vec![0x5a; BLOCK];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    let token = Token(next);
                    next += 1;
                    stream.set_nodelay(true)?;
                    let both = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut stream, token, both)?;
                    let call =
                        Call { stream, work: None, held: vec![], swallowed: 0, ended: false };
                    calls.insert(token, call);
                }
            } else if let Some(call) = calls.get_mut(&event.token())
                && !turn(call, &mut block)
            {
                calls.remove(&event.token());
            }
        }
    }
}

/// Goes as far as the call's socket lets it; whether the call goes on.
fn turn(call: &mut Call, block: &mut [u8]) -> bool {
    if call.work.is_none() {
        let mut first = [0];
        match call.stream.read(&mut first) {
            Ok(1) => call.work = Some(first[0]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            _ => return false,
        }
    }
    let gone = match call.work {
        Some(SOURCE) => send(call, block),
        Some(SINK) => swallow(call, block),
        Some(ECHO) => echo(call, block),
        _ => Err(ErrorKind::InvalidData.into()),
    };
    match gone {
        Ok(more) => more,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

fn send(call: &mut Call, block: &[u8]) -> io::Result<bool> {
    loop {
        // However much went: the next write begins with the same bytes.
        let _ = call.stream.write(block)?;
    }
}

/// Says how much it was at the end, so that nobody takes what is still in some buffer for delivered.
fn swallow(call: &mut Call, block: &mut [u8]) -> io::Result<bool> {
    loop {
        match call.stream.read(block)? {
            0 => break,
            count => call.swallowed += count as u64,
        }
    }
    call.stream.write_all(&call.swallowed.to_le_bytes())?;
    Ok(false)
}

fn echo(call: &mut Call, block: &mut [u8]) -> io::Result<bool> {
    loop {
        while !call.held.is_empty() {
            let gone = call.stream.write(&call.held)?;
            call.held.drain(..gone);
        }
        if call.ended {
            return Ok(false);
        }
        while call.held.len() < HELD {
            match call.stream.read(block) {
                Ok(0) => {
                    call.ended = true;
                    break;
                }
                Ok(count) => call.held.extend_from_slice(&block[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock && !call.held.is_empty() => {
                    break;
                }
                Err(error) => return Err(error),
            }
        }
    }
}
