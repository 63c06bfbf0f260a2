"""The data file of a conversation as a pair shaped like asyncio's StreamReader and StreamWriter.

On a gateway of ours several Treads and Twrites are outstanding (`netrelay.window` says how many),
so a stream is as fast over a long line as over a short one; on any other server one of each.
Replies arrive by callback, in order; a coroutine that is cancelled while it waits for bytes
takes none of them away. No byte that was written is lost in silence: `drain`, the next `write` or
`wait_closed` says so.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

from netrelay import messages as m
from netrelay.errors import NetError
from netrelay.types import IOHDRSZ
from netrelay.window import FULL, TWRITES, ReadWindow, write_room

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netrelay.client.wire import Wire
    from netrelay.types import Completion

# The window opens to 32 of these, 4 MiB: 100 ms of round trip at 320 Mbit/s.
READ_COUNT = 128 << 10
# Bytes that a reader asks for before anybody takes them, and a writer queues before `drain` waits.
READ_LIMIT = 4 << 20
LIMIT = 1 << 20
LINE_LIMIT = 1 << 20
HUNGUP = "i/o on hungup channel"
PeerName = tuple[str, int]


class Reader:
    """The bytes that the other end sends; the methods of `asyncio.StreamReader`."""

    def __init__(self, wire: Wire, data: int) -> None:
        self._wire = wire
        self._fid = data
        self._buffer = bytearray()
        # Treads outstanding, and the bytes that each may bring.
        self._asked: dict[int, int] = {}
        self._window = ReadWindow(min(READ_COUNT, wire.msize - IOHDRSZ), windowed=wire.windowed)
        self._waiting = 0
        self._news = asyncio.Event()
        self._offset = 0
        self._eof = False
        self._error: NetError | None = None
        self._ask()

    async def read(self, n: int = -1) -> bytes:
        """Up to `n` bytes, at least one before the end; all of them if `n` is negative.

        Errors: `NetError` behind the last byte, when the call did not end in order.
        """
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

    def __aiter__(self) -> Self:
        """Lines, one after the other."""
        return self

    async def __anext__(self) -> bytes:
        """The next line; ends when `readline` would give none."""
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line

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
        if self._wire.reading >= FULL and not self._asked:
            # That many wait for bytes elsewhere: what is left is for those who send some.
            raise NetError("too many requests")
        self._waiting += 1
        try:
            self._ask(wanted)
            self._news.clear()
            await self._news.wait()
        finally:
            self._waiting -= 1

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._ask()
        return taken

    def _ask(self, wanted: int = 0) -> None:
        """Keep the window full while there is room in the buffer."""
        reads = self._window.wanted
        if self._wire.full and self._waiting and not self._asked:
            self._wire.when_relieved(self._ask)
            return
        if self._wire.crowded:
            reads = min(self._waiting, 1)
        count = self._window.count()
        most = max(READ_LIMIT, wanted)
        under_way = len(self._buffer) + sum(self._asked.values())
        while len(self._asked) < reads and under_way < most:
            if self._eof or self._error is not None:
                return
            try:
                number = self._wire.submit(m.Tread(self._fid, self._offset, count), self._got)
            except NetError as error:
                self._fail(error)
                return
            self._asked[number] = count
            self._wire.reading += 1
            under_way += count

    def _got(self, outcome: Completion) -> None:
        del self._asked[outcome.id]
        self._wire.reading -= 1
        match outcome.message:
            case m.Rread(data=data) if len(data) > 0:
                if self._eof:
                    return
                self._window.replied(len(data))
                self._buffer += data
                self._offset += len(data)
                if not self._wire.crowded:  # where it is, who needs more asks for it
                    self._ask()
            case m.Rread():
                self._eof = True
            case m.Rerror(ename=text, errno=number):
                self._fail(NetError(text, number or None))
            case _:
                self._fail(NetError(outcome.error or HUNGUP))
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
        self.peer = peer
        self._queue = bytearray()
        # Twrites outstanding, and their bytes.
        self._asked = 0
        self._sent = 0
        self._offset = 0
        self._moved = asyncio.Event()
        self._error: NetError | None = None
        self._eof_asked = False
        self._closed: asyncio.Future[None] | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Queue bytes; `drain` waits for room. Errors: `NetError` after write_eof or a failure."""
        if self._error is not None:
            raise self._error
        if self._eof_asked or self._closed is not None:
            raise NetError(HUNGUP)
        self._queue += data
        self._send()

    def writelines(self, data: Iterable[bytes | bytearray | memoryview]) -> None:
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
        """Write what is queued, then hang up; if some of it can't be written, with a reset."""
        if self._closed is None:
            self._closed = asyncio.ensure_future(self._finish())

    def is_closing(self) -> bool:
        """Whether `close` was called."""
        return self._closed is not None

    async def wait_closed(self) -> None:
        """Wait until what was queued is written and the fids are given back.

        Errors: `NetError` when some of it could not be written.
        """
        if self._closed is not None:
            await asyncio.shield(self._closed)
            if self._error is not None:
                raise self._error

    def get_extra_info(self, name: str, default: object = None) -> object:
        """`peername`: the address and port of the other end, as the gateway sees it."""
        return self.peer if name == "peername" else default

    async def _finish(self) -> None:
        with contextlib.suppress(NetError):
            await self._until(1)
        self._reader.stop()
        if self._error is not None:
            # A FIN would tell the other end that it has everything.
            with contextlib.suppress(NetError):
                self._wire.submit(m.Twrite(self._ctl, 0, b"hangup"), lambda _: None)
        self._wire.clunk(self._fid)
        self._wire.clunk(self._ctl)

    async def _until(self, less: int) -> None:
        while self._error is None and len(self._queue) + self._sent >= less:
            self._moved.clear()
            await self._moved.wait()
        if self._error is not None:
            raise self._error

    def _send(self) -> None:
        if self._error is not None:
            return
        try:
            while self._queue and (room := self._room()):
                piece = bytes(self._queue[:room])
                del self._queue[:room]
                self._asked += 1
                self._sent += len(piece)
                self._wire.write(self._fid, self._offset, piece, self._took)
                self._offset += len(piece)
            if self._queue and not self._asked:
                self._wire.when_relieved(self._send)
            if self._eof_asked and not self._queue and not self._sent:
                half = m.Twrite(self._ctl, 0, b"shutdown write")
                self._wire.submit(half, lambda _: None)
        except NetError as error:
            self._fail(error)

    def _room(self) -> int:
        if self._wire.full or self._asked >= (1 if self._wire.crowded else TWRITES):
            return 0
        return write_room(
            self._sent,
            self._wire.unanswered,
            iounit=self._wire.msize - IOHDRSZ,
            windowed=self._wire.windowed,
        )

    def _took(self, outcome: Completion, piece: bytes) -> None:
        self._asked -= 1
        self._sent -= len(piece)
        match outcome.message:
            case m.Rwrite(count=count) if count == len(piece):
                self._send()
            case m.Rwrite(count=count) if not self._wire.windowed:
                self._queue[:0] = piece[count:]
                self._offset -= len(piece) - count
                self._send()
            case m.Rerror(ename=text, errno=number):
                self._fail(NetError(text, number or None))
            case _:
                self._fail(NetError(outcome.error or HUNGUP))
        self._moved.set()

    def _fail(self, error: NetError) -> None:
        self._error = self._error or error
        self._queue.clear()
        self._moved.set()
