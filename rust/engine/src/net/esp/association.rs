//! Packets of one security association: RFC 4303's, with the original's algorithms (docs/raw.md).
//!
//! Bytes in and bytes out: nothing here knows a socket. Sequence numbers of packets that come are not
//! looked at.

use std::cell::Cell;

use rustix::io::Errno;

use super::algorithms::{Authentication, Cipher, ICV};
use crate::net::random;

/// An index, its algorithms, and how many packets were made.
#[derive(Debug)]
pub(super) struct Association {
    pub(super) index: u32,
    pub(super) cipher: Option<Cipher>,
    pub(super) authentication: Option<Authentication>,
    sequence: Cell<u32>,
}

/// What was in a packet.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Opened {
    pub(super) next_header: u8,
    pub(super) payload: Vec<u8>,
}

impl Association {
    /// One without cipher and authentication.
    pub(super) fn new(index: u32) -> Self {
        Self { index, cipher: None, authentication: None, sequence: Cell::new(0) }
    }

    /// The next packet; none if it has had its last one, as numbers do not come again (RFC 4303,
    /// 3.3.3).
    ///
    /// # Errors
    /// The host has no random numbers.
    pub(super) fn seal(&self, payload: &[u8], next_header: u8) -> Result<Option<Vec<u8>>, Errno> {
        let vector: [u8; LONGEST_BLOCK] = random::bytes()?;
        Ok(self.seal_with(payload, next_header, &vector))
    }

    /// The same with that vector, or as much of it as the cipher has.
    fn seal_with(&self, payload: &[u8], next_header: u8, vector: &[u8]) -> Option<Vec<u8>> {
        let sequence = self.sequence.get().checked_add(1)?;
        let block = self.cipher.as_ref().map_or(0, Cipher::block);
        let align = block.max(ALIGN);
        let padding = (align - (payload.len() + TRAILER) % align) % align;
        let mut packet = Vec::with_capacity(HEADER + block + payload.len() + align + TRAILER + ICV);
        packet.extend_from_slice(&self.index.to_be_bytes());
        packet.extend_from_slice(&sequence.to_be_bytes());
        packet.extend_from_slice(vector.get(..block)?);
        packet.extend_from_slice(payload);
        packet.extend((1..).take(padding));
        packet.extend_from_slice(&[u8::try_from(padding).ok()?, next_header]);
        if let Some(cipher) = &self.cipher {
            cipher.encrypt(vector.get(..block)?, packet.get_mut(HEADER + block..)?)?;
        }
        if let Some(authentication) = &self.authentication {
            let said = authentication.sign(&packet);
            packet.extend_from_slice(&said);
        }
        self.sequence.set(sequence);
        Some(packet)
    }

    /// What is in a packet; none if it does not authenticate or does not fit.
    pub(super) fn open(&self, packet: &[u8]) -> Option<Opened> {
        let mut packet = packet;
        if let Some(authentication) = &self.authentication {
            let (signed, said) = packet.split_at_checked(packet.len().checked_sub(ICV)?)?;
            if !authentication.confirms(signed, said) {
                return None;
            }
            packet = signed;
        }
        let mut body = packet.get(HEADER..)?.to_vec();
        if !body.len().is_multiple_of(ALIGN) {
            return None;
        }
        if let Some(cipher) = &self.cipher {
            let (vector, rest) = body.split_at_mut_checked(cipher.block())?;
            if rest.is_empty() || !rest.len().is_multiple_of(cipher.block()) {
                return None;
            }
            cipher.decrypt(vector, rest)?;
            body.drain(..cipher.block());
        }
        let next_header = body.pop()?;
        let padding = body.pop()?;
        let length = body.len().checked_sub(padding.into()).filter(|length| *length > 0)?;
        body.truncate(length);
        Some(Opened { next_header, payload: body })
    }
}

/// The index of a packet; none if it is too short.
pub(super) fn index(packet: &[u8]) -> Option<u32> {
    packet.first_chunk::<HEADER>()?.first_chunk().copied().map(u32::from_be_bytes)
}

/// The index and the sequence number.
pub(super) const HEADER: usize = 8;

/// The length of the padding and the next header.
const TRAILER: usize = 2;

const ALIGN: usize = 4;

/// Of all ciphers.
const LONGEST_BLOCK: usize = 16;

#[cfg(test)]
mod tests {
    use super::super::algorithms::{authentication, cipher};
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let pairs = (0..hex.len()).step_by(2);
        pairs.map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    fn ping() -> Vec<u8> {
        [&bytes("08000ebda70a00008e9c083db95b0700")[..], &(8..=0x37).collect::<Vec<u8>>()].concat()
    }

    // RFC 3602, section 4, case 5: a ping in transport mode, without what authenticates it.
    const KEY: &str = "90d382b410eeba7ad938c46cec1a82bf";
    const VECTOR: &str = "e96e8c08ab465763fd098d45dd3ff893";
    const SEALED: &str = "f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856\
                          a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874a\
                          a269add047ad2d5913ac19b7cfbad4a6";

    #[test]
    fn the_rfcs_packet_is_made_and_opened() {
        let mut association = Association::new(0x4321);
        association.cipher = cipher("aes_128_cbc").unwrap().1(&bytes(KEY));
        let packet = association.seal_with(&ping(), 1, &bytes(VECTOR)).unwrap();
        let head = [0, 0, 0x43, 0x21, 0, 0, 0, 1];
        assert_eq!(packet, [&head[..], &bytes(VECTOR), &bytes(SEALED)].concat());
        assert_eq!(index(&packet), Some(0x4321));
        assert_eq!(association.open(&packet), Some(Opened { next_header: 1, payload: ping() }));
    }

    #[test]
    fn what_is_sealed_is_opened_by_the_same_alone() {
        for (name, size) in
            [("null", 0), ("des_56_cbc", 8), ("des3_cbc", 24), ("aes_128_cbc", 16), ("aes_ctr", 16)]
        {
            for mac in ["null", "hmac_sha1_96", "hmac_md5_96"] {
                let made = |seed: u8| {
                    let key: Vec<u8> = (seed..).take(size).collect();
                    let mut association = Association::new(256);
                    association.cipher = cipher(name).unwrap().1(&key);
                    association.authentication = authentication(mac).unwrap().1(&[seed; MAC_KEY]);
                    association
                };
                let (one, other) = (made(1), made(9));
                for size in 0..40 {
                    let payload: Vec<u8> = (0..size).collect();
                    let packet = one.seal(&payload, 4).unwrap().unwrap();
                    let opened = (size > 0).then_some(Opened { next_header: 4, payload });
                    assert_eq!(one.open(&packet), opened, "{name} {mac} {size}");
                    assert!(mac == "null" || other.open(&packet).is_none());
                    let mut bent = packet.clone();
                    *bent.last_mut().unwrap() ^= 1;
                    assert!(mac == "null" || one.open(&bent).is_none());
                    for cut in 0..packet.len() {
                        // Whatever it is, it is no panic.
                        let _ = one.open(&packet[..cut]);
                    }
                }
            }
        }
    }

    const MAC_KEY: usize = 16;

    #[test]
    fn there_is_a_last_packet() {
        let association = Association::new(256);
        association.sequence.set(u32::MAX - 1);
        assert!(association.seal(b"last", 0).unwrap().is_some());
        assert_eq!(association.seal(b"beyond", 0), Ok(None));
    }
}
