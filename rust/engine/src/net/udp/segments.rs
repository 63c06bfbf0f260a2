//! Datagrams of one size to one peer, sent with one call (`UDP_SEGMENT` of udp(7)).
//!
//! They go through the host as one packet for as long as it can keep them together, and arrive as
//! they were written. What the host can't keep together, as each is larger than the path takes, it
//! refuses before it has sent anything; it is not asked again for as large ones.

use std::io::IoSlice;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::sys::socket::sockopt::UdpGsoSegment;
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, getsockopt, sendmsg};
use rustix::io::Errno;

use crate::error::errno;

/// What is known of one socket.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Segments {
    /// The largest that may be sent so, 0 where none can; nothing until it was asked.
    most: Option<u16>,
}

impl Segments {
    /// Sends all of `data`, which are of one size.
    ///
    /// # Errors
    /// `OPNOTSUPP`: not so. Anything else is what a send says. Nothing was sent then.
    pub(super) fn send(&mut self, socket: BorrowedFd<'_>, data: &[&[u8]]) -> Result<(), Errno> {
        let size = data.first().and_then(|first| u16::try_from(first.len()).ok());
        let size = size.filter(|size| *size <= self.most(socket)).ok_or(Errno::OPNOTSUPP)?;
        match send(socket, data, size) {
            // A datagram that has to be taken apart itself, or a device that can't sum.
            Err(Errno::INVAL | Errno::IO | Errno::MSGSIZE) => {
                self.most = Some(size.saturating_sub(1));
                Err(Errno::OPNOTSUPP)
            }
            sent => sent,
        }
    }

    fn most(&mut self, socket: BorrowedFd<'_>) -> u16 {
        // A host that knows nothing of it would send them as one datagram.
        let ask = || if getsockopt(&socket, UdpGsoSegment).is_ok() { u16::MAX } else { 0 };
        *self.most.get_or_insert_with(ask)
    }
}

fn send(socket: BorrowedFd<'_>, data: &[&[u8]], size: u16) -> Result<(), Errno> {
    let slices: Vec<IoSlice<'_>> = data.iter().map(|one| IoSlice::new(one)).collect();
    let beside = [ControlMessage::UdpGsoSegments(&size)];
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    loop {
        match sendmsg::<SockaddrStorage>(socket.as_raw_fd(), &slices, &beside, flags, None) {
            Err(nix::Error::EINTR) => {}
            done => return done.map(drop).map_err(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn those_sent_with_one_call_arrive_one_by_one() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        let mut segments = Segments::default();
        if segments.send(sender.as_fd(), &[b"one", b"two"]) == Err(Errno::OPNOTSUPP) {
            // A host that can't; the ordinary way is another's to test.
            return;
        }
        let mut room = [0; 9];
        for expected in [b"one", b"two"] {
            let count = receiver.recv(&mut room).unwrap();
            assert_eq!(&room[..count], expected);
        }
    }

    #[test]
    fn a_socket_that_knows_nothing_of_it_sends_nothing() {
        let (sender, receiver) = UnixDatagram::pair().unwrap();
        receiver.set_nonblocking(true).unwrap();
        let mut segments = Segments::default();
        for _ in 0..2 {
            let sent = segments.send(sender.as_fd(), &[b"one", b"two"]);
            assert_eq!(sent, Err(Errno::OPNOTSUPP));
        }
        assert_eq!(segments.most, Some(0));
        assert!(receiver.recv(&mut [0; 9]).is_err());
    }
}
