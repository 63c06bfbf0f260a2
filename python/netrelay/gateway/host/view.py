"""What a stack shows of the host's network (docs/host.md 1): all, or what its sockets can use.

A stack of an interface or of an address has no network of its own, so it changes nothing either.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netrelay.gateway.host.values import Ip, Link, Local
    from netrelay.types import StackConfig


@dataclass(frozen=True, slots=True)
class View:
    """All of a namespace's network, or that of one device, or of one address."""

    device: str | None = None
    address: Ip | None = None

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return self.device is None and self.address is None

    def links(self, links: list[Link], local: list[Local]) -> list[Link]:
        """The interfaces that it has."""
        if self.address is not None:
            holders = {one.index for one in local if one.ip == self.address}
            return [link for link in links if link.index in holders]
        return [link for link in links if self.device in {None, link.name}]

    def has(self, ip: Ip) -> bool:
        """Whether an address of an interface is its."""
        return self.address in {None, ip}

    def speaks(self, version: int) -> bool:
        """Whether it has addresses of that family."""
        return self.address is None or self.address.version == version


def view_of(stack: StackConfig | None) -> View:
    """The view of a stack; without a configuration, of the process's own."""
    match stack:
        case (_, "dev", device):
            return View(device=device)
        case (_, "addr", address):
            return View(address=ipaddress.ip_address(address))
    return View()
