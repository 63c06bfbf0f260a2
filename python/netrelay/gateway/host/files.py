"""The files of one stack's network: a core's question becomes a text or a change (docs/host.md).

Blocks on the kernel; it lives in a thread of its own, in the stack's network namespace.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from netrelay.gateway.host import (
    arp,
    commands,
    control,
    interfaces,
    ndb,
    reading,
    routes,
    selftab,
    stats,
)
from netrelay.gateway.host.netlink import Netlink
from netrelay.gateway.host.numbers import Numbers
from netrelay.gateway.host.refusal import refusal
from netrelay.gateway.host.speed import speed_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from netrelay.gateway.host.ndb import Primary
    from netrelay.gateway.host.values import Link, Local, Route
    from netrelay.gateway.host.view import View

# Of a longer text a core cuts the rest off; it need not be made.
MOST: Final = 1 << 20
# Default routes come first in a table, and a router's can be endless.
_FIRST: Final = 256


class Files:
    """What one stack shows, and the changes it takes if they are granted."""

    def __init__(self, view: View, grants: Collection[str]) -> None:
        self._view = view
        # A stack that has no network of its own changes none.
        self._grants = frozenset(grants) if view.whole else frozenset[str]()
        self._numbers = Numbers()
        self._tag = routes.BOOT

    def renumber(self) -> int:
        """Take notice of the links that there are; how many numbers there are. Errors: OSError."""
        with Netlink() as netlink:
            local = reading.addresses(netlink) if self._view.address is not None else []
            self._numbers.update(self._view.links(reading.links(netlink), local))
        return len(self._numbers)

    def primary(self) -> Primary | None:
        """The address by which the host reaches the world. Errors: OSError."""
        with Netlink() as netlink:
            local = reading.addresses(netlink)
        for version in reading.FAMILIES:
            with Netlink() as netlink:
                first = itertools.islice(reading.routes(netlink, version), _FIRST)
                found = ndb.primary(first, local)
            if found is not None:
                return found
        return None

    def answer(self, query: str) -> list[bytes]:
        """The text for `read PATH`; none for `write PATH`, a newline and the data.

        Errors: `NetError`, OSError.
        """
        what, _, data = query.partition("\n")
        verb, _, path = what.partition(" ")
        if verb == "write":
            self._write(path, data)
            return []
        return [self._read(path).encode()]

    def _read(self, path: str) -> str:
        match path.split("/"):
            case ["arp"]:
                return self._arp()
            case ["bootp"]:
                return ""
            case ["iproute"]:
                return self._iproute()
            case ["ipselftab"]:
                return self._ipselftab()
            case ["ipifc", "stats"]:
                return stats.text(reading.snmp())
            case ["ipifc", number, file]:
                return self._interface(int(number), file)
        raise refusal("IO")

    def _write(self, path: str, data: str) -> None:
        name = path.partition("/")[0]
        if name not in self._grants:
            raise refusal("PERMISSION_DENIED")
        with Netlink() as netlink:
            match path.split("/"):
                case ["arp"]:
                    commands.change_neighbours(netlink, arp.parse(data))
                case ["iproute"]:
                    self._change_routes(netlink, routes.parse(data))
                case ["ipifc", number, "ctl"]:
                    index = self._numbers.index(int(number))
                    commands.change_interface(netlink, index, control.parse(data))
                case _:
                    raise refusal("IO")

    def _change_routes(self, netlink: Netlink, command: routes.Command) -> None:
        if isinstance(command, routes.Tag):
            self._tag = command.protocol
        else:
            commands.change_routes(netlink, self._numbers, command, self._tag)

    def _arp(self) -> str:
        with Netlink() as netlink:
            links = {link.index: link for link in reading.links(netlink) if self._has(link.index)}
            local = self._addresses(netlink)
            known = (
                each for each in reading.neighbours(netlink) if self._view.speaks(each.ip.version)
            )
            return _joined(arp.lines(known, links, local))

    def _iproute(self) -> str:
        with Netlink() as netlink:
            found = (
                route
                for version in reading.FAMILIES
                if self._view.speaks(version)
                for route in reading.routes(netlink, version)
                if self._uses(route)
            )
            return _joined(routes.lines(found, self._numbers.number))

    def _uses(self, route: Route) -> bool:
        """Sockets that are bound to a device take routes of the device only."""
        return self._view.device is None or any(
            hop.index is not None and self._has(hop.index) for hop in route.hops
        )

    def _ipselftab(self) -> str:
        with Netlink() as netlink:
            found = [
                route
                for version in reading.FAMILIES
                if self._view.speaks(version)
                for route in reading.routes(netlink, version, reading.LOCAL)
                if self._uses(route) and self._view.has(route.target.network_address)
            ]
            groups = [] if self._view.address else reading.groups()
            return _joined(
                selftab.lines(found, [group for group in groups if self._has(group.index)])
            )

    def _interface(self, number: int, file: str) -> str:
        if file == "remote":
            return interfaces.REMOTE
        index = self._numbers.index(number)
        with Netlink() as netlink:
            link = reading.link(netlink, index) if index is not None else None
            local = self._addresses(netlink, link.index) if link is not None else []
        if file == "status":
            return self._status(link, local)
        groups = [] if self._view.address or link is None else [
            group.ip for group in reading.groups() if group.index == link.index
        ]  # fmt: skip
        return interfaces.local(local, groups)

    def _status(self, link: Link | None, local: list[Local]) -> str:
        if link is None:
            return interfaces.status(interfaces.GONE, [])
        return interfaces.status(link, local, speed_of(link.name))

    def _addresses(self, netlink: Netlink, index: int = 0) -> list[Local]:
        return [one for one in reading.addresses(netlink, index) if self._view.has(one.ip)]

    def _has(self, index: int) -> bool:
        return self._numbers.number(index) is not None


def _joined(lines: Iterable[str]) -> str:
    """As many whole lines as are read."""
    found, length = [], 0
    for line in lines:
        length += len(line)
        if length > MOST:
            break
        found.append(line)
    return "".join(found)
