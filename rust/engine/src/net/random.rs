//! Numbers that nobody can guess.

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

/// Bytes, as many as there is room for.
///
/// # Errors
/// The host has none.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], Errno> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match getrandom(rest, GetRandomFlags::empty()) {
            Err(Errno::INTR) => {}
            done => filled += done?,
        }
    }
    Ok(bytes)
}

/// One below `bound`, which is a power of two.
///
/// # Errors
/// As [`bytes`].
pub(crate) fn below(bound: u16) -> Result<u16, Errno> {
    Ok(u16::from_ne_bytes(bytes()?) & bound.wrapping_sub(1))
}
