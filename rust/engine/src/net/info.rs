//! Asks Linux what it knows of a socket: the calls that no safe binding has.
//!
//! Structs are read as bytes, because their length depends on the kernel.
#![allow(unsafe_code, reason = "two system calls that no safe binding has")]

use std::os::fd::{AsRawFd, BorrowedFd};

/// Room for a struct of the kernel's: beyond the 248 bytes of today's longest, `tcp_info`. A longer
/// one is cut by the kernel.
pub(crate) type Raw = [u8; ROOM as usize];

/// Has the host fill `raw` with a socket option; how many bytes of it, none if it refuses.
pub(crate) fn option(socket: BorrowedFd<'_>, level: i32, name: i32, raw: &mut Raw) -> usize {
    let mut length = ROOM;
    // Safety: `raw` is writable for `length` bytes, both live across the call, and the kernel writes
    // at most `length` bytes, of which any value is a valid u8.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, name, raw.as_mut_ptr().cast(), &raw mut length)
    };
    if result == 0 { length as usize } else { 0 }
}

/// Bytes received and not read (SIOCINQ); of a socket of packets, those of the first.
pub(crate) fn unread(socket: BorrowedFd<'_>) -> u32 {
    queue(socket, libc::FIONREAD)
}

/// Bytes written that have not left, or of a stream are not acknowledged (SIOCOUTQ).
pub(crate) fn unsent(socket: BorrowedFd<'_>) -> u32 {
    queue(socket, libc::TIOCOUTQ)
}

/// The length of one of the socket's queues; 0 for a listener, which has none.
fn queue(socket: BorrowedFd<'_>, request: libc::Ioctl) -> u32 {
    let mut length: libc::c_int = 0;
    // Safety: both requests write one int, and `length` is one that lives across the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), request, &raw mut length) };
    if result == 0 { length.try_into().unwrap_or(0) } else { 0 }
}

const ROOM: libc::socklen_t = 256;
