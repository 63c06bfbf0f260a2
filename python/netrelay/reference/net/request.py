"""A request on its way through the tree: who waits for the answer, and how it is taken back.

A request that must wait is *parked*: it leaves behind how to withdraw it, and is answered exactly
once, later. Whoever answers need not know what kind of session is behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from netrelay import messages as m

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.errors import NetError
    from netrelay.reference.net.conversation import Conversation


class Answering(Protocol):
    """The session behind a request."""

    @property
    def congested(self) -> bool:
        """Whether the client leaves so many replies unread that it gets no more."""

    def settle(self, request: Request, reply: m.Message) -> None:
        """Send the reply; the request is over."""

    def parked_reads(self, fid: int) -> int:
        """Treads of a fid that wait, without the one that asks."""

    def called(self, request: Request, call: Conversation) -> None:
        """A Topen of listen has got a call: the fid becomes the ctl of that conversation."""


class Request:
    """One request of one session."""

    __slots__ = ("_withdraw", "fid", "message", "session", "tag")

    def __init__(self, session: Answering, tag: int, fid: int, message: m.Message) -> None:
        self.session = session
        self.tag = tag
        self.fid = fid
        self.message = message
        self._withdraw: Callable[[], m.Message | None] | None = None

    def park(self, withdraw: Callable[[], m.Message | None]) -> None:
        """It waits; `withdraw` undoes it and says what had happened already, if anything."""
        self._withdraw = withdraw

    @property
    def waits(self) -> bool:
        """Whether it is parked and not answered yet."""
        return self._withdraw is not None

    def withdraw(self) -> m.Message | None:
        """Take it back: nothing if it left no trace, else the answer it gets after all."""
        return self._withdraw() if self._withdraw is not None else None

    def answer(self, reply: m.Message) -> None:
        """It is done."""
        self._withdraw = None
        self.session.settle(self, reply)

    def read(self, data: bytes) -> None:
        """A Tread is done."""
        self.answer(m.Rread(data))

    def called(self, call: Conversation) -> None:
        """A Topen of listen is done."""
        self.session.called(self, call)

    def refuse(self, why: NetError) -> None:
        """It is refused."""
        self.answer(m.Rerror(why.text, why.errno or 0))


@dataclass(slots=True, eq=False)
class Write:
    """One Twrite; `account` is told how its waiting bytes change."""

    request: Request
    data: memoryview
    account: Callable[[int], None]
    gone: int = 0

    def taken(self, count: int) -> None:
        """The kernel has so many more bytes."""
        self.gone += count
        self.account(-count)

    def drop(self) -> None:
        """What has not gone never will."""
        self.account(self.gone - len(self.data))
