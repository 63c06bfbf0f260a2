"""`arp`: a neighbour a line (arp.c)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from netrelay.texts.notation import Ip, address

_FIELDS: Final = 4
_WAITING: Final = "WAIT"
_NONE: Final = "::"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Whom an interface knows by a medium address: 12 hexadecimal digits on Ethernet.

    `known` unless it is still being asked for; `interface` is the address on the interface that is
    closest to it, none where it has none of the family or an older system does not say.
    """

    medium: str
    known: bool
    ip: Ip
    mac: str
    interface: Ip | None = None


def parse(text: str) -> Iterator[Neighbour]:
    """Each line that is a neighbour."""
    for line in text.splitlines():
        words = line.split()
        try:
            medium, state, ip, mac = words[:_FIELDS]
            near = words[_FIELDS] if len(words) > _FIELDS else _NONE
            interface = address(near) if near != _NONE else None
            yield Neighbour(medium, state != _WAITING, address(ip), mac, interface)
        except ValueError:
            continue
