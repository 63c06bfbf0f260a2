"""What all front ends share: a local listener, and calls handed over to the core's pumps.

A front end accepts, finds out where the call wants to go, has the gateway dial it and gives the
socket away: from then on no byte of it passes through Python. One call's failure is that call's.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from typing import TYPE_CHECKING

from netrelay import hosts
from netrelay.client import network
from netrelay.errors import NetError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from netrelay.client.session import Session
    from netrelay.names.dialstring import Dial

# Out of descriptors: wait for some to come back rather than spin on accept(2).
PAUSE_S = 0.1
_PASSING = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED}

log = logging.getLogger("netrelay.proxy")


class Listener:
    """A local TCP port; `serve` gets each accepted socket, non-blocking, in a task of its own.

    `host` may be `*`, which is every address of this machine, and `port` 0: one is chosen.
    Owns: a socket that `serve` has not detached is closed when it returns.
    """

    def __init__(
        self, host: str, port: int, serve: Callable[[socket.socket], Awaitable[None]]
    ) -> None:
        self._serve = serve
        self._tasks: set[asyncio.Task[None]] = set()
        self._sockets = hosts.listen(host, port, lambda made, _: made.setblocking(False))
        self.host, self.port = self._sockets[0].getsockname()[:2]
        if host == hosts.ANY:
            self.host = host

    async def __aenter__(self) -> Listener:
        """Begin to accept."""
        self._accepting = [asyncio.create_task(self._accept(made)) for made in self._sockets]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop accepting and give up calls that are still being set up."""
        tasks = [*self._accepting, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for made in self._sockets:
            made.close()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                call, _ = await loop.sock_accept(listener)
            except OSError as error:
                if error.errno not in _PASSING:
                    raise
                log.warning("accept failed port=%d error=%s", self.port, error.strerror)
                await asyncio.sleep(PAUSE_S)
                continue
            task = asyncio.create_task(self._one(call))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _one(self, call: socket.socket) -> None:
        with call:
            call.setblocking(False)
            with contextlib.suppress(OSError):
                call.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                await self._serve(call)
            except NetError as error:
                log.info("call refused port=%d error=%s", self.port, error.text)
            except OSError as error:
                log.debug("call lost port=%d error=%s", self.port, error)
            except Exception:
                log.exception("call failed port=%d", self.port)


async def dial(session: Session, wanted: Dial) -> tuple[int, int]:
    """Dial at the gateway: the fids of ctl and data. Errors: `NetError`."""
    _, _, ctl, data = await network.place(session, wanted)
    return ctl, data


async def pump(session: Session, ctl: int, data: int, call: socket.socket) -> None:
    """Give the socket to the core and wait until the call has ended both ways."""
    ended = await session.wire.pump(ctl, data, call)
    log.debug("call over up=%d down=%d error=%s", ended.bytes_up, ended.bytes_down, ended.error)


def reset(call: socket.socket) -> None:
    """Close with RST: the caller must not take a failure for an orderly end."""
    with contextlib.suppress(OSError):
        call.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    call.close()
