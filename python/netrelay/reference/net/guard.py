"""Which addresses a gateway will not dial for anyone, unless it was told to (docs/tree.md 8).

The check is on the numeric address of the connect, after resolution, so no name gets around it.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from netrelay.reference.net.address import Ip, unmapped
from netrelay.reference.net.refusal import refusal

_METADATA: Final = ipaddress.ip_address("fd00:ec2::254")


class Guard:
    """The rule, with the networks that the operator has opened."""

    def __init__(self, allow_dial: tuple[str, ...]) -> None:
        self._allowed = [ipaddress.ip_network(text, strict=False) for text in allow_dial]

    def check(self, ip: Ip) -> None:
        """Errors: `permission denied`."""
        ip = unmapped(ip)
        if any(ip in network for network in self._allowed):
            return
        inward = ip.is_loopback or ip.is_unspecified or ip.is_link_local
        if inward or ip.is_multicast or ip == _METADATA:
            raise refusal("PERMISSION_DENIED")
