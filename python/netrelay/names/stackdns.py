"""Names as a stack sees them: its hosts file, then DNS over its own sockets.

getaddrinfo knows the process's own stack only. For another one the files are those that
ip-netns(8) lays down for it, `/etc/netns/NAME/{hosts,resolv.conf}`, or the machine's; a stack that
is no namespace has the machine's.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netrelay.names.dnssockets import StackBackend
from netrelay.names.resolver import NO_NAME, Kept, SystemResolver
from netrelay.stacks import StackSockets, family_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netrelay.types import StackConfig

_ETC: Final = Path("/etc")


class StackResolver(SystemResolver):
    """The resolver of one stack besides the process's own. Errors: as `StackSockets`."""

    def __init__(self, stack: StackConfig) -> None:
        super().__init__()
        self._sockets = StackSockets(stack)
        self._backend = StackBackend(self._sockets)
        named = stack.kind == "netns" and "/" not in stack.value
        self._etc = _ETC / "netns" / stack.value if named else _ETC

    def close(self) -> None:
        """Ask nothing more."""
        super().close()
        self._sockets.close()

    def _file(self, name: str) -> Path:
        own = self._etc / name
        return own if own.exists() else _ETC / name

    async def _addresses(self, name: str, family: socket.AddressFamily) -> Kept:
        ours = self._sockets.family
        if socket.AF_UNSPEC not in {ours, family} and family != ours:
            return self._refusal(NO_NAME)
        family = family or ours
        found = _in_hosts(self._file("hosts"), name, family)
        if found:
            return self._for_a_while(found)
        kinds = {socket.AF_INET: ("A",), socket.AF_INET6: ("AAAA",)}.get(family, ("A", "AAAA"))
        answers = await asyncio.gather(*(self._records(name, kind) for kind in kinds))
        addresses = [text for each in answers if isinstance(each.answer, list)
                     for text in each.answer]  # fmt: skip
        if not addresses:
            return answers[0]
        return Kept(addresses, min(each.until for each in answers))


def _in_hosts(path: Path, name: str, family: socket.AddressFamily) -> list[str]:
    """The addresses of a name in a file of hosts(5)."""
    found = []
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in path.read_text().splitlines():
            address, *names = line.partition("#")[0].split() or [""]
            if name.lower() not in map(str.lower, names):
                continue
            with contextlib.suppress(ValueError):
                if family in {family_of(ipaddress.ip_address(address)), socket.AF_UNSPEC}:
                    found.append(address)
    return found


def resolvers(stacks: Sequence[StackConfig]) -> dict[str, StackResolver]:
    """One for each stack, by its name. Errors: as `StackSockets`, and none is left open."""
    made: dict[str, StackResolver] = {}
    try:
        for stack in stacks:
            made[stack.name] = StackResolver(stack)
    except BaseException:
        for resolver in made.values():
            resolver.close()
        raise
    return made
