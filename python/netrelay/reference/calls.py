"""The requests of an importer: who waits for which tag, and the stream they go over.

A request is answered by a callback or, for a coroutine, by a future; one that is cancelled is
flushed, and its tag is waited for, so that a reply which came after all is honoured (flush(5)).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Final, Protocol

from netrelay import messages as m
from netrelay.errors import CATALOGUE, NetrelayError, errno_of
from netrelay.reference.client import ClientSession
from netrelay.reference.net.watch import Watch
from netrelay.types import Flushed, Ready, Reply, Retry
from netrelay.window import CROWDED

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK: Final = 256 << 10
_WORDS: Final = {number: text for text, number in reversed(CATALOGUE.values())}


class Refusal(NetrelayError):
    """The server, or the session's end, said no."""

    def __init__(self, text: str, errno: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.errno = errno or errno_of(text)


class Owner(Protocol):
    """The importer behind the calls."""

    def count(self, name: str, change: int) -> None:
        """Bump a counter."""

    def ready(self) -> None:
        """The version is agreed."""

    def over(self, error: str | None) -> None:
        """The session is over."""


class Calls:
    """One session used over one stream."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        *,
        msize: int,
        version: str,
        owner: Owner,
    ) -> None:
        self.session = ClientSession(msize=msize, version=version)
        self._loop = loop
        self._watch = Watch(loop, sock)
        self._owner = owner
        self._out = bytearray()
        self._waiting: dict[int, tuple[Callable[[m.Message | None], None], Callable[[], None]]] = {}
        self._gone = False
        # Payload bytes in unanswered Twrites, and who waits for them to become fewer.
        self.unanswered = 0
        self._relief = asyncio.Event()

    @property
    def crowded(self) -> bool:
        """Whether so many requests are outstanding that each owner should keep one."""
        return len(self._waiting) > CROWDED

    def start(self) -> None:
        """Offer a version and listen for what comes."""
        self._watch.readable(self._receive)
        self._send(self.session.hello())

    def send(
        self,
        message: m.Message,
        done: Callable[[m.Message | None], None],
        lost: Callable[[], None],
    ) -> int:
        """Send a request; `done` gets the reply, or nothing once it is flushed unanswered.

        Errors: `UsageError`, `Refusal` after the session's end.
        """
        if self._gone:
            raise Refusal(*CATALOGUE["HUNGUP"])
        tag, frame = self.session.request(message)
        self._waiting[tag] = (done, lost)
        self._send(frame)
        return tag

    def flush(self, tag: int) -> None:
        """Take a request back."""
        if tag in self._waiting and not self._gone:
            self._send(self.session.flush(tag))

    def begin(self, message: m.Message) -> tuple[int, asyncio.Future[m.Message | None]]:
        """Send a request; its tag and what becomes of it. Errors: as for `send`."""
        answered: asyncio.Future[m.Message | None] = self._loop.create_future()
        lost = Refusal(*CATALOGUE["HUNGUP"])

        def fail() -> None:
            if not answered.done():
                answered.set_exception(lost)
                answered.exception()  # whoever waits is told; nobody else needs to be

        def settle(reply: m.Message | None) -> None:
            if not answered.done():
                answered.set_result(reply)

        return self.send(message, settle, fail), answered

    def write(
        self, fid: int, offset: int, data: bytes
    ) -> tuple[int, asyncio.Future[m.Message | None]]:
        """Send a Twrite that counts among the session's `unanswered`. Errors: as for `send`."""
        tag, answered = self.begin(m.Twrite(fid, offset, data))
        self.unanswered += len(data)

        def relieve(_: object) -> None:
            self.unanswered -= len(data)
            self._relief.set()

        answered.add_done_callback(relieve)
        return tag, answered

    async def relief(self) -> None:
        """Wait until a Twrite of the session has been answered."""
        self._relief.clear()
        await self._relief.wait()

    async def ask(self, message: m.Message) -> m.Message:
        """One request and its reply. Errors: `Refusal`. Cancelled, it is flushed first."""
        tag, answered = self.begin(message)
        try:
            reply = await asyncio.shield(answered)
        except asyncio.CancelledError:
            self.flush(tag)
            with contextlib.suppress(Refusal):
                await answered
            raise
        return unrefused(reply)

    async def clunk(self, *fids: int) -> None:
        """Give fids back; what the server says changes nothing."""
        for fid in fids:
            with contextlib.suppress(NetrelayError):
                await self.ask(m.Tclunk(fid))

    def lost(self) -> None:
        """The session is over: everything that waits is told."""
        self._gone = True
        waiting, self._waiting = self._waiting, {}
        for _, lost in waiting.values():
            lost()

    def close(self) -> None:
        """Close the stream."""
        self._watch.close()

    def _receive(self) -> None:
        try:
            data = self._watch.sock.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._owner.count("receives", 1)
        if not data:
            self._watch.readable(None)
            self._owner.over(CATALOGUE["HUNGUP"][0])
            return
        self.session.feed(data)
        try:
            while (event := self.session.next_event()) is not None:
                match event:
                    case Ready():
                        self._owner.ready()
                    case Retry(frame):
                        self._send(frame)
                    case Reply(tag, message):
                        done, _ = self._waiting.pop(tag)
                        done(message)
                    case Flushed(tag, False):
                        done, _ = self._waiting.pop(tag)
                        done(None)
        except NetrelayError as err:
            self._watch.readable(None)
            self._owner.over(str(err))

    def _send(self, frame: bytes) -> None:
        self._out += frame
        if len(self._out) == len(frame):
            self._drain()

    def _drain(self) -> None:
        try:
            while self._out:
                sent = self._watch.sock.send(self._out, socket.MSG_NOSIGNAL)
                self._owner.count("sends", 1)
                del self._out[:sent]
        except BlockingIOError:
            self._watch.writable(self._drain)
        except OSError:
            self._out.clear()
            self._watch.writable(None)
            self._owner.over(CATALOGUE["HUNGUP"][0])
        else:
            self._watch.writable(None)


def unrefused(reply: m.Message | None) -> m.Message:
    """The reply, unless it is a refusal or was flushed. Errors: `Refusal`."""
    match reply:
        case None:
            raise Refusal(*CATALOGUE["INTERRUPTED"])
        case m.Rerror(text, number):
            raise Refusal(text, number)
        case m.Rlerror(number):
            raise Refusal(_WORDS.get(number, CATALOGUE["IO"][0]), number)
    return reply
