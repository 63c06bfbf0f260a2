"""A port of the gateway whose every call is connected to a local server, as `ssh -R` does.

The announcement is held by this session: it ends when the block or the session does. A call that
the local server refuses is reset; the next one is taken all the same.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from netrelay import hosts
from netrelay.errors import NetError
from netrelay.proxy import pumps

if TYPE_CHECKING:
    from types import TracebackType

    from netrelay.client.network import Announced, Call
    from netrelay.client.session import Session

CONNECT_S = 20.0
PAUSE_S = 0.1
_OVER = ("listen hungup", "not announced", "i/o on hungup channel")

log = logging.getLogger("netrelay.proxy")


class Publish:
    """Publishes `host:port` of this machine as `address!service` of the gateway's.

    `address` is `*` for all of the gateway's addresses. Errors on entry: `NetError`, such as
    `address in use`.
    """

    def __init__(self, session: Session, address: str, service: str, host: str, port: int) -> None:
        self._session = session
        self._name = f"tcp!{address}!{service}"
        self._host = host
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()
        self.local: tuple[str, int] = (address, 0)

    async def __aenter__(self) -> Publish:
        """Announce; `local` is then what callers reach."""
        self._announced = await self._session.announce(self._name)
        self.local = await self._announced.local()
        self._taking = asyncio.create_task(self._take(self._announced))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the announcement."""
        tasks = [self._taking, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._announced.close()

    async def wait(self) -> None:
        """Wait until the announcement is over from the gateway's side."""
        await asyncio.shield(self._taking)

    async def _take(self, announced: Announced) -> None:
        while True:
            try:
                call = await announced.listen()
            except NetError as error:
                if error.text in _OVER or self._session.wire.closed.done():
                    log.warning("announcement over name=%s error=%s", self._name, error.text)
                    return
                log.warning("listen failed name=%s error=%s", self._name, error.text)
                await asyncio.sleep(PAUSE_S)
                continue
            task = asyncio.create_task(self._serve(call))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, call: Call) -> None:
        try:
            await self._join(call)
        except NetError as error:
            log.info("call lost name=%s error=%s", self._name, error.text)

    async def _join(self, call: Call) -> None:
        try:
            async with asyncio.timeout(CONNECT_S):
                server = await hosts.call(self._host, self._port)
        except OSError as error:
            log.warning("no local server for a call name=%s error=%s", self._name, error)
            await call.reject()
            return
        with server:
            ctl, data = await call.fids()
            await pumps.pump(self._session, ctl, data, server)
