"""ipselftab: what the host answers to, on how many interfaces, and of what kind (ipifc.c).

Those are the addresses in the kernel's local routing table and the multicast groups joined.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from netrelay.gateway.host.formats import print_ip
from netrelay.gateway.host.values import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netrelay.gateway.host.values import Group, Ip, Route

_LETTERS: Final = {Kind.LOCAL: "u", Kind.BROADCAST: "b", Kind.MULTICAST: "m"}


def lines(routes: Iterable[Route], groups: Iterable[Group]) -> Iterator[str]:
    """A line an address, by family and number. What is routed to the host as a network has none."""
    links: dict[tuple[Ip, str], set[int | None]] = defaultdict(set)
    for route in routes:
        letter = _LETTERS.get(route.kind)
        if letter is not None and route.target.num_addresses == 1:
            for hop in route.hops:
                links[route.target.network_address, letter].add(hop.index)
    for group in groups:
        links[group.ip, "m"].add(group.index)
    for (ip, letter), found in sorted(links.items(), key=lambda item: _order(*item[0])):
        yield f"{print_ip(ip):<44.44} {len(found):02} {f'{ip.version}{letter}':>4.4}\n"


def _order(ip: Ip, letter: str) -> tuple[int, int, str]:
    return ip.version, int(ip), letter
