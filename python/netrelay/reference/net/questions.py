"""What the host asks Python, and who waits for the verdict.

Python takes questions when the descriptor says that there are some and answers in its own time,
in any order. What a session may do when the queue is full is the session's business.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

from netrelay.types import Upcall

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from netrelay.errors import NetError

    Verdict = Callable[[list[bytes] | None, NetError | None], None]
    # Kind, query and verdict; what it returns forgets the question.
    Ask = Callable[[str, bytes, Verdict], Callable[[], None]]


class Questions:
    """The queue to Python, at most `most` long."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, most: int, asked: Callable[[], None]
    ) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._loop = loop
        self._most = most
        self._asked = asked
        self._waiting: deque[Upcall] = deque()
        self._for_room: list[Callable[[], None]] = []
        self._verdicts: dict[int, Verdict] = {}
        self._last = 0

    @property
    def full(self) -> bool:
        """Whether no more fit."""
        return len(self._waiting) >= self._most

    def when_room(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` once, when some have been taken."""
        self._for_room.append(go_on)

    def ask(self, kind: str, user: str, query: bytes, stack: str, verdict: Verdict) -> int:
        """Put a question to Python; its id."""
        self._last += 1
        self._verdicts[self._last] = verdict
        self._waiting.append(Upcall(self._last, kind, user, query, stack))
        self._asked()
        os.eventfd_write(self.fd, 1)
        return self._last

    def forget(self, question: int) -> None:
        """Nobody wants to know any more."""
        self._verdicts.pop(question, None)

    def answer(self, question: int, replies: list[bytes] | None, why: NetError | None) -> None:
        """The verdict; one on a question that is forgotten is nobody's."""
        verdict = self._verdicts.pop(question, None)
        if verdict is not None:
            verdict(replies, why)

    def take(self) -> list[Upcall]:
        """Hand out the questions that wait; whoever waits for room goes on."""
        taken = list(self._waiting)
        self._waiting.clear()
        waiting, self._for_room = self._for_room, []
        for go_on in waiting:
            self._loop.call_soon(go_on)
        return taken
