"""What a gateway does only if its operator has said so in so many words (docs/tree.md 8)."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from netrelay.errors import UsageError
from netrelay.types import MAX_ETHERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Each and what it opens.
GRANTS: Final = {
    "arp": "change neighbours: write arp",
    "esp": "packets of security associations",
    "gre": "packets of gre",
    "icmp-raw": "icmp and icmpv6 beyond echo",
    "il": "calls of il",
    "ipifc": "change interfaces: write ipifc/N/ctl",
    "ipmux": "whole IP packets of other protocols than the host's",
    "iproute": "change routes: write iproute",
}


def check_grants(names: Iterable[str]) -> None:
    """Errors: `UsageError` for a name that no grant has."""
    for name in names:
        if name not in GRANTS:
            raise UsageError(f"no grant is called {name!r}: there are {', '.join(GRANTS)}")


def check_ethers(names: Sequence[str]) -> None:
    """Errors: `UsageError` for an interface that is named twice, or for too many."""
    if len(names) > MAX_ETHERS:
        raise UsageError(f"{len(names)} interfaces are more than {MAX_ETHERS}")
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"the interface {name} is named twice")


def check_networks(texts: Iterable[str]) -> None:
    """Errors: `UsageError` for what is no address with an optional length of its prefix."""
    for text in texts:
        length = text.partition("/")[2]
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError:
            length = "bad"
        if length and not length.isdecimal():
            raise UsageError(f"bad network {text!r}: write an address or 10.0.0.0/8")
