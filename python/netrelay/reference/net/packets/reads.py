"""Treads that wait for packets: one packet a Tread, in order of arrival.

Nothing is taken from the host unless a Tread waits, so one that is withdrawn has taken nothing.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from netrelay.errors import NetError

if TYPE_CHECKING:
    from netrelay.reference.net.request import Request


class Reads:
    """The waiting Treads of one conversation."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Request, int]] = deque()

    @property
    def ready(self) -> bool:
        """Whether one waits whose client takes replies."""
        return bool(self._waiting) and not self._waiting[0][0].session.congested

    def park(self, request: Request, count: int) -> None:
        """Queue a Tread of at least one byte."""
        waiting = (request, count)
        self._waiting.append(waiting)
        request.park(lambda: self._waiting.remove(waiting))

    def answer(self, reply: bytes | NetError) -> int:
        """Answer the first; what of a packet exceeds its count is gone. The bytes it got."""
        request, count = self._waiting.popleft()
        if isinstance(reply, NetError):
            request.refuse(reply)
            return 0
        request.read(reply[:count])
        return len(reply[:count])

    def refuse(self, why: NetError) -> None:
        """Refuse all."""
        while self._waiting:
            self._waiting.popleft()[0].refuse(why)
