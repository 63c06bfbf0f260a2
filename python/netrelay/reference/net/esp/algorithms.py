"""Ciphers and authentications of an association, by the original's names (docs/raw.md).

The algorithms are `cryptography`'s and the standard library's; what is here is which one a name
means. The library is loaded with the first cipher, as few gateways ever have one, and fewer on this
core: where it is not installed (`netrelay[esp]`) there are no ciphers.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm

# What authenticates a packet, at its end.
ICV: Final = 12

Authentication = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Cipher:
    """Encrypts and decrypts whole blocks, with an initialisation vector of one block."""

    block: int
    encrypt: Callable[[bytes, bytes], bytes]
    decrypt: Callable[[bytes, bytes], bytes]

    def vector(self) -> bytes:
        """A random one."""
        return secrets.token_bytes(self.block)


def _aes(key: bytes) -> Cipher:
    from cryptography.hazmat.primitives.ciphers.algorithms import AES  # noqa: PLC0415

    return _cbc(16, AES(key))


def _des3(key: bytes) -> Cipher:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES  # noqa: PLC0415

    return _cbc(8, TripleDES(key))


def _des(key: bytes) -> Cipher:
    # Encrypted, decrypted and encrypted with one key is encrypted once.
    return _des3(key * 3)


def _cbc(block: int, algorithm: BlockCipherAlgorithm) -> Cipher:
    from cryptography.hazmat.primitives import ciphers  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers.modes import CBC  # noqa: PLC0415

    def encrypt(vector: bytes, data: bytes) -> bytes:
        context = ciphers.Cipher(algorithm, CBC(vector)).encryptor()
        return context.update(data) + context.finalize()

    def decrypt(vector: bytes, data: bytes) -> bytes:
        context = ciphers.Cipher(algorithm, CBC(vector)).decryptor()
        return context.update(data) + context.finalize()

    return Cipher(block, encrypt, decrypt)


def _hmac(digest: str) -> Callable[[bytes], Authentication]:
    return lambda key: lambda data: hmac.digest(key, data, digest)[:ICV]


# The bytes of a key, and what is made of one. `aes_ctr` is what the original does by that name.
CIPHERS: Final[dict[bytes, tuple[int, Callable[[bytes], Cipher | None]]]] = {
    b"null": (0, lambda _: None),
    b"des_56_cbc": (8, _des),
    b"des3_cbc": (24, _des3),
    b"aes_128_cbc": (16, _aes),
    b"aes_ctr": (16, _aes),
}
AUTHENTICATIONS: Final[dict[bytes, tuple[int, Callable[[bytes], Authentication | None]]]] = {
    b"null": (0, lambda _: None),
    b"hmac_sha1_96": (16, _hmac("sha1")),
    b"hmac_md5_96": (16, _hmac("md5")),
}
