"""What a blocking session gives: files, calls, ports, each waiting for a coroutine of a thread.

Ctrl-C in a wait cancels the coroutine, which flushes its request before the wait is over. All of
them are context managers that close what they stand for.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from abc import ABC, abstractmethod
from concurrent import futures
from typing import TYPE_CHECKING, Self, TypeVar

from netrelay.client.pings import TIMEOUT_S
from netrelay.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from types import TracebackType

    from netrelay.client.datagrams import Datagrams
    from netrelay.client.files import File
    from netrelay.client.frames import Frames
    from netrelay.client.network import Announced, Call
    from netrelay.client.pings import Pings, Reply
    from netrelay.client.streams import PeerName, Reader, Writer
    from netrelay.types import Stat

_R = TypeVar("_R")


class Loop:
    """A loop in a thread; `run` may be called from any other thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="netrelay-sync", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[object, object, _R]) -> _R:
        """Run a coroutine to its end; interrupted, cancel it and wait until it has cleaned up.

        Errors: `UsageError` when the session's block is over.
        """
        outcome: futures.Future[_R] = futures.Future()
        tasks: list[asyncio.Task[_R]] = []

        def begin() -> None:
            tasks.append(self._loop.create_task(work))
            tasks[0].add_done_callback(lambda done: _pass_on(done, outcome))

        def give_up() -> None:
            # Behind `begin`: if there is no task by now, there never will be.
            if tasks:
                tasks[0].cancel()
            else:
                work.close()
                _cancel(outcome)

        try:
            try:
                self._loop.call_soon_threadsafe(begin)
            except RuntimeError:
                work.close()
                raise UsageError("the session is closed: its `with` block is over") from None
            return outcome.result()
        except KeyboardInterrupt:
            self._loop.call_soon_threadsafe(give_up)
            futures.wait((outcome,))
            raise

    def call(self, function: Callable[[], object]) -> None:
        """Run a function of the loop's thread."""

        async def work() -> None:
            function()

        self.run(work())

    def close(self) -> None:
        """Stop the loop, its thread and those that looked names up."""
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _cancel(outcome: futures.Future[_R]) -> None:
    outcome.cancel()
    outcome.set_running_or_notify_cancel()


def _pass_on(done: asyncio.Task[_R], outcome: futures.Future[_R]) -> None:
    if done.cancelled():
        _cancel(outcome)
    elif (error := done.exception()) is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(done.result())


class Closing(ABC):
    """What `with` closes at the end of its block."""

    def __enter__(self) -> Self:
        """Nothing to do: it is open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Give up what it stands for; once is enough."""


class SyncFile(Closing):
    """An open file; see `netrelay.client.files.File`."""

    def __init__(self, loop: Loop, file: File) -> None:
        self._loop = loop
        self._file = file

    def read(self, count: int = -1) -> bytes:
        """Up to `count` bytes in one read; everything up to the end if it is negative."""
        return self._loop.run(self._file.read(count))

    def write(self, data: bytes) -> int:
        """Write everything; the bytes taken."""
        return self._loop.run(self._file.write(data))

    def seek(self, offset: int) -> None:
        """Go to a byte counted from the start."""
        self._loop.call(lambda: self._file.seek(offset))

    def stat(self) -> Stat:
        """The stat record."""
        return self._loop.run(self._file.stat())

    def close(self) -> None:
        """Clunk the fid."""
        self._loop.call(self._file.close)


class Connection(Closing):
    """A call, read and written by blocking methods; iterate over its lines."""

    def __init__(self, loop: Loop, reader: Reader, writer: Writer) -> None:
        self._loop = loop
        self._reader = reader
        self._writer = writer

    def read(self, n: int = -1) -> bytes:
        """Up to `n` bytes, or all up to the end if it is negative."""
        return self._loop.run(self._reader.read(n))

    def readexactly(self, n: int) -> bytes:
        """Exactly `n` bytes. Errors: `asyncio.IncompleteReadError`."""
        return self._loop.run(self._reader.readexactly(n))

    def readline(self) -> bytes:
        """A line with its newline."""
        return self._loop.run(self._reader.readline())

    def readuntil(self, separator: bytes = b"\n") -> bytes:
        """Everything up to and with the separator. Errors: `asyncio.IncompleteReadError`."""
        return self._loop.run(self._reader.readuntil(separator))

    def __iter__(self) -> Iterator[bytes]:
        """Lines, one after the other."""
        return iter(self.readline, b"")

    def write(self, data: bytes) -> None:
        """Write everything. Blocks when the other end does not read."""

        async def work() -> None:
            self._writer.write(data)
            await self._writer.drain()

        self._loop.run(work())

    def write_eof(self) -> None:
        """End our direction; reading goes on."""
        self._loop.call(self._writer.write_eof)

    @property
    def remote(self) -> PeerName:
        """The address and port of the other end, as the gateway sees it."""
        return self._writer.peer

    def close(self) -> None:
        """Hang up behind what was written. Errors: `NetError` if some of it was not."""
        self._loop.call(self._writer.close)
        self._loop.run(self._writer.wait_closed())


class SyncCall:
    """A call that has come and waits for a decision."""

    def __init__(self, loop: Loop, call: Call) -> None:
        self._loop = loop
        self._call = call

    @property
    def remote(self) -> PeerName:
        """Who calls."""
        return self._call.remote

    def accept(self) -> Connection:
        """Take it."""
        return Connection(self._loop, *self._loop.run(self._call.accept()))

    def reject(self) -> None:
        """Reset it."""
        self._loop.run(self._call.reject())


class SyncAnnounced(Closing):
    """An announced port: iterate over its calls."""

    def __init__(self, loop: Loop, announced: Announced) -> None:
        self._loop = loop
        self._announced = announced

    def __iter__(self) -> Iterator[SyncCall]:
        """Wait for calls, one after the other, until the announcement is hung up."""
        with contextlib.suppress(StopAsyncIteration):
            while True:
                yield SyncCall(self._loop, self._loop.run(self._next()))

    def listen(self) -> SyncCall:
        """Wait for a call. Errors: `NetError`."""
        return SyncCall(self._loop, self._loop.run(self._announced.listen()))

    def local(self) -> PeerName:
        """The address and port that callers reach."""
        return self._loop.run(self._announced.local())

    def close(self) -> None:
        """End the announcement."""
        self._loop.call(self._announced.close)

    async def _next(self) -> Call:
        return await anext(self._announced)


class SyncDatagrams(Closing):
    """An open conversation of udp: iterate over its datagrams, each with its sender."""

    def __init__(self, loop: Loop, datagrams: Datagrams) -> None:
        self._loop = loop
        self._datagrams = datagrams
        self.local, self.remote = datagrams.local, datagrams.remote

    def __iter__(self) -> Iterator[tuple[bytes, PeerName]]:
        """Wait for datagrams, one after the other."""
        while True:
            yield self.receive()

    def receive(self) -> tuple[bytes, PeerName]:
        """The next datagram and its sender."""
        return self._loop.run(self._datagrams.receive())

    def send(self, datagram: bytes, to: PeerName | None = None) -> None:
        """Send one."""
        self._loop.run(self._datagrams.send(datagram, to))

    def close(self) -> None:
        """End the conversation."""
        self._loop.call(self._datagrams.close)


class SyncFrames(Closing):
    """Frames of an interface: iterate over them."""

    def __init__(self, loop: Loop, frames: Frames) -> None:
        self._loop = loop
        self._frames = frames

    def __iter__(self) -> Iterator[bytes]:
        """Wait for frames, one after the other."""
        with contextlib.suppress(StopAsyncIteration):
            while True:
                yield self._loop.run(self._next())

    def write(self, frame: bytes) -> None:
        """Send a frame."""
        self._loop.run(self._frames.write(frame))

    def stats(self) -> dict[str, str]:
        """What the interface counts."""
        return self._loop.run(self._frames.stats())

    def close(self) -> None:
        """Give the slot back."""
        self._loop.call(self._frames.close)

    async def _next(self) -> bytes:
        return await anext(self._frames)


class SyncPings(Closing):
    """Pings of one host, one after the other; `address` is the host's, in numbers."""

    def __init__(self, loop: Loop, pings: Pings) -> None:
        self._loop = loop
        self._pings = pings
        self.address = pings.address

    def ping(self, timeout_s: float = TIMEOUT_S) -> Reply:
        """Send a request and wait for its reply. Errors: `TimeoutError`, `NetError`."""
        return self._loop.run(self._pings.ping(timeout_s))

    def close(self) -> None:
        """End the conversation."""
        self._loop.call(self._pings.close)
