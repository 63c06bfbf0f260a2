//! What every socket of packets has, whoever makes it (docs/tree.md, section 10).

use std::os::fd::BorrowedFd;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo, RxqOvfl};
use rustix::io::Errno;
use rustix::net::sockopt::{
    set_ip_multicast_ttl, set_ipv6_multicast_hops, set_socket_broadcast,
    set_socket_recv_buffer_size,
};

use super::packet::{LARGEST, Packet, Received};
use crate::error::errno;
use crate::net::info::{Raw, option};
use crate::net::tuning::{self, Families, Tuning, families};

/// What the original keeps for a reader; the host doubles it for its own records.
const QUEUE: usize = 512 << 10;

/// What the host's record of a packet is counted as, where all that has arrived is taken at once.
const RECORD: usize = 256;

/// Of the words of `SO_MEMINFO`, the one that counts what there was no room for
/// (`linux/sock_diag.h`).
const MEMINFO_LOST: usize = 8;

/// Sets all that a fresh socket needs.
///
/// # Errors
/// The host refuses.
pub(crate) fn prepare(socket: BorrowedFd<'_>, tuning: Tuning) -> Result<(), Errno> {
    set_socket_recv_buffer_size(socket, QUEUE)?;
    set_socket_broadcast(socket, true)?;
    setsockopt(&socket, RxqOvfl, &1).map_err(errno)?;
    let Families { four, six } = families(socket)?;
    if four {
        setsockopt(&socket, Ipv4PacketInfo, &true).map_err(errno)?;
    }
    if six {
        setsockopt(&socket, Ipv6RecvPacketInfo, &true).map_err(errno)?;
    }
    tune(socket, tuning)
}

/// Applies ttl and tos, ttl to multicasts too.
///
/// # Errors
/// The host refuses.
pub(crate) fn tune(socket: BorrowedFd<'_>, tuning: Tuning) -> Result<(), Errno> {
    tuning::tune(socket, tuning)?;
    let Some(hops) = tuning.hops() else { return Ok(()) };
    let Families { four, six } = families(socket)?;
    if four {
        set_ip_multicast_ttl(socket, hops.into())?;
    }
    if six {
        set_ipv6_multicast_hops(socket, hops.into())?;
    }
    Ok(())
}

/// All that can be received, up to `most` packets; no more than the host keeps, though more is arriving.
pub(crate) fn drain(
    receive: impl Fn(&mut [u8]) -> Result<Received, Errno>,
    most: usize,
) -> Vec<Packet> {
    let mut packets = Vec::new();
    let mut room = vec![0; LARGEST];
    let mut left = 2 * QUEUE;
    while left > 0 && packets.len() < most {
        left = left.saturating_sub(RECORD);
        match receive(&mut room) {
            Ok(received) => {
                left = left.saturating_sub(received.length);
                let data = room.get(..received.length).unwrap_or_default().into();
                packets.push(Packet { way: received.way, data });
            }
            Err(Errno::AGAIN) => break,
            // ICMP spoke up meanwhile, once.
            Err(_) => {}
        }
    }
    packets
}

/// How many packets there was no room for since the socket was made.
pub(crate) fn lost(socket: BorrowedFd<'_>) -> u32 {
    let mut raw: Raw = [0; size_of::<Raw>()];
    let filled = option(socket, libc::SOL_SOCKET, libc::SO_MEMINFO, &mut raw);
    let word = raw.get(..filled).and_then(|raw| raw.as_chunks().0.get(MEMINFO_LOST));
    word.map_or(0, |word| u32::from_ne_bytes(*word))
}
