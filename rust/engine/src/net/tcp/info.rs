//! What Linux tells of a TCP socket, for the status file.

use std::os::fd::BorrowedFd;

use super::status::TcpInfo;
use crate::net::info::{Raw, option, unread, unsent};

/// What the host tells of `socket` now; zeros for what it refuses to.
pub(crate) fn ask(socket: BorrowedFd<'_>) -> TcpInfo {
    let mut raw: Raw = [0; size_of::<Raw>()];
    let filled = option(socket, libc::IPPROTO_TCP, libc::TCP_INFO, &mut raw);
    TcpInfo {
        unread: unread(socket),
        unacknowledged: unsent(socket),
        ..TcpInfo::parse(raw.get(..filled).unwrap_or_default())
    }
}

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
