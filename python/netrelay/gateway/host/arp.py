"""arp: the neighbours, a line each, and the commands that change them (arp.c).

Who is still being asked for is `WAIT`; who did not answer is not listed. The commands are split at
spaces, as the original does, and not quoted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netrelay.gateway.host.formats import parse_ip, print_ip
from netrelay.gateway.host.nearest import nearest
from netrelay.gateway.host.refusal import refusal
from netrelay.gateway.host.values import Ip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from netrelay.gateway.host.values import Link, Local, Neighbour

# The one medium that has addresses of its own.
MEDIUM: Final = "ether"
_MAC: Final = re.compile(r"[0-9a-fA-F]{2}(?::?[0-9a-fA-F]{2}){5}\Z")
# The original's buffer. Of a longer write it takes the beginning, which nobody can have meant.
_MOST: Final = 255


@dataclass(frozen=True, slots=True)
class Flush:
    """Forget all."""


@dataclass(frozen=True, slots=True)
class Add:
    """Know a neighbour; `interface` is an address on the link, none for the one of the route."""

    ip: Ip
    address: str
    interface: Ip | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Forget a neighbour."""

    ip: Ip


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell the neighbours our address for an address of ours."""

    ip: Ip


Command = Flush | Add | Delete | Announce


def lines(
    neighbours: Iterable[Neighbour], links: Mapping[int, Link], local: Sequence[Local]
) -> Iterator[str]:
    """A line for each neighbour on a link of `links`."""
    for each in neighbours:
        link = links.get(each.index)
        if link is None:
            continue
        state = "OK" if each.known else "WAIT"
        address = each.address.replace(":", "") or "0" * 12
        ours = nearest([one for one in local if one.index == each.index], each.ip)
        yield (
            f"{link.medium:<6.6} {state:<4.4} {print_ip(each.ip):<40.40} {address:<16.16} "
            f"{print_ip(ours.ip if ours else None)}\n"
        )


def parse(text: str) -> Command:
    """One write. Errors: `bad arp`, `bad arg in system call`, `bad ip address syntax`."""
    if len(text) > _MOST:
        raise refusal("BAD_ARP")
    match [word for word in text.removesuffix("\n").split(" ") if word]:
        case ["flush", *_]:
            return Flush()
        case ["add", ip, address]:
            return Add(parse_ip(ip), _mac(address))
        case ["add", medium, ip, address]:
            _check(medium)
            return Add(parse_ip(ip), _mac(address))
        case ["add", medium, ip, address, interface]:
            _check(medium)
            return Add(parse_ip(ip), _mac(address), parse_ip(interface))
        case ["del", ip]:
            return Delete(parse_ip(ip))
        case ["garp", ip]:
            return Announce(parse_ip(ip))
        case ["add" | "del" | "garp", *_]:
            raise refusal("BAD_ARG")
    raise refusal("BAD_ARP")


def _check(medium: str) -> None:
    if medium != MEDIUM:
        raise refusal("BAD_ARP")


def _mac(word: str) -> str:
    """`001122aabbcc` or with colons, as with colons. Errors: `bad arp`."""
    if not _MAC.match(word):
        raise refusal("BAD_ARP")
    digits = word.replace(":", "").lower()
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))
