"""The other end of the gateway's calls: sockets of this machine, which a check makes and looks at.

The gateway calls a `Listener` and sends to a `Datagrams`; a `Call` is one TCP connection, either
way round. Everything is on the address that the suite was told (or found) the gateway to reach,
and is closed by the stage. No protocol is spoken: bytes and ends are what checks are about.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
from typing import TYPE_CHECKING, Self, TypeVar

from netrelay.conform.claims import Failed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

_R = TypeVar("_R")

PIECE = 64 << 10
RESET = "a reset"

Address = tuple[str, int]


class Call:
    """One TCP connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self.ours: Address = sock.getsockname()[:2]
        self.theirs: Address = sock.getpeername()[:2]

    @classmethod
    async def to(cls, host: str, port: int) -> Self:
        """Call a port. Errors: `OSError`."""
        sock = _socket(host, socket.SOCK_STREAM)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (host, port))
            return cls(sock)
        except BaseException:
            sock.close()
            raise

    async def send(self, data: bytes) -> None:
        """Send everything. Errors: `OSError`."""
        await self._loop.sock_sendall(self._sock, data)

    async def receive(self, count: int = PIECE) -> bytes | str:
        """What has come, nothing at the end, or `RESET`."""
        try:
            return await self._loop.sock_recv(self._sock, count)
        except ConnectionResetError:
            return RESET

    async def exactly(self, count: int) -> bytes:
        """That many bytes. Errors: `Failed` when the connection ends before."""
        got = bytearray()
        while len(got) < count:
            piece = await self.receive(count - len(got))
            if not piece or isinstance(piece, str):
                raise Failed(
                    f"{count} bytes at the peer", f"{piece or 'the end'} behind {len(got)}"
                )
            got += piece
        return bytes(got)

    async def end(self) -> bytes | str:
        """What is left when the other end has closed: empty, `RESET`, or bytes nobody expected."""
        return await self.receive(1)

    def close(self) -> None:
        """Close in an orderly way: the other end reads the end."""
        self._sock.close()

    def shut(self) -> None:
        """End our direction and go on reading."""
        self._sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close by a reset, as a host does that has lost its state."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()


class Listener:
    """A port where the gateway can call."""

    def __init__(self, host: str, *, backlog: int = 128) -> None:
        self._sock = _bound(host, socket.SOCK_STREAM)
        self._sock.listen(backlog)
        self._loop = asyncio.get_running_loop()
        self._calls: list[Call] = []
        self.port: int = self._sock.getsockname()[1]

    async def accept(self) -> Call:
        """The next call."""
        sock, _ = await self._loop.sock_accept(self._sock)
        call = Call(sock)
        self._calls.append(call)
        return call

    def close(self) -> None:
        """Close the port and every call that came to it."""
        self._sock.close()
        for call in self._calls:
            call.close()


class Nowhere:
    """A port that is taken and where nobody listens: calls are refused, by nobody's chance."""

    def __init__(self, host: str) -> None:
        self._sock = _bound(host, socket.SOCK_STREAM)
        self.port: int = self._sock.getsockname()[1]

    def close(self) -> None:
        """Free the port."""
        self._sock.close()


class Silence:
    """A port that answers no call: its queue is full, so that further calls wait for an answer."""

    def __init__(self, host: str) -> None:
        self._sock = _bound(host, socket.SOCK_STREAM)
        # Linux takes one call more than the backlog, and drops the rest unanswered.
        self._sock.listen(0)
        self.port: int = self._sock.getsockname()[1]
        self._filler = _socket(host, socket.SOCK_STREAM)

    async def fill(self, host: str) -> None:
        """Place the one call that fits."""
        await asyncio.get_running_loop().sock_connect(self._filler, (host, self.port))

    def close(self) -> None:
        """Close both ends."""
        self._filler.close()
        self._sock.close()


class Datagrams:
    """A UDP port."""

    def __init__(self, host: str) -> None:
        self._sock = _bound(host, socket.SOCK_DGRAM)
        self._loop = asyncio.get_running_loop()
        self.port: int = self._sock.getsockname()[1]

    async def receive(self) -> tuple[bytes, Address]:
        """The next datagram and where it came from."""
        # Not every loop has sock_recvfrom: uvloop lacks it.
        while True:
            try:
                data, where = self._sock.recvfrom(PIECE)
            except BlockingIOError:
                readable = self._loop.create_future()
                self._loop.add_reader(self._sock, _settle, readable)
                try:
                    await readable
                finally:
                    self._loop.remove_reader(self._sock)
            else:
                return data, where[:2]

    def send(self, data: bytes, where: Address) -> None:
        """Send one datagram; a queue that is full loses it, as datagrams are lost."""
        self._sock.sendto(data, where)

    def close(self) -> None:
        """Close the port."""
        self._sock.close()


@contextlib.asynccontextmanager
async def beside(work: Coroutine[object, object, _R]) -> AsyncIterator[asyncio.Task[_R]]:
    """Do something while the body runs; what is not done at its end is dropped."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _socket(host: str, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, kind)
    sock.setblocking(False)
    return sock


def _bound(host: str, kind: socket.SocketKind) -> socket.socket:
    sock = _socket(host, kind)
    try:
        sock.bind((host, 0))
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:
            sock.close()
            raise
        # The gateway knows this machine by an address that is translated on the way.
        sock.bind(("", 0))
    return sock


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
