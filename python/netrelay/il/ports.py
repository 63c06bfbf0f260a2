"""Ports of IL, which the kernel does not know: each is the name of a Unix socket while it is held.

Such names (unix(7), abstract) are one network namespace's, as ports are, so that two programs, or
two stacks of one gateway, never have the same one; and they are gone when whoever held them is.
"""

from __future__ import annotations

import errno
import secrets
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netrelay.stacks import StackSockets

# Those that Linux gives to other protocols, and those that `!r` asks for.
_CHOSEN: Final = range(32768, 61000)
_RESTRICTED: Final = range(600, 1024)


class Port:
    """A port that is held until everyone who shares it has let go of it."""

    def __init__(self, number: int, sock: socket.socket) -> None:
        self.number = number
        self._sock = sock

    def share(self) -> Port:
        """Hold it once more. Errors: OSError."""
        return Port(self.number, self._sock.dup())

    def release(self) -> None:
        """Let go."""
        self._sock.close()


def hold(sockets: StackSockets, wanted: int, *, restricted: bool = False) -> Port:
    """A port in a stack's network; 0 lets it be chosen, hard to guess, or low if `restricted`.

    Errors: OSError: EADDRINUSE, or EADDRNOTAVAIL where none is left to choose.
    """
    sock = _unix(sockets)
    try:
        for number in _candidates(wanted, restricted=restricted):
            try:
                sock.bind(_name(number))
            except OSError as err:
                if wanted or err.errno != errno.EADDRINUSE:
                    raise
            else:
                return Port(number, sock)
        raise OSError(errno.EADDRNOTAVAIL, "bind")
    except OSError:
        sock.close()
        raise


def is_held(sockets: StackSockets, number: int) -> bool:
    """Whether anybody in the stack's network holds a port. Errors: OSError."""
    with _unix(sockets) as probe:
        try:
            probe.connect(_name(number))
        except ConnectionRefusedError:
            return False
    return True


def _candidates(wanted: int, *, restricted: bool) -> Iterable[int]:
    if wanted:
        return (wanted,)
    if restricted:
        return reversed(_RESTRICTED)
    first = secrets.randbelow(len(_CHOSEN))
    return (_CHOSEN[(first + step) % len(_CHOSEN)] for step in range(len(_CHOSEN)))


def _name(number: int) -> str:
    return f"\0netrelay/il/{number}"


def _unix(sockets: StackSockets) -> socket.socket:
    with sockets.inside():
        return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
