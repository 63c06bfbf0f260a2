"""What passes at an interface of a host, seen by the test itself and not by the gateway."""

from __future__ import annotations

import selectors
import socket
import time
from typing import TYPE_CHECKING, Final, Protocol

from .lab import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

_ALL_ETHERTYPES: Final = 3
_IP: Final = {0x0800, 0x86DD}
_ICMP6: Final = 58
_HOP_BY_HOP: Final = 0


class Enterable(Protocol):
    """A host that a thread can be in."""

    def inside(self) -> AbstractContextManager[None]:
        """The thread is in it while the block lasts."""


class Capture:
    """What passes at an interface from the making of this on: IP packets, both ways."""

    def __init__(self, host: Enterable, interface: str = "eth0") -> None:
        with host.inside():
            self.sock = socket.socket(
                socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL_ETHERTYPES)
            )
            self.sock.bind((interface, _ALL_ETHERTYPES))
        self.sock.setblocking(False)

    def close(self) -> None:
        """The end of it."""
        self.sock.close()

    def sent(self) -> list[bytes]:
        """The packets that have left so far, but for those that only the link needs."""
        return [packet for packet, outgoing in self._all() if outgoing and not _of_link(packet)]

    def until(self, wanted: Callable[[bytes], bool]) -> list[bytes]:
        """The packets, either way, up to the first that is wanted, which is waited for.

        Others that only the link needs are left out.
        """
        seen = []
        deadline = time.monotonic() + PATIENCE_S
        with selectors.DefaultSelector() as selector:
            selector.register(self.sock, selectors.EVENT_READ)
            while selector.select(max(0.0, deadline - time.monotonic())):
                for packet, _ in self._all():
                    found = wanted(packet)
                    if found or not _of_link(packet):
                        seen.append(packet)
                    if found:
                        return seen
        raise AssertionError("the packet never came")

    def wait(self, wanted: Callable[[bytes], bool]) -> bytes:
        """The first packet, either way, that is wanted; it is waited for."""
        return self.until(wanted)[-1]

    def _all(self) -> Iterator[tuple[bytes, bool]]:
        while True:
            try:
                packet, (_, ethertype, kind, *_) = self.sock.recvfrom(1 << 16)
            except BlockingIOError:
                return
            if ethertype in _IP:
                yield packet, kind == socket.PACKET_OUTGOING


def _of_link(packet: bytes) -> bool:
    """Whether it is of IPv6's own housekeeping: neighbours, routers, groups."""
    six = packet[0] >> 4 == 6 and packet[6] in {_HOP_BY_HOP, _ICMP6}
    return six and packet[40] not in {128, 129}
