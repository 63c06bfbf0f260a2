"""What a name space can tell of its trees without asking a server.

The root's own directories are made by what is mounted on them, as `mkdir -p` would. A stack's files
are known but for which conversations it has and how many interfaces: those are taken to be there,
as is whatever a mounted session is asked for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from netrelay.types import ROOT_DEVICE, STACK_DEVICE

if TYPE_CHECKING:
    from netrelay.types import Spot

_PROTOCOLS: Final = frozenset(
    ("tcp", "udp", "ipifc", "icmp", "icmpv6", "gre", "ipmux", "esp", "il")
)  # fmt: skip
_FILES: Final = frozenset(
    ("arp", "bootp", "ndb", "iproute", "ipselftab", "log", "cs", "dns")
)  # fmt: skip
_OF_PROTOCOL: Final = frozenset(("clone", "stats"))
_OF_INTERFACE: Final = _OF_PROTOCOL | {"addr", "ifstats"}
_OF_CONVERSATION: Final = frozenset(
    ("ctl", "data", "err", "listen", "local", "remote", "status")
)  # fmt: skip
_OF_SLOT: Final = frozenset(("data", "ctl", "stats", "type", "ifstats"))
_INTERFACE: Final = re.compile(r"ether(0|[1-9][0-9]*)\Z")
_NUMBER: Final = re.compile(r"(0|[1-9][0-9]{0,6})\Z")
_MAX_CONVERSATIONS: Final = 1 << 20


class Directories:
    """The root's own directories, and what is known of the other trees."""

    def __init__(self) -> None:
        # In the order in which they were made.
        self.made: dict[tuple[str, ...], None] = {(): None}

    def make(self, names: tuple[str, ...]) -> None:
        """Have a directory of the root's own, and all on the way to it."""
        self.made.update(dict.fromkeys(names[:count] for count in range(len(names) + 1)))

    def there(self, spot: Spot) -> bool:
        """Whether there is such a file, as far as it is known."""
        tree, names = spot
        if tree.device == ROOT_DEVICE:
            return names in self.made
        return tree.device != STACK_DEVICE or _of_stack(tree.number, names)

    def directory(self, spot: Spot) -> bool | None:
        """Whether it is a directory; None where only a server knows."""
        tree, names = spot
        if tree.device == ROOT_DEVICE:
            return True
        if tree.device != STACK_DEVICE:
            return None
        match names:
            case (name,):
                return name not in _FILES
            case (_, name):
                return _NUMBER.match(name) is not None
        return not names


def _of_stack(stack: int, names: tuple[str, ...]) -> bool:
    """Whether a stack can have a file: every conversation and interface is taken to be there."""
    interface = bool(names and stack == 0 and _INTERFACE.match(names[0]))
    match names:
        case ():
            return True
        case (name,):
            return interface or name in _PROTOCOLS or name in _FILES
        case (protocol, name, *rest) if interface or protocol in _PROTOCOLS:
            if not _NUMBER.match(name):
                return not rest and name in (_OF_INTERFACE if interface else _OF_PROTOCOL)
            files = _OF_SLOT if interface else _OF_CONVERSATION
            files = files | {"snoop"} if protocol == "ipifc" else files
            number = int(name) < _MAX_CONVERSATIONS
            return number and (not rest or (len(rest) == 1 and rest[0] in files))
    return False
