//! Asks Linux what it knows of a TCP socket, for the status file.
//!
//! Unsafe, as neither std nor our crates have `TCP_INFO` and `SIOCOUTQ`.
//! The struct is read as bytes, because its length depends on the kernel.
#![allow(unsafe_code, reason = "two system calls that no safe binding has")]

use std::os::fd::{AsRawFd, BorrowedFd};

use super::status::TcpInfo;

/// What the host tells of `socket` now; zeros for what it refuses to.
pub(crate) fn ask(socket: BorrowedFd<'_>) -> TcpInfo {
    let mut raw = [0_u8; ROOM as usize];
    let filled = info(socket, &mut raw);
    TcpInfo {
        unread: queue(socket, libc::FIONREAD),
        unacknowledged: queue(socket, libc::TIOCOUTQ),
        ..TcpInfo::parse(raw.get(..filled).unwrap_or_default())
    }
}

/// How many bytes of `raw` the host filled in.
fn info(socket: BorrowedFd<'_>, raw: &mut [u8; ROOM as usize]) -> usize {
    let mut length = ROOM;
    // Safety: `raw` is writable for `length` bytes, both live across the call, and the kernel writes
    // at most `length` bytes, of which any value is a valid u8.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            raw.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result == 0 { length as usize } else { 0 }
}

/// The length of one of the socket's queues; 0 for a listener, which has none.
fn queue(socket: BorrowedFd<'_>, request: libc::Ioctl) -> u32 {
    let mut length: libc::c_int = 0;
    // Safety: both requests write one int, and `length` is one that lives across the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), request, &raw mut length) };
    if result == 0 { length.try_into().unwrap_or(0) } else { 0 }
}

/// Beyond the 248 bytes of today's struct; a longer one is cut by the kernel.
const ROOM: libc::socklen_t = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::os::fd::AsFd;

    #[test]
    fn a_connection_tells_its_state_and_queues() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert_eq!(ask(listener.as_fd()).word(), "Listen");
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        far.write_all(b"12345").unwrap();
        assert_eq!(near.peek(&mut [0; 1]).unwrap(), 1);
        let info = ask(near.as_fd());
        assert_eq!((info.word(), info.unread), ("Established", 5));
        assert!(info.snd_mss > 0 && info.snd_cwnd > 0 && info.rto > 0);
        drop(far);
        let mut rest = Vec::new();
        near.read_to_end(&mut rest).unwrap();
        assert_eq!((ask(near.as_fd()).word(), rest.len()), ("Close_wait", 5));
    }

    #[test]
    fn what_is_no_tcp_socket_tells_nothing() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(ask(file.as_fd()), TcpInfo::default());
    }
}
