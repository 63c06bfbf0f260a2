"""The data file of a conversation as a pair shaped like asyncio's StreamReader and StreamWriter.

On a gateway of ours several Treads and Twrites are outstanding (docs/protocol.md, section 6), so a
stream is as fast over a long line as over a short one; on any other server one of each.
Replies arrive by callback, in order; a coroutine that is cancelled while it waits for bytes
takes none of them away.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING

from netrelay import messages as m
from netrelay.errors import NetError
from netrelay.types import IOHDRSZ, WINDOW

if TYPE_CHECKING:
    from netrelay.client.wire import Wire
    from netrelay.types import Completion

# 16 x 64 KiB keeps 1 MiB under way: 100 ms of round trip at 80 Mbit/s.
READ_COUNT = 64 << 10
READS = 16
LIMIT = 1 << 20
LINE_LIMIT = 1 << 20
PeerName = tuple[str, int]


class Reader:
    """The bytes that the other end sends; the methods of `asyncio.StreamReader`."""

    def __init__(self, wire: Wire, data: int) -> None:
        self._wire = wire
        self._fid = data
        self._buffer = bytearray()
        self._asked: set[int] = set()
        self._news = asyncio.Event()
        self._offset = 0
        self._eof = False
        self._error: NetError | None = None
        self._ask()

    async def read(self, n: int = -1) -> bytes:
        """Up to `n` bytes, at least one before the end; all of them if `n` is negative."""
        if n < 0:
            while not self._ended():
                await self._more(len(self._buffer) + 1)
            return self._take(len(self._buffer))
        while n > 0 and not self._buffer and not self._ended():
            await self._more()
        return self._take(min(n, len(self._buffer)))

    async def readexactly(self, n: int) -> bytes:
        """Exactly `n` bytes. Errors: `asyncio.IncompleteReadError` at an earlier end."""
        while len(self._buffer) < n:
            if self._ended():
                raise asyncio.IncompleteReadError(self._take(len(self._buffer)), n)
            await self._more(n)
        return self._take(n)

    async def readline(self) -> bytes:
        """A line with its newline, or what is left at the end."""
        try:
            return await self.readuntil(b"\n")
        except asyncio.IncompleteReadError as short:
            return short.partial

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        """Everything up to and with the separator.

        Errors: `asyncio.IncompleteReadError`, `asyncio.LimitOverrunError` beyond 1 MiB.
        """
        searched = 0
        while (at := self._buffer.find(separator, searched)) < 0:
            if self._ended():
                raise asyncio.IncompleteReadError(self._take(len(self._buffer)), None)
            if len(self._buffer) > LINE_LIMIT:
                raise asyncio.LimitOverrunError("no separator in sight", len(self._buffer))
            searched = max(0, len(self._buffer) - len(separator) + 1)
            await self._more(len(self._buffer) + 1)
        return self._take(at + len(separator))

    def at_eof(self) -> bool:
        """Whether the end has come and every byte has been read."""
        return self._eof and not self._buffer

    def stop(self) -> None:
        """Ask for no more: the conversation is being closed."""
        self._eof = True
        self._news.set()

    def _ended(self) -> bool:
        if self._error is not None and not self._buffer:
            raise self._error
        return self._eof or self._error is not None

    async def _more(self, wanted: int = 0) -> None:
        self._ask(wanted)
        self._news.clear()
        await self._news.wait()

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._ask()
        return taken

    def _ask(self, wanted: int = 0) -> None:
        """Keep the window full while there is room in the buffer."""
        reads = READS if self._wire.windowed else 1
        count = min(READ_COUNT, self._wire.msize - IOHDRSZ)
        room = len(self._buffer) < max(LIMIT, wanted)
        while room and len(self._asked) < reads and not self._eof and self._error is None:
            try:
                number = self._wire.submit(m.Tread(self._fid, self._offset, count), self._got)
            except NetError as error:
                self._fail(error)
                return
            self._asked.add(number)

    def _got(self, outcome: Completion) -> None:
        self._asked.discard(outcome.id)
        match outcome.message:
            case m.Rread(data=data) if len(data) > 0:
                if self._eof:
                    return
                self._buffer += data
                self._offset += len(data)
                self._ask()
            case m.Rread():
                self._eof = True
            case m.Rerror(ename=text, errno=number):
                self._fail(NetError(text, number or None))
            case _:
                self._fail(NetError(outcome.error or "i/o on hungup channel"))
        self._news.set()

    def _fail(self, error: NetError) -> None:
        if not self._eof and self._error is None:
            self._error = error
        self._news.set()


class Writer:
    """The way to the other end; the methods of `asyncio.StreamWriter`."""

    def __init__(self, wire: Wire, ctl: int, data: int, reader: Reader, peer: PeerName) -> None:
        self._wire = wire
        self._ctl = ctl
        self._fid = data
        self._reader = reader
        self._peer = peer
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._sent = 0
        self._offset = 0
        self._moved = asyncio.Event()
        self._error: NetError | None = None
        self._eof_asked = False
        self._closed: asyncio.Future[None] | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Queue bytes; `drain` waits for room. Errors: `NetError` after write_eof or a failure."""
        if self._eof_asked or self._closed is not None:
            raise NetError("i/o on hungup channel")
        view = memoryview(data).cast("B")
        step = self._wire.msize - IOHDRSZ
        for start in range(0, len(view), step):
            self._queue.append(bytes(view[start : start + step]))
        self._queued += len(view)
        self._send()

    def writelines(self, data: list[bytes]) -> None:
        """Queue several."""
        self.write(b"".join(data))

    async def drain(self) -> None:
        """Wait until less than 1 MiB is neither sent nor answered. Errors: `NetError`."""
        await self._until(LIMIT)

    def can_write_eof(self) -> bool:
        """Whether this direction can end alone: yes, by `shutdown write` on ctl."""
        return True

    def write_eof(self) -> None:
        """End this direction behind what was written; reading goes on."""
        if not self._eof_asked:
            self._eof_asked = True
            self._send()

    def close(self) -> None:
        """Write what is queued, then hang up."""
        if self._closed is None:
            self._closed = asyncio.ensure_future(self._finish())

    def is_closing(self) -> bool:
        """Whether `close` was called."""
        return self._closed is not None

    async def wait_closed(self) -> None:
        """Wait until what was queued is written and the fids are given back."""
        if self._closed is not None:
            await asyncio.shield(self._closed)

    def get_extra_info(self, name: str, default: object = None) -> object:
        """`peername`: the address and port of the other end, as the gateway sees it."""
        return self._peer if name == "peername" else default

    async def _finish(self) -> None:
        with contextlib.suppress(NetError):
            await self._until(1)
        self._reader.stop()
        self._wire.clunk(self._fid)
        self._wire.clunk(self._ctl)

    async def _until(self, less: int) -> None:
        while self._error is None and self._queued + self._sent >= less:
            self._moved.clear()
            await self._moved.wait()
        if self._error is not None:
            raise self._error

    def _send(self) -> None:
        window = WINDOW if self._wire.windowed else 1
        try:
            while self._queue and self._sent + len(self._queue[0]) <= max(
                window, len(self._queue[0])
            ):
                if not self._wire.windowed and self._sent:
                    return
                piece = self._queue.popleft()
                self._queued -= len(piece)
                self._sent += len(piece)
                self._wire.submit(
                    m.Twrite(self._fid, self._offset, piece),
                    lambda outcome, piece=piece: self._took(outcome, piece),  # type: ignore[misc]
                )
                self._offset += len(piece)
            if self._eof_asked and not self._queue and not self._sent:
                half = m.Twrite(self._ctl, 0, b"shutdown write")
                self._wire.submit(half, lambda _: None)
        except NetError as error:
            self._fail(error)

    def _took(self, outcome: Completion, piece: bytes) -> None:
        self._sent -= len(piece)
        match outcome.message:
            case m.Rwrite(count=count) if count == len(piece):
                self._send()
            case m.Rwrite(count=count) if not self._wire.windowed:
                self._queue.appendleft(piece[count:])
                self._queued += len(piece) - count
                self._offset -= len(piece) - count
                self._send()
            case m.Rerror(ename=text, errno=number):
                self._fail(NetError(text, number or None))
            case _:
                self._fail(NetError(outcome.error or "i/o on hungup channel"))
        self._moved.set()

    def _fail(self, error: NetError) -> None:
        self._error = self._error or error
        self._queue.clear()
        self._queued = 0
        self._moved.set()
