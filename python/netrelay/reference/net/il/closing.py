"""Conversations that nobody holds any more, closed in the background.

The last clunk frees a number at once, but Twrites may wait, messages may be unacknowledged, and the
close has to be confirmed. Without progress for `linger_s` the conversation is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netrelay.errors import NetError
from netrelay.reference.net.refusal import refusal

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from netrelay.il.end import End
    from netrelay.reference.net.il.writes import Writes


class Closing:
    """An end on its way out; `over` is called once, when it is gone."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        end: End,
        writes: Writes,
        *,
        unacked: Callable[[], int],
        linger_s: float,
        over: Callable[[Closing], None],
    ) -> None:
        self.gone = False
        self._loop = loop
        self._end = end
        self._writes = writes
        self._unacked = unacked
        self._linger_s = linger_s
        self._over = over
        self._timer = loop.call_later(linger_s, self.abandon)
        self._seen: object = None
        end.woken = self._go_on
        self._go_on()

    def abandon(self) -> None:
        """Give up: what still waits is refused, and the other side is not told."""
        if self.gone:
            return
        self.gone = True
        self._timer.cancel()
        self._writes.refuse(refusal("HUNGUP"))
        self._end.abandon()
        self._over(self)

    def _go_on(self) -> None:
        while self._end.next() is not None:  # nobody reads it any more
            pass
        try:
            self._writes.serve(self._end)
        except NetError as why:
            self._writes.refuse(why)
        if not self._writes:
            self._end.close()
        if self._end.gone:
            self.abandon()
            return
        seen = (len(self._writes), self._unacked(), self._end.machine.state())
        if seen != self._seen:
            self._seen = seen
            self._timer.cancel()
            self._timer = self._loop.call_later(self._linger_s, self.abandon)
