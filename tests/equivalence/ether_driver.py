"""The same for slots of ether0: each gateway runs in a namespace, at the near end of a cable.

A frame is there when the test goes on, because a witness at the end that it goes to has seen it.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from netrelay import messages as m
from tests.gateway.cable import ALL_TYPES, BROADCAST, Cable, frame

from .gateway_driver import ROOT, Driver
from .gateway_twins import PATIENCE_S, Twins

if TYPE_CHECKING:
    from collections.abc import Sequence

# What nobody else sends: behind it, everything before it has arrived.
MARK: Final = frame(BROADCAST, 0x88B7, b"that was all")
_CTL, _DATA, _FILE = 110, 120, 130


@dataclass
class Ends:
    """Both ends of a gateway's cable; `near` is the witness at the gateway's own."""

    cable: Cable
    near: socket.socket

    @classmethod
    def of(cls, cable: Cable) -> Self:
        """With a witness that is older than any slot: the kernel serves the latest first."""
        with cable.own.inside():
            near = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_TYPES))
            near.bind(("eth0", ALL_TYPES))
        near.settimeout(PATIENCE_S)
        return cls(cable, near)

    def send(self, several: Sequence[bytes]) -> None:
        """Frames to the gateway, which has them when this returns."""
        self.cable.send(*several, MARK)
        seen(self.near)

    def heard(self) -> list[bytes]:
        """What has come from the gateway since this was asked last."""
        self.near.send(MARK)
        return seen(self.cable.wire)

    def close(self) -> None:
        """The witness goes, the cable stays."""
        self.near.close()


def seen(sock: socket.socket) -> list[bytes]:
    """The frames that have come to an end, up to a mark."""
    frames: list[bytes] = []
    while True:
        data, (*_, kind, _, _) = sock.recvfrom(1 << 16)
        if kind == socket.PACKET_OUTGOING:
            continue
        if data == MARK:
            return frames
        frames.append(data)


class EtherDriver(Driver):
    """Operations on two slots of ether0."""

    def __init__(self, twins: Twins, ends: tuple[Ends, Ends]) -> None:
        super().__init__(twins)
        self._ends = ends

    def do_ether_clone(self, slot: int) -> None:
        """Take a free slot, open its data."""
        ctl, data = _CTL + slot, _DATA + slot
        for fid in (data, ctl):
            self._settled((100, m.Tclunk(fid)))
        self._settled((100, m.Twalk(ROOT, ctl, ("net", "ether0", "clone"))))
        self._settled((100, m.Topen(ctl, 2)))
        self._settled((100, m.Twalk(ROOT, data, ("net", "ether0", str(slot), "data"))))
        self._settled((100, m.Topen(data, 2)))

    def do_ether_ctl(self, slot: int, command: bytes) -> None:
        """Any command."""
        self._settled((101, m.Twrite(_CTL + slot, 0, command)))

    def do_ether_send(self, several: list[bytes]) -> None:
        """Frames from the other end."""
        for each in self._ends:
            each.send(several)
        self.twins.settle()

    def do_ether_write(self, slot: int, written: bytes) -> None:
        """A frame, or what is none; both others must get the same."""
        self._settled((102, m.Twrite(_DATA + slot, 0, written)))
        ours, theirs = (each.heard() for each in self._ends)
        assert ours == theirs
        self.twins.settle()

    def do_ether_park(self, slot: int, several: list[int], count: int) -> None:
        """Reads of data, several at once."""
        free = [tag for tag in several if tag not in self.twins.both[0].outstanding]
        self._send(*((tag, m.Tread(_DATA + slot, 0, count)) for tag in free))

    def do_ether_look(self, *names: str) -> None:
        """What a file or a directory says, and its record."""
        path = ("net", "ether0", *names)
        self._settled((103, m.Twalk(ROOT, _FILE, path)))
        self._settled((104, m.Tstat(_FILE)))
        self._settled((103, m.Topen(_FILE, 0)), (104, m.Tread(_FILE, 0, 1000)))
        self._settled((103, m.Tclunk(_FILE)))

    def do_ether_clunk(self, slot: int) -> None:
        """The end of it, whatever is in flight."""
        self._settled((105, m.Tclunk(_DATA + slot)), (106, m.Tclunk(_CTL + slot)))
