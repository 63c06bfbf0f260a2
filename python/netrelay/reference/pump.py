"""A pump of the import side: bytes between a local socket and a conversation, both ways.

A busy stream keeps several requests outstanding where the server has promised to carry them out in
order, and one elsewhere (`netrelay.window` says how many). What the local side sends beyond that is
held, one piece of it, and the rest not read: its sender feels it. Halves end on their own: the
local end becomes `shutdown write`, the remote end closes our direction of the local socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, Final

from netrelay import messages as m
from netrelay.errors import NetrelayError
from netrelay.reference.calls import Calls, Refusal, unrefused
from netrelay.types import IOHDRSZ
from netrelay.window import TWRITES, ReadWindow, write_room

if TYPE_CHECKING:
    from collections.abc import Callable

# Bytes asked or sent, the tag, and what becomes of it.
_Pending = tuple[int, int, "asyncio.Future[m.Message | None]"]
_CHUNK: Final = 256 << 10
_ABORT: Final = struct.pack("ii", 1, 0)


class Pump:
    """One local socket and one conversation, until both directions have ended."""

    def __init__(
        self,
        calls: Calls,
        count: Callable[[str, int], None],
        local: socket.socket,
        ctl: int,
        data: int,
    ) -> None:
        self.bytes_up = self.bytes_down = 0
        self.error: str | None = None
        self._calls = calls
        self._count = count
        self._local = local
        self._ctl = ctl
        self._data = data
        self._outstanding = 0
        self._iounit = min(calls.session.msize - IOHDRSZ, _CHUNK)
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Pump; both fids are clunked and the local socket is closed when it returns."""
        halves = [self._loop.create_task(half) for half in (self._up(), self._down())]
        try:
            done, _ = await asyncio.wait(halves, return_when=asyncio.FIRST_EXCEPTION)
            failed = [half.exception() for half in done]
            for why in filter(None, failed):
                if not isinstance(why, NetrelayError | OSError):
                    raise why
                self.error = self.error or _text(why)
                await self._break()
        except asyncio.CancelledError:
            self.error = "interrupted"
            await self._break()
        finally:
            for half in halves:
                half.cancel()
            await asyncio.gather(*halves, return_exceptions=True)
            self._local.close()
            await self._calls.clunk(self._data, self._ctl)

    async def _up(self) -> None:
        """Local bytes become Twrites; the end of them, `shutdown write`."""
        window: deque[_Pending] = deque()
        try:
            while data := await self._loop.sock_recv(self._local, self._iounit):
                await self._send(memoryview(data), window)
            while window:
                await self._written(window)
        except Refusal as why:
            # The remote takes no more; what it still says is delivered.
            self.error = self.error or why.text
            await self._flush(window)
            while await self._loop.sock_recv(self._local, self._iounit):
                pass
        except BaseException:
            await self._flush(window)
            raise
        with contextlib.suppress(Refusal):
            await self._calls.ask(m.Twrite(self._ctl, 0, b"shutdown write"))

    async def _send(self, data: memoryview, window: deque[_Pending]) -> None:
        """Send one piece, in as many Twrites as there is room for when its turn comes."""
        while data:
            room = await self._room(window)
            piece, data = bytes(data[:room]), data[room:]
            window.append((len(piece), *self._calls.write(self._data, self.bytes_up, piece)))
            self._outstanding += len(piece)
            self.bytes_up += len(piece)
            self._count("bytes_up", len(piece))

    async def _room(self, window: deque[_Pending]) -> int:
        """Bytes that the next Twrite may carry; waits for answers until there is room."""
        while True:
            while window and window[0][2].done():
                await self._written(window)
            if len(window) < (1 if self._calls.crowded else TWRITES):
                room = write_room(
                    self._outstanding,
                    self._calls.unanswered,
                    iounit=self._iounit,
                    windowed=self._calls.session.windowed,
                )
                if room:
                    return room
            if window:
                await self._written(window)
            else:
                await self._calls.relief()

    async def _written(self, window: deque[_Pending]) -> None:
        size, _, answered = window[0]
        reply = unrefused(await asyncio.shield(answered))
        window.popleft()
        self._outstanding -= size
        if isinstance(reply, m.Rwrite) and reply.count < size:
            raise Refusal("short write")

    async def _down(self) -> None:
        """Treads become local bytes; no bytes are the end."""
        window: deque[_Pending] = deque()
        reads = ReadWindow(self._iounit, windowed=self._calls.session.windowed)
        try:
            while True:
                while len(window) < (1 if self._calls.crowded else reads.wanted):
                    count = reads.count()
                    message = m.Tread(self._data, self.bytes_down, count)
                    window.append((count, *self._calls.begin(message)))
                reply = unrefused(await asyncio.shield(window[0][2]))
                window.popleft()
                data = bytes(reply.data) if isinstance(reply, m.Rread) else b""
                if not data:
                    break
                reads.replied(len(data))
                self.bytes_down += len(data)
                self._count("bytes_down", len(data))
                await self._loop.sock_sendall(self._local, data)
        finally:
            await self._flush(window)
        with contextlib.suppress(OSError):  # it may have gone already
            self._local.shutdown(socket.SHUT_WR)

    async def _flush(self, window: deque[_Pending]) -> None:
        """Take back what is outstanding and wait until it is."""
        for _, tag, answered in window:
            if not answered.done():
                self._calls.flush(tag)
        for _, _, answered in window:
            with contextlib.suppress(Refusal):
                await answered
        window.clear()

    async def _break(self) -> None:
        """One side is broken: reset the other."""
        with contextlib.suppress(OSError):
            self._local.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        with contextlib.suppress(NetrelayError):
            await self._calls.ask(m.Twrite(self._ctl, 0, b"hangup"))


def _text(why: BaseException) -> str:
    return why.text if isinstance(why, Refusal) else "local side hung up"
