"""A file of the gateway's, opened: reads and writes at an offset that moves as a program's would.

The offset is kept as read(2) and write(2) keep it: ctl ignores it, cs needs it to go back to 0.
Large transfers are cut to msize. No piece of a read is asked for ahead of the one before, since
a short read may be all there is: `streams` does that, for conversations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from netrelay import messages as m
from netrelay.types import IOHDRSZ

if TYPE_CHECKING:
    from types import TracebackType

    from netrelay.client.wire import Wire
    from netrelay.types import Qid, Stat


class File:
    """An open fid; `async with` clunks it."""

    def __init__(self, wire: Wire, fid: int, qid: Qid) -> None:
        self._wire = wire
        self._open = True
        self._kept = b""
        self.fid = fid
        self.qid = qid
        self.offset = 0

    async def __aenter__(self) -> Self:
        """Nothing to do: it is open."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Clunk the fid."""
        self.close()

    async def read(self, count: int = -1) -> bytes:
        """Read up to `count` bytes in one Tread; everything up to the end if it is negative.

        Blocks as long as the file does. Errors: `NetError`. Cancelled, no byte is lost: what the
        server had sent already is returned by the next read.
        """
        if count >= 0:
            return await self._piece(count)
        pieces = []
        while piece := await self._piece(self._payload):
            pieces.append(piece)
        return b"".join(pieces)

    async def write(self, data: bytes | bytearray | memoryview) -> int:
        """Write everything, in as many Twrites as msize asks for; returns the bytes taken.

        Errors: `NetError`.
        """
        view = memoryview(data).cast("B")
        done = 0
        while True:
            piece = bytes(view[done : done + self._payload])
            reply = await self._wire.rpc(m.Twrite(self.fid, self.offset, piece), m.Rwrite)
            self.offset += reply.count
            done += reply.count
            if done >= len(view) or reply.count == 0:
                return done

    def seek(self, offset: int) -> None:
        """Go to a byte counted from the start."""
        self.offset = offset
        self._kept = b""

    async def stat(self) -> Stat:
        """The stat record (stat(5))."""
        return (await self._wire.rpc(m.Tstat(self.fid), m.Rstat)).stat

    def close(self) -> None:
        """Clunk the fid, once; the answer is not waited for."""
        if self._open:
            self._open = False
            self._wire.clunk(self.fid)

    def detach(self) -> int:
        """Give the fid away: `close` leaves it alone from now on."""
        self._open = False
        return self.fid

    @property
    def _payload(self) -> int:
        return self._wire.msize - IOHDRSZ

    async def _piece(self, count: int) -> bytes:
        if self._kept:
            data, self._kept = self._kept[:count], self._kept[count:]
        else:
            message = m.Tread(self.fid, self.offset, min(count, self._payload))
            reply = await self._wire.rpc(message, m.Rread, late=self._keep)
            data = bytes(reply.data)
        self.offset += len(data)
        return data

    def _keep(self, reply: m.Rread) -> None:
        self._kept = bytes(reply.data)
