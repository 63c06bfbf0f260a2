"""ttl and tos: options of ctl that outlive the socket that they were set before (ip(3))."""

from __future__ import annotations

import socket
from dataclasses import dataclass


@dataclass(slots=True)
class Tuning:
    """What was asked for; none is as the host has it."""

    ttl: int | None = None
    tos: int | None = None

    @property
    def hops(self) -> int | None:
        """The ttl as the host takes it: it knows no 0, with which nothing would leave either."""
        return None if self.ttl is None else max(self.ttl, 1)


def tune(sock: socket.socket, tuning: Tuning) -> None:
    """Apply ttl and tos. Errors: OSError."""
    four, six = families(sock)
    if tuning.hops is not None:
        if four:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, tuning.hops)
        if six:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, tuning.hops)
    if tuning.tos is not None:
        if four:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tuning.tos)
        if six:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, tuning.tos)


def families(sock: socket.socket) -> tuple[bool, bool]:
    """Whether it has options of IPv4 and of IPv6: one of IPv6 has both, unless it is raw."""
    six = sock.family == socket.AF_INET6
    return not six or sock.type != socket.SOCK_RAW, six
