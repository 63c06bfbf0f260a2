"""Two hosts on a wire, of which one's network is a stack of the gateway."""

from __future__ import annotations

import contextlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netrelay.types import StackConfig

from .namespaces import Namespace, namespace, wait_for_route, wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Door, Place

OWN, OTHER = "10.0.0.1", "10.0.0.2"
OWN6, OTHER6 = "2001:db8::1", "2001:db8::2"


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


def checksum(data: bytes) -> int:
    """Of the Internet (RFC 1071)."""
    even = data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(even) // 2}H", even))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
