"""Requests and replies through the client session of a core: the server must keep every rule here.

The core assigns tags and checks what comes back, so that any check fails when a server answers with
the wrong type, for a tag not in flight or with a frame above msize. One task reads;
whoever waits for a reply is woken by it. What breaks the client's own rules is sent by `raw`.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, Self, TypeVar

from netrelay import messages as m
from netrelay.conform.claims import Failed, expect
from netrelay.conform.stream import shown
from netrelay.errors import CATALOGUE, NetrelayError
from netrelay.types import Dialect, Flushed, Ready, Reply, Retry

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from types import TracebackType

    from netrelay.conform.stream import Stream
    from netrelay.core import Core

_R = TypeVar("_R")

# The system's limit on an error string is 128 bytes with its NUL.
MAX_ERROR = 127
# What a text is in 9P2000.L, where there is none. Any number will do for a text that is not here.
NUMBERS: Final = dict(reversed(CATALOGUE.values()))


class Refusal(Exception):  # noqa: N818 (a reply, and often the one that is wanted)
    """The server answered Rerror or Rlerror. `text` is empty in 9P2000.L, `errno` 0 in 9P2000."""

    def __init__(self, core: Core, request: m.Message, reply: m.Rerror | m.Rlerror) -> None:
        self.seen = shown(core, reply)
        self.wanted = m.MESSAGES[m.TYPES[type(request)] + 1].__name__
        super().__init__(self.seen)
        match reply:
            case m.Rerror(ename, errno):
                self.text, self.errno = ename, errno
            case m.Rlerror(ecode):
                self.text, self.errno = "", ecode
        self._texts = isinstance(reply, m.Rerror)

    def says(self, text: str) -> bool:
        """Whether it is this refusal; without texts, whether the number may stand for the text.

        exportfs(4) opens by name, and then the kernel has put the name behind its text (9front) or
        before it (the 4th edition).
        """
        if not self._texts:
            return self.errno == NUMBERS.get(text, self.errno)
        named = self.text.startswith(f"{text}: '") or self.text.endswith(f"' {text}")
        return self.text == text or named

    def contains(self, words: str) -> bool:
        """Whether the text has these words, of which dial(2) looks for some."""
        return words in self.text if self._texts else self.says(words)


class Lost(Exception):  # noqa: N818 (what the server did)
    """The server ended the session, or broke the protocol so that it can't go on."""


class Pending:
    """A request in flight."""

    def __init__(self, exchange: Exchange, tag: int, message: m.Message) -> None:
        self.tag = tag
        self.message = message
        self.outcome: asyncio.Future[m.Message | Lost | None] = exchange.loop.create_future()
        self._core = exchange.core

    @property
    def answered(self) -> bool:
        """Whether its reply has come (or none ever will)."""
        return self.outcome.done()

    async def reply(self) -> m.Message:
        """Wait for the reply, Rerror too. Errors: `Lost`."""
        match await asyncio.shield(self.outcome):
            case Lost() as lost:
                raise lost
            case None:
                raise Failed(f"a reply to {shown(self._core, self.message)}", "Rflush alone")
            case reply:
                return reply

    async def expect(self, want: type[_R]) -> _R:
        """Wait for a reply of that type. Errors: `Refusal`, `Lost`."""
        match await self.reply():
            case (m.Rerror() | m.Rlerror()) as refusal:
                raise Refusal(self._core, self.message, refusal)
            case want() as reply:
                return reply
            case other:  # the core refuses it first
                raise Failed(want.__name__, shown(self._core, other))


class Exchange:
    """A session from our side. `async with` reads it, and ends it at the end."""

    def __init__(self, core: Core, stream: Stream, dialect: Dialect, msize: int) -> None:
        self.core = core
        self.stream = stream
        self.loop = asyncio.get_running_loop()
        self.dialect = dialect
        self.msize = msize
        self._client = core.ClientSession(msize=msize, version=dialect.value)
        self._pending: dict[int, Pending] = {}
        self._flushes: dict[int, asyncio.Future[None]] = {}
        self._ready: asyncio.Future[Ready | Lost] = self.loop.create_future()
        self._lost: Lost | None = None
        self._reading: asyncio.Task[None] | None = None
        self._fid = 0

    async def __aenter__(self) -> Self:
        """Agree on the version. Errors: `Lost`, `Failed` when the server has another dialect."""
        self._reading = self.loop.create_task(self._read())
        hello = self._client.hello()
        self.stream.send(self.core, 0xFFFF, m.Tversion(self.msize, self.dialect.value), hello)
        match await asyncio.shield(self._ready):
            case Lost() as lost:
                raise lost
            case Ready(dialect, msize, _):
                self.msize = msize
                expect(dialect is self.dialect, f"version {self.dialect.value}", dialect.value)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the session and its reader."""
        self.stream.close()
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading

    def new_fid(self) -> int:
        """A fid that was never used on this session."""
        self._fid += 1
        return self._fid

    def begin(self, message: m.Message) -> Pending:
        """Send a request. Errors: `Lost`."""
        if self._lost is not None:
            raise self._lost
        tag, frame = self._client.request(message)
        self.stream.send(self.core, tag, message, frame)
        self._pending[tag] = pending = Pending(self, tag, message)
        return pending

    async def rpc(self, message: m.Message, want: type[_R]) -> _R:
        """Send a request and wait for its reply. Errors: `Refusal`, `Lost`."""
        return await self.begin(message).expect(want)

    async def flush(self, pending: Pending) -> m.Message | None:
        """Take a request back: the reply that came all the same, or None behind Rflush alone.

        Errors: `Lost`.
        """
        if not pending.answered:
            await self.begin_flush(pending)
        match pending.outcome.result():
            case Lost() as lost:
                raise lost
            case outcome:
                return outcome

    def begin_flush(self, pending: Pending) -> Awaitable[None]:
        """Send Tflush; what it gives is done behind the last Rflush for the request."""
        frame = self._client.flush(pending.tag)
        # The core has taken a tag of its own, which is in the frame.
        own = int.from_bytes(frame[5:7], "little")
        self.stream.send(self.core, own, m.Tflush(pending.tag), frame)
        done = self._flushes.setdefault(pending.tag, self.loop.create_future())
        return asyncio.shield(done)

    async def _read(self) -> None:
        while data := await self.stream.receive():
            self._client.feed(data)
            try:
                while (event := self._client.next_event()) is not None:
                    self._take(event)
            except NetrelayError as error:
                self.stream.trace.append(f"< ({error})")
                return self._end(Lost(str(error)))
        self._end(Lost("the end of the session"))

    def _take(self, event: Ready | Retry | Reply | Flushed) -> None:
        match event:
            case Ready():
                version = m.Rversion(event.msize, event.dialect.value)
                self.stream.received(self.core, 0xFFFF, version)
                self._ready.set_result(event)
            case Retry():
                self._end(Lost('Rversion version "unknown"'))
            case Reply(tag, message):
                self.stream.received(self.core, tag, message)
                self._pending[tag].outcome.set_result(_kept(message))
            case Flushed(tag, replied):
                self.stream.trace.append(f"< Rflush for tag {tag}")
                if not replied:
                    self._pending[tag].outcome.set_result(None)
                self._flushes.pop(tag).set_result(None)

    def _end(self, lost: Lost) -> None:
        self._lost = lost
        if not self._ready.done():
            self._ready.set_result(lost)
        for pending in self._pending.values():
            if not pending.outcome.done():
                pending.outcome.set_result(lost)
        for flush in self._flushes.values():
            flush.set_result(None)


def _kept(message: m.Message) -> m.Message | Lost:
    """A reply that may be looked at later: payloads are views of the frame until here."""
    match message:
        case m.Rerror(ename) if len(ename.encode()) > MAX_ERROR:
            return Lost(f"an error of {len(ename.encode())} bytes, above {MAX_ERROR}")
        case m.Rread(data):
            return m.Rread(bytes(data))
        case m.Rreaddir(data):
            return m.Rreaddir(bytes(data))
    return message
