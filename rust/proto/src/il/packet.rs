//! IL's packets: 18 bytes of header, then the message.
//!
//! `sum[2] len[2] type[1] spec[1] src[2] dst[2] id[4] ack[4]`, big-endian. `len` counts header and message;
//! bytes behind it are not IL's, as a link may pad. `sum` is IP's checksum of both, and is always verified.

use super::MAX_MESSAGE;

/// Bytes of a header.
pub const HEADER: usize = 18;

/// The types of packets. Others are legal and mean nothing.
pub mod kind {
    /// Begins a conversation, in both directions.
    pub const SYNC: u8 = 0;
    /// A message.
    pub const DATA: u8 = 1;
    /// A message sent again, which wants a [`STATE`].
    pub const DATAQUERY: u8 = 2;
    /// Acknowledges all messages up to one.
    pub const ACK: u8 = 3;
    /// Wants a [`STATE`].
    pub const QUERY: u8 = 4;
    /// Answers a query: says which message came last.
    pub const STATE: u8 = 5;
    /// Ends a conversation, or refuses one.
    pub const CLOSE: u8 = 6;
}

/// One packet; the message is borrowed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Packet<'a> {
    /// Its type, one of [`kind`].
    pub kind: u8,
    /// Which query this is, or answers.
    pub spec: u8,
    /// The sender's port.
    pub src: u16,
    /// The receiver's port.
    pub dst: u16,
    /// A message's number; of other packets the next one's, or the first.
    pub id: u32,
    /// The last message that came in order.
    pub ack: u32,
    /// The message.
    pub data: &'a [u8],
}

/// Why bytes are no packet; each is a counter of `stats`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flaw {
    /// Shorter than a header.
    Header,
    /// `len` is below a header's or beyond the end.
    Length,
    /// `sum` is wrong.
    Checksum,
}

impl<'a> Packet<'a> {
    /// The packet at the start of what IP delivered, without IP's header.
    ///
    /// # Errors
    /// It is none, and must be neither answered nor believed.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Flaw> {
        let (header, _) = bytes.split_first_chunk::<HEADER>().ok_or(Flaw::Header)?;
        let [_, _, len1, len0, kind, spec, s1, s0, d1, d0, i3, i2, i1, i0, a3, a2, a1, a0] =
            *header;
        let len = usize::from(u16::from_be_bytes([len1, len0]));
        let whole = bytes.get(..len).ok_or(Flaw::Length)?;
        let data = whole.get(HEADER..).ok_or(Flaw::Length)?;
        if fold(sum(whole)) != 0xffff {
            return Err(Flaw::Checksum);
        }
        Ok(Self {
            kind,
            spec,
            src: u16::from_be_bytes([s1, s0]),
            dst: u16::from_be_bytes([d1, d0]),
            id: u32::from_be_bytes([i3, i2, i1, i0]),
            ack: u32::from_be_bytes([a3, a2, a1, a0]),
            data,
        })
    }

    /// The header that goes in front of the message, which is no longer than [`MAX_MESSAGE`].
    pub fn header(&self) -> [u8; HEADER] {
        let [len1, len0] = self.len().to_be_bytes();
        let ([s1, s0], [d1, d0]) = (self.src.to_be_bytes(), self.dst.to_be_bytes());
        let ([i3, i2, i1, i0], [a3, a2, a1, a0]) = (self.id.to_be_bytes(), self.ack.to_be_bytes());
        let (kind, spec) = (self.kind, self.spec);
        let with = |c1, c0| {
            [c1, c0, len1, len0, kind, spec, s1, s0, d1, d0, i3, i2, i1, i0, a3, a2, a1, a0]
        };
        let [c1, c0] = (!fold(sum(&with(0, 0)) + sum(self.data))).to_le_bytes();
        with(c1, c0)
    }

    /// Bytes on the wire, without IP's header.
    pub(super) fn len(&self) -> u16 {
        debug_assert!(self.data.len() <= MAX_MESSAGE);
        u16::try_from(HEADER + self.data.len()).unwrap_or(u16::MAX)
    }
}

/// What a packet to a port gets that has no conversation for it: a close, if anything.
///
/// A close is never answered, or two listeners could be made to refuse each other for ever. Where nobody
/// listens only a sync is; the caller does not ask about others.
pub fn refuse(packet: &Packet<'_>) -> Option<[u8; HEADER]> {
    let &Packet { kind, src, dst, id, ack, .. } = packet;
    let close =
        Packet { kind: kind::CLOSE, spec: 0, src: dst, dst: src, id: ack, ack: id, data: &[] };
    (kind != kind::CLOSE).then(|| close.header())
}

/// The sum of little-endian words of 32 bits, which once folded is that of 16: 2^16 is 1 in this arithmetic.
/// It is right in either order of bytes when it is written in the same, and this one needs no swapping.
fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let whole: u64 = words.iter().map(|word| u64::from(u32::from_le_bytes(*word))).sum();
    let mut last = [0; 4];
    for (place, byte) in last.iter_mut().zip(rest) {
        *place = *byte;
    }
    whole + u64::from(u32::from_le_bytes(last))
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or(u16::MAX)
}
