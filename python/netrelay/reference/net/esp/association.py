"""Packets of one security association: RFC 4303's, with the original's algorithms (docs/raw.md).

Bytes in and bytes out: nothing here knows a socket. Sequence numbers of packets that come are not
looked at.
"""

from __future__ import annotations

import hmac
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from netrelay.reference.net.esp.algorithms import ICV

if TYPE_CHECKING:
    from netrelay.reference.net.esp.algorithms import Authentication, Cipher

# The index and the sequence number; the length of the padding and the next header.
HEADER: Final = struct.Struct(">II")
_TRAILER: Final = struct.Struct("BB")
_ALIGN: Final = 4
_LAST: Final = (1 << 32) - 1


class Opened(NamedTuple):
    """What was in a packet."""

    next_header: int
    payload: bytes


class Association:
    """An index, its algorithms, and how many packets were made."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.cipher: Cipher | None = None
        self.authentication: Authentication | None = None
        self._sequence = 0

    @property
    def used_up(self) -> bool:
        """Whether it has had its last packet: numbers do not come again (RFC 4303, 3.3.3)."""
        return self._sequence == _LAST

    def seal(self, payload: bytes, next_header: int) -> bytes:
        """The next packet."""
        self._sequence += 1
        align = max(_ALIGN, self.cipher.block if self.cipher is not None else 0)
        padding = -(len(payload) + _TRAILER.size) % align
        body = payload + bytes(range(1, padding + 1)) + _TRAILER.pack(padding, next_header)
        if self.cipher is not None:
            vector = self.cipher.vector()
            body = vector + self.cipher.encrypt(vector, body)
        packet = HEADER.pack(self.index, self._sequence) + body
        return packet + self.authentication(packet) if self.authentication is not None else packet

    def open(self, packet: bytes) -> Opened | None:
        """What is in a packet; none if it does not authenticate or does not fit."""
        if self.authentication is not None:
            packet, said = packet[:-ICV], packet[-ICV:]
            if not hmac.compare_digest(self.authentication(packet), said):
                return None
        body = packet[HEADER.size :]
        if len(packet) < HEADER.size or len(body) % _ALIGN:
            return None
        if self.cipher is not None:
            vector, body = body[: self.cipher.block], body[self.cipher.block :]
            if not body or len(body) % self.cipher.block:
                return None
            body = self.cipher.decrypt(vector, body)
        if len(body) < _TRAILER.size:
            return None
        padding, next_header = _TRAILER.unpack(body[-_TRAILER.size :])
        payload = body[: max(0, len(body) - _TRAILER.size - padding)]
        return Opened(next_header, payload) if payload else None
