"""The sockets of a stack, the addresses that they may have, and what the host says of both."""

from __future__ import annotations

import errno
import fcntl
import struct
import termios
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netrelay.reference.net.address import Address
from netrelay.stacks import StackSockets

if TYPE_CHECKING:
    import socket

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


def qin(sock: socket.socket) -> int:
    """Bytes that may be received; of packets, those of the next one."""
    return _queued(sock, termios.FIONREAD)


def qout(sock: socket.socket) -> int:
    """Bytes that have not left yet, as the host counts them."""
    return _queued(sock, termios.TIOCOUTQ)


def _queued(sock: socket.socket, request: int) -> int:
    """The length of one of its queues; 0 of a socket that does not tell."""
    try:
        (count,) = struct.unpack("=i", fcntl.ioctl(sock, request, b"\0" * 4))
    except OSError:
        return 0
    return int(count)
