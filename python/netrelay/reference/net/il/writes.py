"""Twrites that wait for room among the messages under way: one message each, in their order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from netrelay import messages as m

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.errors import NetError
    from netrelay.il.end import End
    from netrelay.reference.net.request import Write


class Writes:
    """The waiting Twrites of one conversation."""

    def __init__(self, count_up: Callable[[int], None]) -> None:
        self._waiting: deque[Write] = deque()
        self._count_up = count_up

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, write: Write) -> None:
        """Queue a Twrite, which may be of no byte."""
        self._waiting.append(write)
        write.account(len(write.data))
        write.request.park(lambda: self._withdraw(write))

    def serve(self, end: End) -> None:
        """Send what there is room for. Errors: `NetError` of a conversation that is over."""
        while self._waiting and end.send(bytes(self._waiting[0].data)):
            write = self._waiting.popleft()
            write.taken(len(write.data))
            self._count_up(len(write.data))
            write.request.answer(m.Rwrite(len(write.data)))

    def refuse(self, why: NetError) -> None:
        """Refuse all."""
        while self._waiting:
            write = self._waiting.popleft()
            write.drop()
            write.request.refuse(why)

    def _withdraw(self, write: Write) -> None:
        if write in self._waiting:
            self._waiting.remove(write)
            write.drop()
