//! Taking over a descriptor that an embedding program names by its number.
//!
//! The one place of this crate that is not checked by the compiler: a number says nothing of who
//! owns it, so whoever passes it promises to have let it go.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// The descriptor with this number, owned from here on.
///
/// The caller has let go of it (in Python: `socket.detach()`), and nobody else will close it.
///
/// # Errors
/// There is no such descriptor.
pub fn owned(number: RawFd) -> io::Result<OwnedFd> {
    if number < 0 || std::fs::symlink_metadata(format!("/proc/self/fd/{number}")).is_err() {
        return Err(io::Error::from_raw_os_error(EBADF));
    }
    // SAFETY: it is open, as was just seen, and ours alone, as the caller promised.
    #[allow(unsafe_code, reason = "a number from outside can only become a descriptor this way")]
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

const EBADF: i32 = 9;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::IntoRawFd;

    #[test]
    fn a_number_that_is_not_open_is_refused() {
        let (end, _other) = std::os::unix::net::UnixStream::pair().expect("a pair");
        assert!(owned(end.into_raw_fd()).is_ok());
        assert!(owned(-1).is_err());
        assert!(owned(1 << 20).is_err());
    }
}
