"""asyncio's own streams and servers, whose other side is the gateway's network.

`open_connection` and `start_server` take what asyncio's functions of these names take and give what
they give, TLS with it: the streams are asyncio's, over a socket of `sockets`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Self

from netrelay.errors import NetError, UsageError
from netrelay.names.dialstring import Dial, unbracketed

if TYPE_CHECKING:
    import ssl as tls
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from netrelay.client.network import Announced, Call
    from netrelay.client.session import Session
    from netrelay.client.streams import PeerName

    Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
    Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None] | None]

LIMIT = 64 << 10

log = logging.getLogger("netrelay.client")


def target(host: str, port: int | str, netdir: str | None) -> str:
    """The dial string of a host and a port or service."""
    return str(Dial("tcp", unbracketed(host), str(port), netdir=netdir))


async def open_connection(
    session: Session,
    where: str,
    *,
    limit: int,
    ssl: tls.SSLContext | bool | None,
    server_hostname: str | None,
) -> Streams:
    """Streams over a call of a dial string."""
    ours = await session.dial_socket(where)
    try:
        return await asyncio.open_connection(
            sock=ours, limit=limit, ssl=ssl, server_hostname=server_hostname if ssl else None
        )
    except BaseException:
        ours.close()
        raise


class Server:
    """A port of the gateway whose calls are served here; made by `Session.start_server`."""

    def __init__(
        self,
        announced: Announced,
        connected: Connected,
        local: PeerName,
        *,
        limit: int,
        ssl: tls.SSLContext | None,
    ) -> None:
        self._announced = announced
        self._connected = connected
        self.local = local
        self._limit = limit
        self._ssl = ssl
        self._calls: set[asyncio.Task[None]] = set()
        self._serving: asyncio.Task[None] = asyncio.create_task(self._serve())

    async def __aenter__(self) -> Self:
        """Nothing to do: it serves."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close, and wait until the calls are over."""
        self.close()
        await self.wait_closed()

    def is_serving(self) -> bool:
        """Whether calls are still taken."""
        return not self._serving.done()

    async def serve_forever(self) -> None:
        """Wait until it is closed or the session ends. Cancelled, it closes.

        Errors: `NetError`, when the announcement was lost.
        """
        try:
            await asyncio.shield(self._serving)
        finally:
            self.close()

    def close(self) -> None:
        """Take no more calls; those that are up go on."""
        self._serving.cancel()
        self._announced.close()

    async def wait_closed(self) -> None:
        """Wait until it is closed and whoever serves its calls has returned."""
        with contextlib.suppress(asyncio.CancelledError, NetError):
            await self._serving
        while self._calls:
            await asyncio.wait(self._calls)

    async def _serve(self) -> None:
        async for call in self._announced:
            task = asyncio.create_task(self._one(call))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    async def _one(self, call: Call) -> None:
        try:
            streams = await self._accepted(call)
        except (NetError, OSError) as error:
            log.info("call from %s!%d lost: %s", *call.remote, error)
            return
        try:
            answer = self._connected(*streams)
            if answer is not None:
                await answer
        except Exception:
            log.exception("serving %s!%d failed", *call.remote)
            streams[1].transport.abort()

    async def _accepted(self, call: Call) -> Streams:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=self._limit, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        ours = await call.accept_socket()
        try:
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, ours, ssl=self._ssl)
        except BaseException:
            ours.close()
            raise
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def start_server(
    session: Session,
    connected: Connected,
    where: str,
    *,
    limit: int,
    ssl: tls.SSLContext | None,
) -> Server:
    """Announce a dial string and serve its calls."""
    if not callable(connected):
        raise UsageError("start_server wants a function of a reader and a writer")
    announced = await session.announce(where)
    try:
        local = await announced.local()
    except BaseException:
        announced.close()
        raise
    return Server(announced, connected, local, limit=limit, ssl=ssl)
