"""What a name space can tell of its trees without asking a server.

The root's own directories are made by what is mounted on them, as `mkdir -p` would. Of a stack the
files at its top are known; deeper ones come and go, and those of a mounted session only its server
knows, so they are taken to be there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from netrelay.types import ROOT_DEVICE, STACK_DEVICE

if TYPE_CHECKING:
    from netrelay.types import Spot

PROTOCOLS: Final = ("tcp", "udp", "ipifc", "icmp", "icmpv6", "gre", "ipmux", "esp", "il")
FILES: Final = ("arp", "bootp", "ndb", "iproute", "ipselftab", "log", "cs", "dns")
# protocol, conversation, file.
_DEEPEST: Final = 3
_INTERFACE: Final = re.compile(r"ether(0|[1-9][0-9]*)\Z")


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
        if tree.device == STACK_DEVICE and names:
            interface = tree.number == 0 and _INTERFACE.match(names[0])
            if names[0] in PROTOCOLS or interface:
                return len(names) <= _DEEPEST
            return names[0] in FILES and len(names) == 1
        return True

    def directory(self, spot: Spot) -> bool | None:
        """Whether it is a directory; None where only a server knows."""
        tree, names = spot
        if tree.device == ROOT_DEVICE:
            return True
        if tree.device != STACK_DEVICE:
            return None
        match names:
            case ():
                return True
            case (name,):
                return name not in FILES
            case (_, name):
                return name.isdecimal()
        return False
