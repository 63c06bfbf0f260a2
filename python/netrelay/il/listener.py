"""An IL port of this host whose calls are sessions of a gateway."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import TYPE_CHECKING

from netrelay.errors import NetError
from netrelay.il import ports
from netrelay.il.calls import Calls
from netrelay.il.carrier import Carrier, words
from netrelay.stacks import StackSockets

if TYPE_CHECKING:
    from collections.abc import Callable
    from ipaddress import IPv4Address

    from netrelay.il.end import End
    from netrelay.il.machine import IlFactory

log = logging.getLogger("netrelay.gateway")


class Listener:
    """Announces `port` (0: one is chosen) on `host`, None for every address, from its making on.

    `serve` gets the descriptor of a stream socket for each call. Errors: `NetError`.
    """

    def __init__(
        self, host: IPv4Address | None, port: int, il: IlFactory, serve: Callable[[int], None]
    ) -> None:
        self._serve = serve
        self._carriers: set[Carrier] = set()
        self._stopped = False
        stack = StackSockets()
        try:
            held = ports.hold(stack, port)
            self.port = held.number
            try:
                self._calls = Calls(
                    asyncio.get_running_loop(),
                    stack,
                    il,
                    local=host,
                    port=held,
                    advice=_no_advice,
                    woken=self._take,
                )
            except OSError:
                held.release()
                raise
        except OSError as error:
            where = f"il!{host or '*'}!{port}"
            raise NetError(f"can't listen on {where}: {words(error)}", error.errno) from None

    def stop(self) -> None:
        """Take no more calls; sessions go on."""
        if not self._stopped:
            self._stopped = True
            self._calls.close()

    async def close(self, patience_s: float) -> None:
        """Stop, hang up on who is left, and see the end of it, or no longer than the patience."""
        self.stop()
        left = list(self._carriers)
        for carrier in left:
            carrier.close()
        if left:
            await asyncio.wait([carrier.closed for carrier in left], timeout=patience_s)
        for carrier in left:
            carrier.abandon()

    def _take(self) -> None:
        try:
            while (taken := self._calls.take(_as_it_is)) is not None:
                self._begin(taken[1])
        except OSError as error:  # the call is kept, and the caller repeats itself
            log.warning("a call to IL port %d can't be taken: %s", self.port, words(error))

    def _begin(self, end: End) -> None:
        try:
            ours, theirs = socket.socketpair()
        except OSError:
            end.abandon()
            raise
        carrier = Carrier(end, ours)
        self._carriers.add(carrier)
        carrier.closed.add_done_callback(lambda _: self._carriers.discard(carrier))
        with contextlib.suppress(NetError):  # the gateway has ended: the descriptor is closed
            self._serve(theirs.detach())


def _as_it_is(_: End) -> None:
    pass


def _no_advice(_: socket.socket, __: OSError) -> None:
    return None
