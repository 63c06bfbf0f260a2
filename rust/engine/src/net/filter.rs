//! Has the kernel keep a socket's packets apart: a program of its packet filter (socket(7),
//! `SO_ATTACH_FILTER`).
#![allow(unsafe_code, reason = "a system call that no safe binding has")]

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

/// One instruction: what it does, by how many to skip if it is so and if not, and its number.
pub(crate) type Step = (u16, u8, u8, u32);

/// Lets only those packets through that the program returns a length for.
///
/// # Errors
/// The host refuses.
pub(crate) fn attach(socket: BorrowedFd<'_>, program: &[Step]) -> Result<(), Errno> {
    let mut steps: Vec<libc::sock_filter> =
        program.iter().map(|&(code, jt, jf, k)| libc::sock_filter { code, jt, jf, k }).collect();
    let length = steps.len().try_into().map_err(|_| Errno::INVAL)?;
    let program = libc::sock_fprog { len: length, filter: steps.as_mut_ptr() };
    let size = libc::socklen_t::try_from(size_of_val(&program)).map_err(|_| Errno::INVAL)?;
    // Safety: the option's value is one `sock_fprog`, whose steps live across the call, and the
    // kernel copies both.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size,
        )
    };
    if result == 0 {
        return Ok(());
    }
    let number = std::io::Error::last_os_error().raw_os_error();
    Err(Errno::from_raw_os_error(number.unwrap_or(libc::EIO)))
}
