"""One server session of each core, told the same and compared event by event.

It keeps the account that any client could keep: how many replies are due for each tag, and which
asks the tree has not answered.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from netrelay import messages as m
from netrelay.types import Ask, Dialect, FidView, Reset, Send, Withdraw
from tests.equivalence.outcomes import alike, outcome

if TYPE_CHECKING:
    from netrelay.core import Core

MAX_MSIZE, MAX_FIDS, MAX_REQUESTS = 8192, 6, 6


class SessionTwins:
    """Both sessions, and what is known of them from outside."""

    def __init__(self, rust: Core, python: Core) -> None:
        self._encode = python.encode
        self._decode = python.decode
        self.mine, self.theirs = (
            core.ServerSession(max_msize=MAX_MSIZE, max_fids=MAX_FIDS, max_requests=MAX_REQUESTS)
            for core in (rust, python)
        )
        self.dialect = Dialect.P2000
        self.asked: dict[int, m.Message] = {}
        self.wanted_back: set[int] = set()
        self.due: Counter[int] = Counter()
        self.over = False

    def request(self, tag: int, message: m.Message) -> None:
        """The client sends a request."""
        self.due[tag] += 1
        self._feed(tag, self._encode(tag, message, self.dialect))

    def raw(self, data: bytes) -> None:
        """The client sends one frame, whatever it holds."""
        tag = int.from_bytes(data[5:7], "little")
        self.due[tag] += 1
        self._feed(tag, data)

    def answer(self, tag: int, message: m.Message) -> None:
        """The tree answers."""
        if alike(self.mine, self.theirs, lambda each: each.answer(tag, message)) is None:
            self._forget(tag)
        self._pull(None)

    def refuse(self, tag: int, text: str, number: int) -> None:
        """The tree refuses."""
        if alike(self.mine, self.theirs, lambda each: each.refuse(tag, text, number)) is None:
            self._forget(tag)
        self._pull(None)

    def withdraw(self, tag: int) -> None:
        """The tree undoes a request."""
        if alike(self.mine, self.theirs, lambda each: each.withdraw(tag)) is None:
            assert tag in self.wanted_back
            self._forget(tag)
            self.due[tag] -= 1
        self._pull(None)

    def fids(self) -> tuple[FidView, ...]:
        """The fids of both."""
        views = alike(self.mine, self.theirs, lambda each: each.fids())
        assert isinstance(views, tuple)
        return views

    def _feed(self, tag: int, frame: bytes) -> None:
        self.mine.feed(frame)
        self.theirs.feed(frame)
        self._pull(tag)

    def _pull(self, fed: int | None) -> None:
        while not self.over:
            event = alike(self.mine, self.theirs, lambda each: each.next_event())
            match event:
                case None:
                    return
                case Send(frame):
                    self._sent(frame)
                case Ask(tag, message, _):
                    assert tag not in self.asked
                    self.asked[tag] = message
                case Withdraw(tag):
                    assert tag in self.asked
                    assert tag not in self.wanted_back
                    self.wanted_back.add(tag)
                case Reset():
                    self.asked.clear()
                    self.wanted_back.clear()
                    self.due.clear()
                    assert fed is not None
                    self.due[fed] = 1
                case _:
                    self._ended(event)

    def _sent(self, frame: bytes) -> None:
        tag = int.from_bytes(frame[5:7], "little")
        assert self.due[tag] > 0, f"a reply to nothing: {frame!r}"
        self.due[tag] -= 1
        if frame[4] == m.TYPES[m.Rversion]:
            _, hello = self._decode(frame, Dialect.P2000)
            assert isinstance(hello, m.Rversion)
            self.dialect = Dialect.of(hello.version)

    def _ended(self, failure: object) -> None:
        self.over = True
        for session in (self.mine, self.theirs):
            assert outcome(session.next_event) == failure

    def _forget(self, tag: int) -> None:
        del self.asked[tag]
        self.wanted_back.discard(tag)
