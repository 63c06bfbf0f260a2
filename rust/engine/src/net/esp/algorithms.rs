//! Ciphers and authentications of an association, by the original's names (docs/raw.md).
//!
//! The algorithms are `RustCrypto`'s; what is here is which one a name means. Their states print
//! without keys and are wiped when they are dropped.

use aes::Aes128;
use cbc::cipher::array::Array;
use cbc::cipher::{
    BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit,
    KeyInit,
};
use des::{Des, TdesEde3};
use hmac::{Hmac, Mac};
use md5::Md5;
use sha1::Sha1;

/// What authenticates a packet, at its end.
pub(super) const ICV: usize = 12;

/// The bytes of an authentication's key.
const MAC_KEY: usize = 16;

/// Encrypts and decrypts whole blocks, chained, with an initialisation vector of one block.
#[derive(Debug)]
pub(crate) enum Cipher {
    Aes(Box<Aes128>),
    Des(Box<Des>),
    TripleDes(Box<TdesEde3>),
}

/// Makes what authenticates a packet.
#[derive(Debug)]
pub(crate) enum Authentication {
    Md5(Hmac<Md5>),
    Sha1(Hmac<Sha1>),
}

/// The key of an algorithm has so many bytes, and this makes it of them; `null` makes none.
pub(super) type Known<Made> = (usize, fn(&[u8]) -> Option<Made>);

/// The cipher of a name; `aes_ctr` is what the original does by that name.
pub(super) fn cipher(name: &str) -> Option<Known<Cipher>> {
    Some(match name {
        "null" => (0, |_| None),
        "des_56_cbc" => (8, |key| Des::new_from_slice(key).ok().map(Box::new).map(Cipher::Des)),
        "des3_cbc" => {
            (24, |key| TdesEde3::new_from_slice(key).ok().map(Box::new).map(Cipher::TripleDes))
        }
        "aes_128_cbc" | "aes_ctr" => {
            (16, |key| Aes128::new_from_slice(key).ok().map(Box::new).map(Cipher::Aes))
        }
        _ => return None,
    })
}

/// The authentication of a name.
pub(super) fn authentication(name: &str) -> Option<Known<Authentication>> {
    Some(match name {
        "null" => (0, |_| None),
        "hmac_md5_96" => (MAC_KEY, |key| Hmac::new_from_slice(key).ok().map(Authentication::Md5)),
        "hmac_sha1_96" => (MAC_KEY, |key| Hmac::new_from_slice(key).ok().map(Authentication::Sha1)),
        _ => return None,
    })
}

impl Cipher {
    /// Bytes of a block.
    pub(super) fn block(&self) -> usize {
        match self {
            Self::Aes(_) => 16,
            Self::Des(_) | Self::TripleDes(_) => 8,
        }
    }

    /// Encrypts whole blocks in place; none if the vector has another length than a block.
    pub(super) fn encrypt(&self, vector: &[u8], body: &mut [u8]) -> Option<()> {
        match self {
            Self::Aes(cipher) => encrypt(&**cipher, vector, body),
            Self::Des(cipher) => encrypt(&**cipher, vector, body),
            Self::TripleDes(cipher) => encrypt(&**cipher, vector, body),
        }
    }

    /// Decrypts them.
    pub(super) fn decrypt(&self, vector: &[u8], body: &mut [u8]) -> Option<()> {
        match self {
            Self::Aes(cipher) => decrypt(&**cipher, vector, body),
            Self::Des(cipher) => decrypt(&**cipher, vector, body),
            Self::TripleDes(cipher) => decrypt(&**cipher, vector, body),
        }
    }
}

impl Authentication {
    /// What authenticates that.
    pub(super) fn sign(&self, data: &[u8]) -> Vec<u8> {
        let mut whole = match self {
            Self::Md5(state) => state.clone().chain_update(data).finalize().into_bytes().to_vec(),
            Self::Sha1(state) => state.clone().chain_update(data).finalize().into_bytes().to_vec(),
        };
        whole.truncate(ICV);
        whole
    }

    /// Whether `said` does, found out in a time that does not tell where it differs.
    pub(super) fn confirms(&self, data: &[u8], said: &[u8]) -> bool {
        let checked = match self {
            Self::Md5(state) => state.clone().chain_update(data).verify_truncated_left(said),
            Self::Sha1(state) => state.clone().chain_update(data).verify_truncated_left(said),
        };
        said.len() == ICV && checked.is_ok()
    }
}

fn encrypt<C: BlockCipherEncrypt + Clone>(
    cipher: &C,
    vector: &[u8],
    body: &mut [u8],
) -> Option<()> {
    let mut mode = cbc::Encryptor::inner_iv_slice_init(cipher.clone(), vector).ok()?;
    mode.encrypt_blocks(Array::slice_as_chunks_mut(body).0);
    Some(())
}

fn decrypt<C: BlockCipherDecrypt + Clone>(
    cipher: &C,
    vector: &[u8],
    body: &mut [u8],
) -> Option<()> {
    let mut mode = cbc::Decryptor::inner_iv_slice_init(cipher.clone(), vector).ok()?;
    mode.decrypt_blocks(Array::slice_as_chunks_mut(body).0);
    Some(())
}
