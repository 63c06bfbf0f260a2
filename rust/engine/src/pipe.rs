//! Bytes that never leave the kernel: a pipe to splice through (splice(2)).
//!
//! What is spliced from one socket to another is neither copied out nor in, which is nearly half of
//! what relaying a stream costs. It pays for large pieces only: below [`WORTH`] the two calls that
//! it takes more are dearer than the copies.
//!
//! A pipe has room for so many pieces and not for so many bytes, so [`Pipe::fill`] may find it full
//! far below its size. Whoever fills one that holds something can't tell that from a socket that
//! has nothing.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

/// Bytes from which on splicing pays.
pub(crate) const WORTH: usize = 64 << 10;

/// Bytes that one may hold: what Linux allows everybody.
pub(crate) const ROOM: usize = 1 << 20;

/// Two descriptors and what is between them.
#[derive(Debug)]
pub(crate) struct Pipe {
    into: OwnedFd,
    out: OwnedFd,
    held: usize,
}

impl Pipe {
    /// An empty one.
    ///
    /// # Errors
    /// The host has no descriptors left.
    pub(crate) fn new() -> Result<Self, Errno> {
        let (out, into) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?;
        // A user who has many pipes gets smaller ones, which do as well.
        let _ = fcntl_setpipe_size(&into, ROOM);
        Ok(Self { into, out, held: 0 })
    }

    /// Bytes held.
    pub(crate) fn len(&self) -> usize {
        self.held
    }

    /// Whether it holds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Takes at most `most` bytes off a stream socket; 0 is the stream's end.
    ///
    /// # Errors
    /// `AGAIN` when nothing is there or this is full; what the stream failed with.
    pub(crate) fn fill(&mut self, from: BorrowedFd<'_>, most: usize) -> Result<usize, Errno> {
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        loop {
            match splice(from, None, &self.into, None, most, flags) {
                Ok(got) => {
                    self.held += got;
                    return Ok(got);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends what is held, as far as the socket takes it; how much that was. What it did not take
    /// is still held, and then the socket would take no more.
    ///
    /// # Errors
    /// What the stream failed with.
    pub(crate) fn drain(&mut self, to: BorrowedFd<'_>) -> Result<usize, Errno> {
        let before = self.held;
        while self.held > 0 {
            let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
            match splice(self.out.as_fd(), None, to, None, self.held, flags) {
                Ok(sent) => self.held -= sent.min(self.held),
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(before - self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let far = listener.accept().unwrap().0;
        near.set_nonblocking(true).unwrap();
        (near, far)
    }

    #[test]
    fn what_goes_in_comes_out() {
        let ((near, mut far), (other, mut end)) = (pair(), pair());
        let mut pipe = Pipe::new().unwrap();
        assert_eq!(pipe.fill(near.as_fd(), ROOM), Err(Errno::AGAIN));
        far.write_all(b"payload").unwrap();
        assert_eq!((pipe.fill(near.as_fd(), 4), pipe.len()), (Ok(4), 4));
        assert_eq!((pipe.drain(other.as_fd()), pipe.is_empty()), (Ok(4), true));
        let mut got = [0; 4];
        end.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"payl");
        drop(far);
        assert_eq!(pipe.fill(near.as_fd(), ROOM), Ok(3));
        assert_eq!(pipe.fill(near.as_fd(), ROOM), Ok(0));
    }

    #[test]
    fn a_full_socket_takes_what_it_can() {
        let ((near, mut far), (other, mut end)) = (pair(), pair());
        let sender = std::thread::spawn(move || far.write_all(&vec![7; 16 << 20]));
        let mut pipe = Pipe::new().unwrap();
        let mut sent = 0;
        while pipe.is_empty() || pipe.drain(other.as_fd()).inspect(|count| sent += count) != Ok(0) {
            if pipe.is_empty() && pipe.fill(near.as_fd(), ROOM).is_err() {
                std::thread::yield_now();
            }
        }
        // Nobody reads: it is full, and no byte was lost on the way.
        let rest = pipe.len();
        assert!(sent > 0 && rest > 0);
        drop((near, other));
        let mut got = Vec::new();
        end.read_to_end(&mut got).unwrap();
        assert_eq!(got, vec![7; sent]);
        assert!(sender.join().unwrap().is_err());
    }
}
