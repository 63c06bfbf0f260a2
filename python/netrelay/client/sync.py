"""The same session for scripts without a loop: `with netrelay.sync.connect(...) as gateway:`.

A thread runs a loop of its own, and each call here waits for a coroutine there. Ctrl-C in a wait
cancels the coroutine, which flushes its request before the wait is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

from netrelay.client import session as sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from netrelay.client.network import Announced, Call
    from netrelay.client.streams import PeerName, Reader, Writer
    from netrelay.types import Stat

_R = TypeVar("_R")


class _Loop:
    """A loop in a thread; `run` may be called from any other thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="netrelay-sync", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[object, object, _R]) -> _R:
        """Run a coroutine to its end; interrupted, cancel it and wait until it has cleaned up."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def call(self, function: Callable[[], object]) -> None:
        """Run a function of the loop's thread."""

        async def work() -> None:
            function()

        self.run(work())

    def close(self) -> None:
        """Stop the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Connection:
    """A call, read and written by blocking methods."""

    def __init__(self, loop: _Loop, reader: Reader, writer: Writer) -> None:
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

    def write(self, data: bytes) -> None:
        """Write everything. Blocks when the other end does not read."""

        async def work() -> None:
            self._writer.write(data)
            await self._writer.drain()

        self._loop.run(work())

    def write_eof(self) -> None:
        """End our direction; reading goes on."""
        self._loop.call(self._writer.write_eof)

    def close(self) -> None:
        """Hang up behind what was written."""
        self._loop.call(self._writer.close)
        self._loop.run(self._writer.wait_closed())


class SyncCall:
    """A call that has come and waits for a decision."""

    def __init__(self, loop: _Loop, call: Call) -> None:
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


class SyncAnnounced:
    """An announced port: iterate over its calls."""

    def __init__(self, loop: _Loop, announced: Announced) -> None:
        self._loop = loop
        self._announced = announced

    def __iter__(self) -> Iterator[SyncCall]:
        """Wait for calls, one after the other."""
        while True:
            yield SyncCall(self._loop, self._loop.run(self._announced.listen()))

    def local(self) -> PeerName:
        """The address and port that callers reach."""
        return self._loop.run(self._announced.local())

    def close(self) -> None:
        """End the announcement."""
        self._loop.call(self._announced.close)


class SyncSession:
    """`Session`, waiting. Every method blocks; errors are the same."""

    def __init__(self, loop: _Loop, session: sessions.Session) -> None:
        self._loop = loop
        self._session = session

    def read(self, path: str) -> bytes:
        """All of a file."""
        return self._loop.run(self._session.read(path))

    def write(self, path: str, data: bytes) -> int:
        """Write to the start of a file; the bytes taken."""
        return self._loop.run(self._session.write(path, data))

    def stat(self, path: str) -> Stat:
        """The stat record."""
        return self._loop.run(self._session.stat(path))

    def ls(self, path: str) -> list[Stat]:
        """The entries of a directory."""
        return self._loop.run(self._session.ls(path))

    def cs(self, query: str) -> list[str]:
        """What the connection server replies."""
        return self._loop.run(self._session.cs(query))

    def dns(self, query: str) -> list[str]:
        """What the resolver replies."""
        return self._loop.run(self._session.dns(query))

    def dial(self, text: str) -> Connection:
        """Call a dial string from the gateway."""
        return Connection(self._loop, *self._loop.run(self._session.dial(text)))

    def announce(self, text: str) -> SyncAnnounced:
        """Announce a port at the gateway."""
        return SyncAnnounced(self._loop, self._loop.run(self._session.announce(text)))


@contextlib.contextmanager
def connect(
    address: str, *, uname: str | None = None, aname: str = "", core: str | None = None
) -> Iterator[SyncSession]:
    """Connect, attach and give the session; see `netrelay.connect`."""
    loop = _Loop()
    try:
        context = sessions.connect(address, uname=uname, aname=aname, core=core)
        session = loop.run(context.__aenter__())
        try:
            yield SyncSession(loop, session)
        finally:
            loop.run(context.__aexit__(None, None, None))
    finally:
        loop.close()
