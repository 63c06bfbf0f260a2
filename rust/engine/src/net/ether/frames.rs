//! A frame as the wire had it, and what is read of it.

use std::time::Duration;

/// A VLAN tag that the kernel has taken off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Tag {
    /// The type that stands in its place: 0x8100, or another provider's.
    pub(super) kind: u16,
    pub(super) control: u16,
}

/// Bytes of a destination and a source.
const ADDRESSES: usize = 12;

/// Where the source is.
pub(super) const SOURCE: std::ops::Range<usize> = 6..ADDRESSES;

/// Bytes of what is read where headers alone are wanted.
pub(super) const RECORD: usize = 64;

/// Of them, those of the frame itself.
const HEAD: usize = 58;

/// Appends a frame to `out`, with its tag put back.
pub(super) fn whole(bytes: &[u8], tag: Option<Tag>, out: &mut Vec<u8>) {
    match (tag, bytes.split_at_checked(ADDRESSES)) {
        (Some(tag), Some((addresses, rest))) => {
            out.extend_from_slice(addresses);
            out.extend_from_slice(&tag.kind.to_be_bytes());
            out.extend_from_slice(&tag.control.to_be_bytes());
            out.extend_from_slice(rest);
        }
        _ => out.extend_from_slice(bytes),
    }
}

/// The record of a frame: what it begins with, its length and how long the machine was up.
pub(super) fn record(frame: &[u8], length: usize, up: Duration) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    let length = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    // The field is of 32 bits: it begins anew after 49 days, as the original's does.
    let [.., a, b, c, d] = up.as_millis().to_be_bytes();
    let head = frame.iter().copied().chain(std::iter::repeat(0)).take(HEAD);
    for (place, byte) in record.iter_mut().zip(head.chain(length).chain([a, b, c, d])) {
        *place = byte;
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_put_back_behind_the_addresses() {
        let mut out = Vec::new();
        whole(b"ddddddssssss\x08\x00data", Some(Tag { kind: 0x8100, control: 7 }), &mut out);
        assert_eq!(out, b"ddddddssssss\x81\x00\x00\x07\x08\x00data");
        let mut short = Vec::new();
        whole(b"short", Some(Tag { kind: 0x8100, control: 7 }), &mut short);
        assert_eq!(short, b"short");
    }

    #[test]
    fn a_record_has_head_length_and_time() {
        let frame = [1; 60];
        let long = record(&frame, 1514, Duration::from_millis(0x1_0203_0405));
        assert_eq!(long[..58], [1; 58]);
        assert_eq!(long[58..], [0x05, 0xea, 2, 3, 4, 5]);
        let short = record(&[2; 20], 20, Duration::ZERO);
        assert_eq!((&short[..20], &short[20..58]), (&[2; 20][..], &[0; 38][..]));
        assert_eq!(short[58..], [0, 20, 0, 0, 0, 0]);
    }
}
