"""What /net/etherN leaves out: the segments of the gateway's own sessions."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Final

import pytest

from .cable import BROADCAST, STRANGER, TYPE, Cable, Slot, frame
from .rawclient import PATIENCE_S, RawClient

if TYPE_CHECKING:
    from .conftest import Place


def test_the_gateway_s_own_sessions_are_left_out(place: Place, ends: Cable) -> None:
    """Who captures the session that carries the capture makes frames for ever."""
    ends.own.ip("addr add 10.0.0.1/24 dev eth0")
    ends.other.ip("addr add 10.0.0.2/24 dev eth0")
    door = ends.gateway(place)
    with ends.own.inside():
        listener = socket.create_server(("10.0.0.1", 0))
    port = listener.getsockname()[1]
    door.core.listen(listener.detach())
    with ends.other.inside():
        call = socket.create_connection(("10.0.0.1", port), PATIENCE_S)
    with RawClient(call) as client:
        client.begin()
        slot = Slot(client, "connect 0x800", "promiscuous")
        for _ in range(3):
            client.names("net")
        stray = frame(STRANGER, 0x800)
        ends.send(stray)
        assert slot.read() == stray


def segment(source: int, target: int, *, header: str, length: int = 20) -> bytes:
    """A TCP header behind an IP header of hexadecimal digits."""
    ports = struct.pack(">HHIIHHHH", source, target, 1, 0, length << 10, 0, 0, 0)
    return bytes.fromhex(header) + ports


FOUR: Final = "4500002800010000400600000a0000020a000001"
WITH_OPTIONS: Final = "4600002c00010000400600000a0000020a00000101010101"
LATER_FRAGMENT: Final = "4500002800010001400600000a0000020a000001"
DATAGRAM: Final = "4500002800010000401100000a0000020a000001"
SIX: Final = "6000000000140640" + "fe80" + "00" * 13 + "02" + "fe80" + "00" * 13 + "01"
SIX_FRAGMENT: Final = "6000000000142c40" + SIX[16:]


@pytest.mark.parametrize("promiscuous", [False, True])
def test_only_segments_of_the_gateway_s_own_ports_are_left_out(
    place: Place, ends: Cable, promiscuous: bool
) -> None:
    door = ends.gateway(place)
    with ends.own.inside():
        listener = socket.create_server(("", 0))
    port = listener.getsockname()[1]
    door.core.listen(listener.detach())
    slot = Slot(door.attach(), *(("promiscuous",) if promiscuous else ()), "connect -1")
    left_out = [
        frame(ends.mac, 0x800, segment(9, port, header=FOUR)),
        frame(ends.mac, 0x800, segment(9, port, header=WITH_OPTIONS)),
        frame(ends.mac, 0x86DD, segment(9, port, header=SIX)),
    ]
    taken = [
        frame(ends.mac, 0x800, segment(port, 9, header=FOUR)),
        frame(ends.mac, 0x800, segment(9, port ^ 1, header=WITH_OPTIONS)),
        # The ports' place is another segment's payload.
        frame(ends.mac, 0x800, segment(9, port, header=LATER_FRAGMENT)),
        frame(ends.mac, 0x800, segment(9, port, header=DATAGRAM)),
        frame(ends.mac, 0x86DD, segment(port, 9, header=SIX)),
        frame(ends.mac, 0x86DD, segment(9, port, header=SIX_FRAGMENT)),
        frame(ends.mac, TYPE, segment(9, port, header=FOUR)),
        # A group's, not this machine's.
        frame(BROADCAST, 0x800, segment(9, port, header=FOUR)),
        frame(ends.mac, 0x800, b"short"),
    ]
    ends.send(*(each for pair in zip(taken, left_out * 3, strict=True) for each in pair))
    assert [slot.read() for _ in taken] == taken
