"""The sockets of a stack, and the addresses that they may have."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netrelay.reference.net.address import Address
from netrelay.stacks import StackSockets

if TYPE_CHECKING:
    from netrelay.reference.net.address import Ip

# Not /proc/net, which is the process's first thread's.
_PROC: Final = Path("/proc/thread-self/net")


class Sockets(StackSockets):
    """Makes them for one stack; one of kind `addr` has that address alone."""

    def local(self, wanted: Address | None, remote: Ip | None = None) -> Address | None:
        """The local end to use where `wanted` is asked for, to reach `remote` if that is given.

        Errors: OSError, of an address that is not the stack's, and of a remote one that it can't
        reach.
        """
        if self.address is None:
            return wanted
        if remote is not None and remote.version != self.address.version:
            raise OSError(errno.ENETUNREACH, "another family")
        if wanted is None or wanted.ip is None:
            return Address(self.address, wanted.port if wanted is not None else 0)
        if wanted.ip != self.address:
            raise OSError(errno.EADDRNOTAVAIL, "not the stack's")
        return wanted

    def proc(self, name: str) -> str:
        """A file of /proc/net as the stack has it. Errors: OSError."""
        with self.inside():
            return (_PROC / name).read_text(encoding="ascii")
