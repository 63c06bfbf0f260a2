"""Packets of IL by hand: what a called end says, and what the calling one was heard to say.

`sum[2] len[2] type[1] spec[1] src[2] dst[2] id[4] ack[4]`. Ports are 5000 (1388) and 17008 (4270);
the caller's first id is 100, the other's 200. Nothing here is made by the code under test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netrelay.types import IlConnected

if TYPE_CHECKING:
    from netrelay.core import Core
    from netrelay.il.machine import IlCore

SYNC, DATA, DATAQUERY, ACK, QUERY, STATE, CLOSE = range(7)
CALLER, CALLED = 5000, 17008
START, THEIRS = 0x100, 0x200
HEADER, WINDOW, LONGEST = 18, 20, 65_535 - 20 - 18


def packet(kind: int, id_: int, ack: int, data: bytes = b"", *, spec: int = 0) -> bytes:
    """A packet from the called end, its checksum summed up word by word."""
    ends = CALLED.to_bytes(2, "big") + CALLER.to_bytes(2, "big")
    length = (HEADER + len(data)).to_bytes(2, "big")
    numbers = (id_ % 2**32).to_bytes(4, "big") + (ack % 2**32).to_bytes(4, "big")
    return summed(b"\0\0" + length + bytes([kind, spec]) + ends + numbers + data)


def summed(raw: bytes) -> bytes:
    """The same bytes with the right checksum."""
    raw = b"\0\0" + raw[2:]
    padded = raw + b"\0" * (len(raw) % 2)
    total = sum(int.from_bytes(padded[at : at + 2], "big") for at in range(0, len(padded), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (0xFFFF - total).to_bytes(2, "big") + raw[2:]


def fields(raw: bytes | None) -> tuple[int, int, int, int, bytes]:
    """Type, spec, id, ack and message of a packet from the calling end, which must be sound."""
    assert raw is not None
    assert summed(raw) == raw
    assert int.from_bytes(raw[2:4], "big") == len(raw)
    assert (raw[6:8], raw[8:10]) == (b"\x13\x88", b"\x42\x70")
    return (
        raw[4],
        raw[5],
        int.from_bytes(raw[10:14], "big"),
        int.from_bytes(raw[14:18], "big"),
        raw[18:],
    )


def sent(il: IlCore) -> list[tuple[int, int, int, int, bytes]]:
    """All that it has to send."""
    found = []
    while (raw := il.poll_transmit()) is not None:
        found.append(fields(raw))
    return found


def events(il: IlCore) -> list[object]:
    """All that has happened."""
    found: list[object] = []
    while (event := il.poll_event()) is not None:
        found.append(event)
    return found


def established(core: Core) -> IlCore:
    """The calling end of a call that is up, at time 0."""
    il = core.Il.connect(0, CALLER, CALLED, START)
    il.handle_packet(0, packet(SYNC, THEIRS, START))
    assert events(il) == [IlConnected()]
    assert len(sent(il)) == 2
    return il
