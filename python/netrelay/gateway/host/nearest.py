"""Which address of ours goes with an address, and which link: findipifc and ipv6local (ipifc.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netrelay.gateway.host.values import Ip, Local


def nearest(local: Iterable[Local], ip: Ip) -> Local | None:
    """The one to speak to `ip` from: of its scope, then with the longest common prefix."""
    fitting = (one for one in local if one.ip.version == ip.version)
    return max(fitting, key=lambda one: (_scope(one.ip) == _scope(ip), common(one.ip, ip)),
               default=None)  # fmt: skip


def holder(local: Iterable[Local], ip: Ip) -> Local | None:
    """The one that `ip` is, or else the one in whose network it is, closest to it."""
    fitting = [one for one in local if one.ip.version == ip.version]
    exact = (one for one in fitting if one.ip == ip)
    around = (one for one in fitting if ip in one.network)
    return next(exact, None) or max(around, key=lambda one: common(one.ip, ip), default=None)


def common(one: Ip, other: Ip) -> int:
    """How many bits two addresses of a family begin with alike."""
    return one.max_prefixlen - (int(one) ^ int(other)).bit_length()


def _scope(ip: Ip) -> tuple[bool, bool]:
    return ip.is_link_local, ip.is_loopback
