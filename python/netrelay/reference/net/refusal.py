"""Refusals of the tree: catalogue texts as exceptions, and the host's errnos in our words.

The table is docs/tree.md's, section 5. What the host said exactly stays here: the importer gets the
word it knows from ip(3).
"""

from __future__ import annotations

import errno
from typing import Final

from netrelay.errors import CATALOGUE, NetError

# What the gateway has run out of; nobody asked for too much.
SHORTAGES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_HOST: Final = {
    errno.ECONNREFUSED: "REFUSED",
    errno.ECONNRESET: "RESET",
    errno.EPIPE: "RESET",
    errno.ETIMEDOUT: "TIMED_OUT",
    errno.ENETUNREACH: "NO_ROUTE",
    errno.EHOSTUNREACH: "HOST_UNREACHABLE",
    errno.EADDRINUSE: "ADDRESS_IN_USE",
    errno.EADDRNOTAVAIL: "NOT_LOCAL",
    errno.EACCES: "PERMISSION_DENIED",
    errno.EPERM: "PERMISSION_DENIED",
    **dict.fromkeys(SHORTAGES, "NO_FREE_DEVICES"),
}


def refusal(name: str) -> NetError:
    """The refusal of that catalogue name."""
    return NetError(*CATALOGUE[name])


def of_host(number: int | None) -> NetError:
    """What an errno of the host is called here."""
    return refusal(_HOST.get(number or 0, "IO"))


def of_call(number: int | None, *, local_given: bool) -> NetError:
    """The same for a connect: without a local address it is the ports that have run out."""
    if number == errno.EADDRNOTAVAIL and not local_given:
        return refusal("NO_PORTS")
    return of_host(number)
