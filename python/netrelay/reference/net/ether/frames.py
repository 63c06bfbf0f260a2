"""A frame as the wire had it, and what is read of it."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

# Bytes of what is read where headers alone are wanted, and of them those of the frame itself.
RECORD, _HEAD = 64, 58
_ADDRESSES: Final = 12
_BEHIND: Final = struct.Struct(">HI")
_TAG: Final = struct.Struct(">HH")


class Tag(NamedTuple):
    """A VLAN tag that the kernel has taken off; `kind` is the type that stands in its place."""

    kind: int
    control: int


def whole(data: bytes, tag: Tag | None) -> bytes:
    """A frame, with its tag put back."""
    if tag is None or len(data) < _ADDRESSES:
        return data
    return data[:_ADDRESSES] + _TAG.pack(*tag) + data[_ADDRESSES:]


def record(frame: bytes, up_ms: int) -> bytes:
    """What a frame begins with, its length, and for how many milliseconds the machine was up."""
    behind = _BEHIND.pack(min(len(frame), 0xFFFF), up_ms & 0xFFFF_FFFF)
    return frame[:_HEAD].ljust(_HEAD, b"\0") + behind


def from_station(frame: bytes, own: bytes) -> bytes:
    """The frame with `own` as its source."""
    return frame[:6] + own + frame[12:]
