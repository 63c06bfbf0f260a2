"""`iproute`: a way of a route a line (iproute.c)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from netrelay.texts.notation import Ip, Network, address, network

_FIELDS: Final = 6
# Leads to who is on the interface itself; then the gateway is the target, which says nothing.
_DIRECT: Final = "i"
_NOBODY: Final = "-"


@dataclass(frozen=True, slots=True)
class Route:
    """One way; `gateway` is none where it leads to the interface itself, or nowhere at all.

    `interface` is a directory of ipifc, none if the route has no interface; `source` is whose
    packets it is for, none if everybody's.
    """

    target: Network
    gateway: Ip | None
    flags: str
    tag: str
    interface: int | None
    source: Network | None = None


def parse(text: str) -> Iterator[Route]:
    """Each line that is a route."""
    for line in text.splitlines():
        route = _route(line.split())
        if route is not None:
            yield route


def _route(words: list[str]) -> Route | None:
    try:
        target = network(words[0], words[1])
        gateway, flags, tag, interface = words[2:_FIELDS]
        number = None if interface == _NOBODY else int(interface)
        source = network(*words[_FIELDS : _FIELDS + 2]) if len(words) > _FIELDS + 1 else None
        via = address(gateway)
    except (ValueError, IndexError):
        return None
    through = None if _DIRECT in flags or number is None or via == target.network_address else via
    whole = source is None or source.prefixlen == 0
    return Route(target, through, flags, tag, number, None if whole else source)
