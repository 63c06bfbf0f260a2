"""A socket and what the loop watches it for.

Whoever holds the watch owns the socket; nothing here reads or writes it.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

_ABORT: Final = struct.pack("ii", 1, 0)


class Watch:
    """A socket and what the loop watches it for; closing it ends the watch."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        self.sock = sock
        self._loop = loop
        self._reading = self._writing = False

    def readable(self, act: Callable[[], None] | None) -> None:
        """Call `act` whenever something can be received; none ends that."""
        if act is not None:
            self._loop.add_reader(self.sock, act)
        elif self._reading:
            self._loop.remove_reader(self.sock)
        self._reading = act is not None

    def writable(self, act: Callable[[], None] | None) -> None:
        """Call `act` whenever something can be sent; none ends that."""
        if act is not None:
            self._loop.add_writer(self.sock, act)
        elif self._writing:
            self._loop.remove_writer(self.sock)
        self._writing = act is not None

    def release(self) -> socket.socket:
        """Stop watching; the socket is the caller's."""
        self.readable(None)
        self.writable(None)
        return self.sock

    def close(self) -> None:
        """Stop watching and close."""
        self.release().close()

    def reset(self) -> None:
        """Close with a reset instead of a FIN."""
        # Only a socket that is no longer connected refuses, and that has nothing to reset.
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self.close()
