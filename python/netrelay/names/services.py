"""Services: the port that a word means.

The words of Plan 9 come from a small table, as few systems know them; every other word is
the host's own (`/etc/services`). Numbers are checked, not looked up.
"""

from __future__ import annotations

import socket
from typing import Final

# lib/ndb/common of the original systems, by network.
TCP: Final = {
    "9fs": 564,
    "whoami": 565,
    "ticket": 567,
    "exportfs": 17007,
    "rexexec": 17009,
    "ncpu": 17010,
    "cpu": 17010,
    "aan": 17037,
    "rcpu": 17019,
    "t9fs": 17020,
    "styx": 6666,
}
IL: Final = {
    "echo": 7,
    "discard": 9,
    "whoami": 565,
    "ticket": 566,
    "exportfs": 17007,
    "9fs": 17008,
    "rexexec": 17009,
}
PLAN9: Final = {"tcp": TCP, "il": IL}


def port_of(net: str, service: str) -> int | None:
    """The port of a service's name on `net` (`tcp`, `udp`, `il`, …); None when nobody knows it.

    Blocks: reads the host's table of services, which is a small file.
    """
    known = PLAN9.get(net, {})
    if service in known or net == "il":
        return known.get(service)
    try:
        return socket.getservbyname(service, net)
    except (OSError, UnicodeError):
        return None
