"""The packets of a file that gives one a Tread: the data of `icmp`, `udp` and their like, frames.

On a gateway of ours several Treads are outstanding, so that a long line does not bound the rate;
elsewhere their replies may come out of order, and there is one. Packets that have come wait here up
to that number, and then at the gateway.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Self

from netrelay import messages as m
from netrelay.errors import NetError
from netrelay.types import IOHDRSZ

if TYPE_CHECKING:
    from netrelay.client.wire import Wire
    from netrelay.types import Completion

_HUNGUP = "i/o on hungup channel"


class Packets:
    """`async for packet in packets`; the fid is its maker's, and is clunked behind `stop`.

    `longest` is in bytes: what exceeds it, or the session's msize, is cut off. `ahead` is the
    number of Treads outstanding and packets not taken yet, together. `empty` says that a packet
    may have no bytes; else none is the end.
    """

    def __init__(
        self, wire: Wire, fid: int, *, longest: int, ahead: int, empty: bool = False
    ) -> None:
        self._wire = wire
        self._fid = fid
        self._count = min(longest, wire.msize - IOHDRSZ)
        self._ahead = ahead
        self._empty = empty
        self._asked = 0
        self._came: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._error: NetError | None = None
        # Told once, to whoever asks first.
        self._said: NetError | None = None
        self._stopped = False
        self._ask()

    def __aiter__(self) -> Self:
        """In the order in which they came."""
        return self

    async def __anext__(self) -> bytes:
        """The next packet; ends after `stop`. Cancelled, it takes none.

        Errors: `NetError` behind the last packet, `i/o on hungup channel` at an end in order.
        """
        while not self._came:
            if self._stopped:
                raise StopAsyncIteration
            self.check()
            if self._error is not None:
                raise self._error
            self._news.clear()
            await self._news.wait()
        packet = self._came.popleft()
        self._ask()
        return packet

    @property
    def pending(self) -> int:
        """How many have come that nobody has taken yet."""
        return len(self._came)

    @property
    def over(self) -> bool:
        """Whether no more will come."""
        return self._error is not None or self._stopped

    def say(self, error: NetError) -> None:
        """Tell of something that does not end it: who waits for a packet, or `check`."""
        self._said = error
        self._news.set()

    def check(self) -> None:
        """Errors: what was said, once."""
        said, self._said = self._said, None
        if said is not None:
            raise said

    def stop(self) -> None:
        """Ask for no more; those that nobody has taken are gone."""
        self._stopped = True
        self._came.clear()
        self._news.set()

    def _ask(self) -> None:
        ahead = self._ahead if self._wire.windowed and not self._wire.crowded else 1
        while self._asked + len(self._came) < ahead and not self._stopped and self._error is None:
            try:
                self._wire.submit(m.Tread(self._fid, 0, self._count), self._got)
            except NetError as error:
                self._fail(error)
                return
            self._asked += 1

    def _got(self, outcome: Completion) -> None:
        self._asked -= 1
        match outcome.message:
            case m.Rread(data=packet) if len(packet) > 0 or self._empty:
                if not self._stopped:
                    self._came.append(bytes(packet))
                    self._news.set()
                    self._ask()
            case m.Rerror(ename=text, errno=number):
                self._fail(NetError(text, number or None))
            case _:
                self._fail(NetError(outcome.error or _HUNGUP))

    def _fail(self, error: NetError) -> None:
        if self._error is None:
            self._error = error
        self._news.set()
