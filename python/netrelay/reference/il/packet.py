"""IL's packets: 18 bytes of header, then the message.

`sum[2] len[2] type[1] spec[1] src[2] dst[2] id[4] ack[4]`, big-endian. `len` counts header and
message; bytes behind it are not IL's, as a link may pad. `sum` is IP's checksum of both, and is
always verified.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from netrelay.errors import NetrelayError

SYNC, DATA, DATAQUERY, ACK, QUERY, STATE, CLOSE = range(7)

_HEADER: Final = struct.Struct(">HHBBHHII")
HEADER: Final = _HEADER.size
# Counted as part of a packet where the original does, and the reason for the longest message.
IP_HEADER: Final = 20


class Flaw(NetrelayError):
    """Bytes that are no packet; `counter` is the one of `stats` that counts them."""

    def __init__(self, counter: str) -> None:
        super().__init__(counter)
        self.counter = counter


class Packet(NamedTuple):
    """One packet."""

    kind: int
    spec: int
    src: int
    dst: int
    id: int
    ack: int
    data: bytes = b""

    def encoded(self) -> bytes:
        """Its bytes, without IP's header."""
        rest = (self.size, *self[:6])
        total = _sum(_HEADER.pack(0, *rest) + self.data)
        return _HEADER.pack(0xFFFF - total, *rest) + self.data

    @property
    def size(self) -> int:
        """Its bytes on the wire, without IP's header."""
        return HEADER + len(self.data)


def decode(data: bytes) -> Packet:
    """The packet at the start of what IP delivered, without IP's header. Errors: `Flaw`."""
    if len(data) < HEADER:
        raise Flaw("HlenErr")
    _, length, kind, spec, src, dst, id_, ack = _HEADER.unpack_from(data)
    if not HEADER <= length <= len(data):
        raise Flaw("LenErrs")
    if _sum(data[:length]) != 0xFFFF:
        raise Flaw("CsumErrs")
    return Packet(kind, spec, src, dst, id_, ack, bytes(data[HEADER:length]))


def refuse(packet: Packet) -> Packet | None:
    """What a packet to a port gets that has no conversation for it: a close, if anything.

    A close is never answered, or two listeners could be made to refuse each other for ever. Where
    nobody listens only a sync is; the caller does not ask about others.
    """
    if packet.kind == CLOSE:
        return None
    return Packet(CLOSE, 0, packet.dst, packet.src, packet.ack, packet.id)


def after(one: int, other: int) -> bool:
    """Whether one id is behind another in the order of sending; ids wrap."""
    return 0 < ahead(one, other) < 1 << 31


def ahead(one: int, other: int) -> int:
    """How many ids one is behind another, in the order of sending."""
    return (one - other) % (1 << 32)


def _sum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total
