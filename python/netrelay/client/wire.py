"""One session of a core's importer, as futures of the running loop.

The core owns the socket, the tags and the flushes; here each completion finds who waits for
it. A caller that is cancelled has its request flushed, and is let go when the flush is over: a
reply that came all the same is given to `late`, so nothing that the server did is lost. A server
that does not answer a flush holds its caller no longer than `FLUSH_S`; what comes then is `late`
too.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, TypeVar

from netrelay import messages as m
from netrelay.errors import NetError, PeerError
from netrelay.window import CROWDED, FULL

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from netrelay.core import ImporterCore
    from netrelay.types import Completion

HUNGUP = "i/o on hungup channel"
# A round trip takes less on any line that a person would use.
FLUSH_S = 5.0

_R = TypeVar("_R")


class Wire:
    """The importer behind one `Session`; `ready` is set when the version is agreed."""

    def __init__(self, core: ImporterCore) -> None:
        self._core = core
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, Callable[[Completion], None]] = {}
        self.ready: asyncio.Future[Completion] = self._loop.create_future()
        self.closed: asyncio.Future[str | None] = self._loop.create_future()
        self.windowed = False
        self.msize = 0
        # What streams have outstanding: Treads, and payload bytes in Twrites.
        self.reading = 0
        self.unanswered = 0
        self._starved: dict[Callable[[], None], None] = {}
        self._descriptor = core.completion_fd()
        self._loop.add_reader(self._descriptor, self._take)

    def new_fid(self) -> int:
        """A fid that nobody uses."""
        return self._core.new_fid()

    def stats(self) -> dict[str, int]:
        """The core's counters."""
        return self._core.stats()

    def submit(self, message: m.Message, done: Callable[[Completion], None]) -> int:
        """Send a request; `done` is called on the loop with its completion. Never blocks."""
        if self.closed.done():
            raise NetError(self.closed.result() or HUNGUP)
        number = self._core.rpc(message)
        self._waiting[number] = done
        return number

    @property
    def crowded(self) -> bool:
        """Whether so many requests are outstanding that each stream should keep one at most."""
        return len(self._waiting) > CROWDED

    @property
    def full(self) -> bool:
        """Whether so many are outstanding that what can wait must."""
        return len(self._waiting) > FULL

    def write(
        self, fid: int, offset: int, data: bytes, done: Callable[[Completion, bytes], None]
    ) -> None:
        """Send a Twrite that counts among the session's `unanswered`; `done` as for `submit`."""

        def answered(outcome: Completion) -> None:
            self.unanswered -= len(data)
            done(outcome, data)

        self.submit(m.Twrite(fid, offset, data), answered)
        self.unanswered += len(data)

    def when_relieved(self, again: Callable[[], None]) -> None:
        """Call `again`, once, when something has been answered."""
        self._starved[again] = None

    def flush(self, number: int) -> None:
        """Take a request back; its completion then says `flushed` or comes all the same."""
        if number in self._waiting:
            self._core.flush(number)

    async def rpc(
        self, message: m.Message, want: type[_R], *, late: Callable[[_R], None] | None = None
    ) -> _R:
        """Send a request and wait for its reply.

        Errors: `NetError` with the server's text; `PeerError` when it answers something else.
        Cancelled, it sends Tflush, waits for Rflush and gives a reply that won to `late`.
        """
        answered: asyncio.Future[Completion] = self._loop.create_future()
        number = self.submit(message, answered.set_result)

        def keep(outcome: Completion) -> None:
            if late is not None and isinstance(outcome.message, want):
                late(outcome.message)

        return _reply(await self._outcome(number, answered, keep), want)

    async def dial(
        self, netdir: tuple[str, ...], clone: tuple[str, ...], remote: str
    ) -> tuple[int, int, int]:
        """Place a call: the conversation's number, its ctl fid and its data fid.

        Errors: `NetError` with the gateway's text. Cancelled, it hangs up what came up.
        """
        answered: asyncio.Future[Completion] = self._loop.create_future()
        self._check()
        number = self._core.dial(netdir, clone, remote)
        self._waiting[number] = answered.set_result

        def hang_up(outcome: Completion) -> None:
            if outcome.error is None and outcome.kind == "dial":
                self.clunk(outcome.data)
                self.clunk(outcome.ctl)

        outcome = await self._outcome(number, answered, hang_up)
        if outcome.error is not None:
            raise NetError(outcome.error, outcome.errno or None)
        return outcome.number, outcome.ctl, outcome.data

    async def pump(self, ctl: int, data: int, call: socket.socket) -> Completion:
        """Hand a socket to the core and wait until both directions have ended.

        Owns: the socket, which is detached, and both fids are the core's from here on.
        Cancelled, it stops waiting; the pump goes on. Errors: `NetError` when the session is over;
        the socket is then the caller's still.
        """
        self._check()
        ended: asyncio.Future[Completion] = self._loop.create_future()
        number = self._core.pump(ctl, data, call.detach())
        self._waiting[number] = lambda outcome: _settle(ended, outcome)
        return await ended

    def clunk(self, fid: int) -> None:
        """Give a fid back without waiting for the answer, which changes nothing (clunk(5))."""
        if not self.closed.done():
            self.submit(m.Tclunk(fid), lambda _: None)

    async def close(self) -> None:
        """End the session: all its fids and conversations are gone."""
        self._core.close()
        await asyncio.shield(self.closed)

    async def _outcome(
        self,
        number: int,
        answered: asyncio.Future[Completion],
        late: Callable[[Completion], None],
    ) -> Completion:
        """Wait for a completion; cancelled, take the request back first."""
        try:
            return await asyncio.shield(answered)
        except asyncio.CancelledError:
            self.flush(number)
            answered.add_done_callback(lambda done: late(done.result()))
            patience = self._loop.create_task(asyncio.wait((answered,), timeout=FLUSH_S))
            while not patience.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.shield(patience)
            raise

    def _check(self) -> None:
        if self.closed.done():
            raise NetError(self.closed.result() or HUNGUP)

    def _take(self) -> None:
        for completion in self._core.completions():
            match completion.kind:
                case "ready":
                    self.windowed = completion.windowed
                    self.msize = completion.number
                    if not self.ready.done():
                        self.ready.set_result(completion)
                case "closed":
                    self._end(completion.error)
                case _:
                    done = self._waiting.pop(completion.id, None)
                    if done is not None:
                        done(completion)
        starved, self._starved = self._starved, {}
        for again in starved:
            again()

    def _end(self, error: str | None) -> None:
        self._loop.remove_reader(self._descriptor)
        if not self.ready.done():
            self.ready.set_exception(NetError(error or HUNGUP))
            self.ready.exception()  # whoever waits is told; nobody else needs to be
        if not self.closed.done():
            self.closed.set_result(error)


def _reply(outcome: Completion, want: type[_R]) -> _R:
    if outcome.error is not None:
        raise NetError(outcome.error, outcome.errno or None)
    match outcome.message:
        case want() as reply:
            return reply
        case m.Rerror(ename=text, errno=number):
            raise NetError(text, number or None)
    raise PeerError(f"expected {want.__name__}, got {outcome.kind} {outcome.message!r}")


def _settle(future: asyncio.Future[Completion], outcome: Completion) -> None:
    if not future.done():  # who waited may have been cancelled meanwhile
        future.set_result(outcome)
