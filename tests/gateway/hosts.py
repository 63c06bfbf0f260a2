"""Two hosts on a wire, of which one's network is a stack of the gateway, and what passes there."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netrelay.types import StackConfig

from .namespaces import Namespace, namespace, wait_for_route, wire
from .rawclient import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .conftest import Door, Place

OWN, OTHER = "10.0.0.1", "10.0.0.2"
OWN6, OTHER6 = "2001:db8::1", "2001:db8::2"
_ALL_ETHERTYPES: Final = 3
_OUTGOING: Final = 4


@dataclass(frozen=True)
class Hosts:
    """The namespaces: `own` is the stack `/net.alt` of a gateway, `other` is somebody else."""

    own: Namespace
    other: Namespace

    def gateway(self, place: Place, *, grant: tuple[str, ...] = (), **more: object) -> Door:
        """A gateway with `/net.alt`."""
        stacks = (StackConfig("alt", "netns", self.own.path),)
        return place.gateway(stacks=stacks, grant=grant, **more)  # type: ignore[arg-type]

    def allow_ping_sockets(self) -> None:
        """Everybody may have ping sockets in the gateway's network, as most distributions allow."""
        self.own.run("sh", "-c", "echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range")


@contextlib.contextmanager
def hosts() -> Iterator[Hosts]:
    """Both, with addresses of both families on `eth0`. Skips where there are no namespaces."""
    with namespace() as own, namespace() as other:
        wire(own, "eth0", other, "eth0")
        for host, four, six in ((own, OWN, OWN6), (other, OTHER, OTHER6)):
            host.ip(f"addr add {four}/24 brd + dev eth0")
            host.ip(f"addr add {six}/64 dev eth0 nodad")
            wait_for_route(host, f"local {six} dev eth0")
        yield Hosts(own, other)


class Capture:
    """What passes at a namespace's `eth0`, from the making of this on: IP packets, both ways."""

    def __init__(self, host: Namespace) -> None:
        with host.inside():
            self.sock = socket.socket(
                socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL_ETHERTYPES)
            )
            self.sock.bind(("eth0", _ALL_ETHERTYPES))
        self.sock.setblocking(False)

    def close(self) -> None:
        """The end of it."""
        self.sock.close()

    def sent(self) -> list[bytes]:
        """The packets that have left by `eth0` so far, but for those that only the link needs."""
        return [packet for packet, outgoing in self._all() if outgoing and not _of_link(packet)]

    def wait(self, wanted: Callable[[bytes], bool]) -> bytes:
        """The first packet, either way, that is wanted; it is waited for."""
        deadline = time.monotonic() + PATIENCE_S
        with selectors.DefaultSelector() as selector:
            selector.register(self.sock, selectors.EVENT_READ)
            while selector.select(max(0.0, deadline - time.monotonic())):
                for packet, _ in self._all():
                    if wanted(packet):
                        return packet
        raise AssertionError("the packet never came")

    def _all(self) -> Iterator[tuple[bytes, bool]]:
        while True:
            try:
                packet, (_, ethertype, kind, *_) = self.sock.recvfrom(1 << 16)
            except BlockingIOError:
                return
            if ethertype in {0x0800, 0x86DD}:
                yield packet, kind == _OUTGOING


def _of_link(packet: bytes) -> bool:
    """Whether it is of IPv6's own housekeeping: neighbours, routers, groups."""
    return packet[0] >> 4 == 6 and packet[6] in {0, 58} and packet[40] not in {128, 129}


def checksum(data: bytes) -> int:
    """Of the Internet (RFC 1071)."""
    even = data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(even) // 2}H", even))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
