//! Byte streams as the importer uses them: TCP and Unix sockets behind one descriptor type.
//!
//! Both are driven by `recv` and `send` on the descriptor, so nothing here asks which of them it
//! is; what only TCP has is set where the kernel takes it. Nothing blocks.

use std::io::{ErrorKind, IoSlice};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, SocketType, sockopt};

use crate::pipe::Pipe;

/// A connected, non-blocking stream socket that this process owns.
#[derive(Debug)]
pub(crate) struct Stream(OwnedFd);

/// What came of a `recv` or `send`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Moved {
    /// That many bytes; for a `recv` at least one.
    Bytes(usize),
    /// Nothing now: the poll will tell.
    Blocked,
    /// The peer will send no more.
    End,
    /// The stream is broken: reset, or nobody there to read.
    Broken,
}

impl Stream {
    /// Owns `fd` from here on.
    ///
    /// # Errors
    /// The descriptor is not that of a stream socket.
    pub(crate) fn new(fd: OwnedFd) -> std::io::Result<Self> {
        if sockopt::socket_type(&fd)? != SocketType::STREAM {
            return Err(Errno::PROTOTYPE.into());
        }
        rustix::io::ioctl_fionbio(&fd, true)?;
        // A Unix socket refuses this, and needs it as little.
        let _ = sockopt::set_tcp_nodelay(&fd, true);
        Ok(Self(fd))
    }

    pub(crate) fn register(&self, registry: &Registry, token: Token) -> std::io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut SourceFd(&self.0.as_raw_fd()), token, both)
    }

    /// Takes it out of the poll; closing it would too, once no copy of the descriptor is left.
    pub(crate) fn deregister(&self, registry: &Registry) {
        // It can only fail for a descriptor that is not registered.
        let _ = registry.deregister(&mut SourceFd(&self.0.as_raw_fd()));
    }

    /// Receives into `room`, which must not be empty.
    pub(crate) fn recv(&self, room: &mut [u8]) -> Moved {
        loop {
            match net::recv(self.0.as_fd(), &mut *room, RecvFlags::DONTWAIT) {
                Ok((0, _)) => return Moved::End,
                Ok((bytes, _)) => return Moved::Bytes(bytes),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock => return Moved::Blocked,
                    _ => return Moved::Broken,
                },
            }
        }
    }

    /// Takes up to `most` bytes into `pipe`; `Blocked` also when that is full.
    pub(crate) fn fill(&self, pipe: &mut Pipe, most: usize) -> Moved {
        match pipe.fill(self.0.as_fd(), most) {
            Ok(0) => Moved::End,
            Ok(bytes) => Moved::Bytes(bytes),
            Err(Errno::AGAIN) => Moved::Blocked,
            Err(_) => Moved::Broken,
        }
    }

    /// Sends what `pipe` holds; what is left in it the kernel would not take.
    pub(crate) fn drain(&self, pipe: &mut Pipe) -> Moved {
        match pipe.drain(self.0.as_fd()) {
            Ok(0) if !pipe.is_empty() => Moved::Blocked,
            Ok(bytes) => Moved::Bytes(bytes),
            Err(_) => Moved::Broken,
        }
    }

    /// Sends of `bytes` what the kernel takes.
    pub(crate) fn send(&self, bytes: &[u8]) -> Moved {
        self.send_all_of(&[IoSlice::new(bytes)], false)
    }

    /// Sends of `pieces`, in order, what the kernel takes; `more` says that the rest of a frame
    /// follows at once.
    pub(crate) fn send_all_of(&self, pieces: &[IoSlice<'_>], more: bool) -> Moved {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let flags = if more { flags | SendFlags::MORE } else { flags };
        loop {
            match net::sendmsg(&self.0, pieces, &mut SendAncillaryBuffer::default(), flags) {
                Ok(bytes) => return Moved::Bytes(bytes),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock => return Moved::Blocked,
                    _ => return Moved::Broken,
                },
            }
        }
    }

    /// Tells the peer that nothing more will be sent.
    pub(crate) fn finish(&self) {
        // A stream that is broken already needs no end.
        let _ = net::shutdown(&self.0, Shutdown::Write);
    }

    /// Ends both directions at once; a peer's next read or write finds the end.
    pub(crate) fn cut(&self) {
        let _ = net::shutdown(&self.0, Shutdown::Both);
    }

    /// Makes the coming close a reset, where the kernel knows resets.
    pub(crate) fn reset_on_close(&self) {
        let _ = sockopt::set_socket_linger(&self.0, Some(Duration::ZERO));
    }
}
