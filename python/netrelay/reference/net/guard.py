"""Which addresses a gateway will not dial for anyone, unless it was told to (docs/tree.md 8).

The check is on the numeric address of the connect, after resolution, so no name gets around it.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from netrelay.errors import UsageError
from netrelay.reference.net.address import Ip, unmapped
from netrelay.reference.net.refusal import refusal

# Bits before the IPv4 address in an IPv4-mapped one.
_MAPPED: Final = 96
_METADATA: Final = ipaddress.ip_address("fd00:ec2::254")


class Guard:
    """The rule, with the networks that the operator has opened."""

    def __init__(self, allow_dial: tuple[str, ...]) -> None:
        self._allowed = [_prefix(text) for text in allow_dial]

    def check(self, ip: Ip) -> None:
        """Errors: `permission denied`."""
        ip = unmapped(ip)
        if any(ip in network for network in self._allowed):
            return
        inward = ip.is_loopback or ip.is_unspecified or ip.is_link_local
        if inward or ip.is_multicast or ip == _METADATA:
            raise refusal("PERMISSION_DENIED")


def _prefix(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """`addr/length`, or an address; one of IPv4-mapped addresses alone is one of IPv4."""
    address, slash, length = text.partition("/")
    if slash and not (length.isascii() and length.isdecimal()):
        raise UsageError(f"not an address prefix: {text!r}")
    try:
        network = ipaddress.ip_network(text, strict=False)
        mapped = unmapped(ipaddress.ip_address(address))
        if mapped.version != network.version and network.prefixlen >= _MAPPED:
            return ipaddress.ip_network(f"{mapped}/{network.prefixlen - _MAPPED}", strict=False)
    except ValueError:
        raise UsageError(f"not an address prefix: {text!r}") from None
    return network
