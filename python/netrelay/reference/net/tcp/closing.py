"""Connections that nobody holds any more, closed in the background.

The last clunk frees a number at once, but Twrites may wait, then FIN must go out, and input that
nobody will read must be drained: closing a socket with unread input would turn the FIN into a
reset and cost the peer what was on its way. Without progress for `linger_s` the connection is
dropped.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from netrelay.reference.net.refusal import of_host, refusal
from netrelay.reference.net.tcp.outbound import Outbound

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.reference.net.watch import Watch

_CHUNK: Final = 1 << 16


class Closing:
    """A connection on its way out; `over` is called once, when it is gone."""

    def __init__(
        self,
        watch: Watch,
        outbound: Outbound,
        linger_s: float,
        over: Callable[[Closing], None],
    ) -> None:
        self.outbound = outbound
        self._watch = watch
        self._linger_s = linger_s
        self._over = over
        self._ended = False
        self.gone = False
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(linger_s, self.abandon)
        watch.readable(self._drain)
        outbound.finish()
        outbound.waits = self._await_room
        self._send()

    def abandon(self) -> None:
        """Give up: what still waits is refused, and the socket closes as it stands."""
        self._end("HUNGUP")

    def _await_room(self, *, waiting: bool) -> None:
        self._watch.writable(self._send if waiting else None)

    def _send(self) -> None:
        try:
            progress = self.outbound.serve(self._watch.sock)
        except OSError as err:
            self.outbound.refuse(of_host(err.errno))
            self._end("RESET")
            return
        if progress:
            self._timer.cancel()
            self._timer = self._loop.call_later(self._linger_s, self.abandon)
        self._await_room(waiting=bool(self.outbound.writes))
        if self._ended and not self.outbound.writes:
            self._end("RESET")

    def _drain(self) -> None:
        try:
            if self._watch.sock.recv(_CHUNK):
                return
        except BlockingIOError:
            return
        except OSError:
            self._end("RESET")
            return
        self._ended = True
        self._watch.readable(None)
        if not self.outbound.writes:
            self._end("RESET")

    def _end(self, name: str) -> None:
        if self.gone:
            return
        self.gone = True
        self._timer.cancel()
        self._watch.close()
        self.outbound.refuse(refusal(name))
        self._over(self)
