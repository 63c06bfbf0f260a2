"""Calls of the gateway as sockets of this machine: what every library knows how to use.

The core pumps between the call's files and one end of a loopback connection; the program has the
other. So a call is a descriptor: TLS, event loops, blocking reads and half-close are the kernel's,
and no byte passes through Python. A Unix socket pair would be less work, but knows no reset: a call
that broke off would look like one that ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

from netrelay.client import network
from netrelay.errors import NetError
from netrelay.names.dialstring import parse_dial

if TYPE_CHECKING:
    from netrelay.client.session import Session

LOOPBACK = "127.0.0.1"
# Strangers may call the port that a pair is made over; each is hung up on.
BACKLOG = 16
# How long what was written to sockets that are closed may take to leave, at a session's end.
LINGER_S = 5.0


class Sockets:
    """The sockets of one session, until their calls have ended."""

    def __init__(self) -> None:
        self._pumps: dict[asyncio.Task[None], socket.socket] = {}

    async def dial(self, session: Session, text: str) -> socket.socket:
        """Call a dial string of `tcp`. Errors: `NetError`, `UsageError`."""
        _, _, ctl, data = await network.place(session, parse_dial(text))
        return self.begin(session, ctl, data)

    def begin(self, session: Session, ctl: int, data: int) -> socket.socket:
        """A socket for a call that is up: connected, non-blocking, without Nagle's delay.

        Owns: both fids. Errors: `NetError`.
        """
        try:
            ours, theirs = pair()
        except OSError as error:
            session.wire.clunk(data)
            session.wire.clunk(ctl)
            raise NetError(f"no loopback connection: {error.strerror}", error.errno) from None
        pump = asyncio.get_running_loop().create_task(_pump(session, ctl, data, theirs))
        self._pumps[pump] = ours
        pump.add_done_callback(self._pumps.pop)
        return ours

    async def linger(self) -> None:
        """Wait until what was written to sockets that are closed by now has left, 5 s at most."""
        closed = [pump for pump, ours in self._pumps.items() if ours.fileno() < 0]
        if closed:
            await asyncio.wait(closed, timeout=LINGER_S)
        for pump in list(self._pumps):
            pump.cancel()


def pair() -> tuple[socket.socket, socket.socket]:
    """The two ends of a TCP connection over loopback, non-blocking. Errors: `OSError`."""
    with contextlib.ExitStack() as undo:
        listener = socket.create_server((LOOPBACK, 0), backlog=BACKLOG)
        with listener:
            ours = undo.enter_context(socket.create_connection(listener.getsockname()))
            while True:
                theirs, caller = listener.accept()
                if caller == ours.getsockname():
                    break
                theirs.close()
        undo.enter_context(theirs)
        for end in (ours, theirs):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        undo.pop_all()
    return ours, theirs


async def _pump(session: Session, ctl: int, data: int, theirs: socket.socket) -> None:
    with theirs, contextlib.suppress(NetError):
        await session.wire.pump(ctl, data, theirs)
