"""What the kernel knows of its network, as plain values: what is read from it and printed.

Links, the addresses on them, neighbours, routes and multicast groups. Nothing here asks for them or
prints them.
"""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

FOREVER = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Counters:
    """Packets and errors of a link since it is there."""

    packets_in: int = 0
    packets_out: int = 0
    errors_in: int = 0
    errors_out: int = 0


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a link knows of its IPv6 routers; times in milliseconds."""

    listens: bool = False
    managed: bool = False
    other: bool = False
    reachable_ms: int = 0
    retransmit_ms: int = 0
    hop_limit: int = 0


@dataclass(frozen=True, slots=True)
class Link:
    """An interface of the kernel's. `medium` is what the original calls its kind."""

    index: int
    name: str
    medium: str
    address: str = ""
    up: bool = False
    mtu: int = 0
    counters: Counters = Counters()
    discovery: Discovery = Discovery()


@dataclass(frozen=True, slots=True)
class Local:
    """An address on a link. Lifetimes are in seconds, `FOREVER` if they have no end."""

    index: int
    ip: Ip
    prefix: int
    peer: Ip | None = None
    broadcast: Ip | None = None
    valid_s: int = FOREVER
    preferred_s: int = FOREVER

    @property
    def network(self) -> Network:
        """What is reached by it: the network around it, or around its peer."""
        return ipaddress.ip_network((self.peer or self.ip, self.prefix), strict=False)

    @property
    def remote(self) -> Ip:
        """The other end: its peer, or the network."""
        return self.peer or self.network.network_address


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Whom a link knows by a medium address; `known` unless it is still being asked for."""

    index: int
    ip: Ip
    address: str
    known: bool


class Kind(enum.Enum):
    """What a route does with a packet."""

    UNICAST = enum.auto()
    LOCAL = enum.auto()
    BROADCAST = enum.auto()
    MULTICAST = enum.auto()
    # Blackhole, unreachable, prohibit and throw: the packet goes nowhere.
    NOWHERE = enum.auto()


@dataclass(frozen=True, slots=True)
class Hop:
    """Where a route leads: a gateway, a link, or both."""

    gateway: Ip | None
    index: int | None


@dataclass(frozen=True, slots=True)
class Route:
    """A route. Its `source` is all of the family, but for IPv6 routes that some senders have."""

    target: Network
    source: Network
    hops: tuple[Hop, ...]
    kind: Kind = Kind.UNICAST
    protocol: int = 0
    priority: int = 0

    @property
    def of_interface(self) -> bool:
        """Whether it leads to who is on a link itself, and not to a gateway."""
        return self.kind is Kind.UNICAST and any(hop.gateway is None for hop in self.hops)


@dataclass(frozen=True, slots=True)
class Group:
    """A multicast group that a link has joined."""

    index: int
    ip: Ip
