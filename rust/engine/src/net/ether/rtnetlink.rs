//! What the kernel tells of an interface (rtnetlink(7), `RTM_GETLINK`).
//!
//! One question on a socket of its own, which the kernel answers before the call that asks returns.

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, send};

use super::verbs::Mac;
use crate::net::sockets::Sockets;

/// An interface as it is now.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Link {
    pub(super) index: u32,
    /// What kind of hardware (`ARPHRD_…` of `linux/if_arp.h`).
    pub(super) hardware: u16,
    pub(super) mac: Mac,
    pub(super) carrier: bool,
    pub(super) promiscuous: bool,
    pub(super) counters: Counters,
}

/// Some of `rtnl_link_stats64`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Counters {
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) send_errors: u64,
    pub(super) over_errors: u64,
    pub(super) crc_errors: u64,
    pub(super) frame_errors: u64,
    pub(super) fifo_errors: u64,
}

/// Which interface is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which<'a> {
    Named(&'a str),
    Numbered(u32),
}

/// Asks for one.
///
/// # Errors
/// `NODEV`: there is none.
pub(super) fn link(which: Which<'_>) -> Result<Link, Errno> {
    // The protocol that is number 0 (`NETLINK_ROUTE`).
    let socket = Sockets::Own.make(AddressFamily::NETLINK, SocketType::RAW, None)?;
    send(&socket, &question(which), SendFlags::empty())?;
    let mut room = vec![0; ROOM];
    let (length, _) = recv(&socket, room.as_mut_slice(), RecvFlags::DONTWAIT)?;
    answer(room.get(..length).unwrap_or_default())
}

fn question(which: Which<'_>) -> Vec<u8> {
    let (index, name) = match which {
        Which::Named(name) => (0, Some(name)),
        Which::Numbered(index) => (index, None),
    };
    let mut body = vec![0; INFO];
    put(&mut body, 4, &index.to_ne_bytes());
    if let Some(name) = name {
        // A name has at most 15 bytes; a longer one is nobody's.
        let length = u16::try_from(HEAD_OF_ATTRIBUTE + name.len() + 1).unwrap_or(u16::MAX);
        body.extend(length.to_ne_bytes().into_iter().chain(NAME.to_ne_bytes()));
        body.extend(name.bytes().chain([0]));
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut message = vec![0; HEAD];
    let length = u32::try_from(HEAD + body.len()).unwrap_or(u32::MAX);
    put(&mut message, 0, &length.to_ne_bytes());
    put(&mut message, 4, &GET_LINK.to_ne_bytes());
    put(&mut message, 6, &REQUEST.to_ne_bytes());
    message.extend(body);
    message
}

fn answer(message: &[u8]) -> Result<Link, Errno> {
    let (Some(kind), Some(body)) = (half(message, 4), message.get(HEAD..)) else {
        return Err(Errno::PROTO);
    };
    if kind == ERROR {
        let number = word(body, 0).map_or(0, |word| i32::from_ne_bytes(word.to_ne_bytes()));
        return Err(Errno::from_raw_os_error(-number));
    }
    let mut link = Link {
        index: word(body, 4).ok_or(Errno::PROTO)?,
        hardware: half(body, 2).ok_or(Errno::PROTO)?,
        ..Link::default()
    };
    let mut rest = body.get(INFO..).unwrap_or_default();
    while let (Some(length), Some(kind)) = (half(rest, 0), half(rest, 2)) {
        let value = rest.get(HEAD_OF_ATTRIBUTE..length.into()).unwrap_or_default();
        match kind {
            ADDRESS => link.mac = value.try_into().unwrap_or_default(),
            CARRIER => link.carrier = value.first() == Some(&1),
            PROMISCUITY => link.promiscuous = word(value, 0).is_some_and(|times| times > 0),
            COUNTERS => link.counters = counters(value),
            _ => {}
        }
        let next = usize::from(length).max(HEAD_OF_ATTRIBUTE).next_multiple_of(4);
        rest = rest.get(next..).unwrap_or_default();
    }
    Ok(link)
}

fn counters(value: &[u8]) -> Counters {
    let count = |place: usize| {
        let at = value.get(8 * place..).and_then(|rest| rest.first_chunk());
        at.map_or(0, |count| u64::from_ne_bytes(*count))
    };
    Counters {
        received: count(0),
        sent: count(1),
        send_errors: count(5),
        over_errors: count(11),
        crc_errors: count(12),
        frame_errors: count(13),
        fifo_errors: count(14),
    }
}

fn put(message: &mut [u8], at: usize, value: &[u8]) {
    for (place, byte) in message.iter_mut().skip(at).zip(value) {
        *place = *byte;
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|half| u16::from_ne_bytes(*half))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_ne_bytes(*word))
}

/// Bytes of an answer with room to spare: some drivers tell much.
const ROOM: usize = 64 << 10;
/// Bytes of `nlmsghdr`.
const HEAD: usize = 16;
/// Bytes of `ifinfomsg`.
const INFO: usize = 16;
/// Bytes of `rtattr`.
const HEAD_OF_ATTRIBUTE: usize = 4;

// linux/netlink.h, linux/rtnetlink.h and linux/if_link.h.
const ERROR: u16 = 2;
const GET_LINK: u16 = 18;
const REQUEST: u16 = 1;
const ADDRESS: u16 = 1;
const NAME: u16 = 3;
const COUNTERS: u16 = 23;
const PROMISCUITY: u16 = 30;
const CARRIER: u16 = 33;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_by_name_and_number() {
        let named = link(Which::Named("lo")).unwrap();
        assert_eq!((named.hardware, named.mac), (772, Mac::default()));
        let numbered = link(Which::Numbered(named.index)).unwrap();
        assert_eq!(numbered.index, named.index);
    }

    #[test]
    fn what_is_not_there_is_no_device() {
        assert_eq!(link(Which::Named("nosuchdevice0")), Err(Errno::NODEV));
        assert_eq!(link(Which::Numbered(u32::MAX >> 1)), Err(Errno::NODEV));
        assert!(link(Which::Named("far too long for an interface")).is_err());
    }

    #[test]
    fn an_answer_cut_anywhere_is_read_or_refused() {
        let mut whole = vec![0; HEAD + INFO];
        whole.extend([10, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 0, 5, 0, 33, 0, 1, 0, 0, 0]);
        let link = answer(&whole).unwrap();
        assert_eq!((link.mac, link.carrier), ([2, 0, 0, 0, 0, 1], true));
        for length in 0..whole.len() {
            assert_eq!(answer(&whole[..length]).is_ok(), length >= HEAD + 8, "{length}");
        }
        let endless = [&whole[..HEAD + INFO], &[0, 0, 1, 0]].concat();
        assert!(answer(&endless).is_ok());
    }
}
