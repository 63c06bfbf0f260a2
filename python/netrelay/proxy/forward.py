"""A local port whose every call is dialled at the gateway, as `ssh -L` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netrelay.errors import NetError
from netrelay.names.dialstring import Dial
from netrelay.proxy import pumps

if TYPE_CHECKING:
    import socket
    from types import TracebackType

    from netrelay.client.session import Session


class Forward:
    """Forwards `bind:port` to `host!service` of the gateway's network while the block lasts.

    Errors on construction: `NetError` when the local port can't be had.
    """

    def __init__(self, session: Session, bind: str, port: int, host: str, service: str) -> None:
        self._session = session
        self._wanted = Dial("tcp", host, service)
        self._listener = pumps.Listener(bind, port, self._serve)

    @property
    def address(self) -> tuple[str, int]:
        """The local address and port."""
        return self._listener.host, self._listener.port

    async def __aenter__(self) -> Forward:
        """Begin to accept."""
        await self._listener.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop accepting."""
        await self._listener.__aexit__(kind, error, traceback)

    async def _serve(self, call: socket.socket) -> None:
        try:
            ctl, data = await pumps.dial(self._session, self._wanted)
        except NetError:
            pumps.reset(call)
            raise
        await pumps.pump(self._session, ctl, data, call)
