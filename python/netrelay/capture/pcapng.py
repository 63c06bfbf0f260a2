"""The pcapng file format (draft-ietf-opsawg-pcapng): one section, one interface, whole frames.

Blocks are little-endian, padded to 32 bits, with their length in front and behind. A reader may
begin while the file grows: every call gives whole blocks.
"""

from __future__ import annotations

from typing import Final

_SECTION: Final = 0x0A0D_0D0A
_INTERFACE: Final = 1
_PACKET: Final = 6
_MAGIC: Final = 0x1A2B_3C4D
_LENGTH_UNKNOWN: Final = b"\xff" * 8
_ETHERNET: Final = 1
# Option codes; the same number means different things in different blocks.
_END, _APPLICATION, _NAME, _RESOLUTION, _FILTER = 0, 4, 2, 9, 11
_NANOSECONDS: Final = bytes([9])
_PLAIN_TEXT: Final = b"\0"


def head(interface: str, *, application: str, snaplen: int = 0, wanted: str | None = None) -> bytes:
    """What a file begins with: the section and its Ethernet interface.

    `snaplen` is in bytes, 0 for none; `wanted` is the filter's text, which readers show.
    """
    section = _integers(_MAGIC, 4) + _integers(1, 2) + _integers(0, 2) + _LENGTH_UNKNOWN
    section += _option(_APPLICATION, application.encode()) + _option(_END, b"")
    options = _option(_NAME, interface.encode()) + _option(_RESOLUTION, _NANOSECONDS)
    if wanted is not None:
        options += _option(_FILTER, _PLAIN_TEXT + wanted.encode())
    described = _integers(_ETHERNET, 2) + _integers(0, 2) + _integers(snaplen, 4)
    return _block(_SECTION, section) + _block(_INTERFACE, described + options + _option(_END, b""))


def packet(frame: bytes, *, time_ns: int, length: int | None = None) -> bytes:
    """One frame, seen `time_ns` nanoseconds after 1970; `length` is its own where it was cut."""
    whole = len(frame) if length is None else length
    described = _integers(0, 4) + _integers(time_ns >> 32, 4) + _integers(time_ns & 0xFFFF_FFFF, 4)
    return _block(_PACKET, described + _integers(len(frame), 4) + _integers(whole, 4) + frame)


def _block(kind: int, body: bytes) -> bytes:
    padded = body + bytes(-len(body) % 4)
    size = _integers(len(padded) + 12, 4)
    return _integers(kind, 4) + size + padded + size


def _option(code: int, value: bytes) -> bytes:
    return _integers(code, 2) + _integers(len(value), 2) + value + bytes(-len(value) % 4)


def _integers(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little")
