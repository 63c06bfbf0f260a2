"""asyncio for dnspython, with sockets that a stack made."""

# ruff: noqa: ASYNC109 (dnspython's signatures)
from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, TypeVar

# dnspython documents these under dns.asyncbackend, which does not declare them.
from dns._asyncbackend import Backend, DatagramSocket, Socket, StreamSocket
from dns.exception import Timeout

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from netrelay.stacks import StackSockets

T = TypeVar("T")
_End = tuple[str, int]


class StackBackend(Backend):
    """asyncio for dnspython, with sockets that the stack made."""

    def __init__(self, sockets: StackSockets) -> None:
        self._sockets = sockets

    def name(self) -> str:
        """What dnspython calls it."""
        return "asyncio"

    async def make_socket(  # noqa: PLR0917 (dnspython's signature)
        self,
        af: int,
        socktype: int,
        proto: int = 0,
        source: object = None,
        destination: _End = ("", 0),
        timeout: float | None = None,
        ssl_context: object = None,
        server_hostname: object = None,
    ) -> Socket:
        """A socket of the stack, connected if it is a stream."""
        sock = self._sockets.make(af, socktype, proto)
        try:
            if self._sockets.address is not None:
                sock.bind((str(self._sockets.address), 0))
            if socktype == socket.SOCK_DGRAM:
                return _Datagrams(sock)
            connecting = asyncio.get_running_loop().sock_connect(sock, destination)
            await _bounded(connecting, timeout)
            return _Stream(sock)
        except BaseException:
            sock.close()
            raise

    async def sleep(self, interval: float) -> None:
        """Wait so many seconds."""
        await asyncio.sleep(interval)

    async def wait_for(self, awaitable: Awaitable[T], timeout: float | None) -> T:
        """Bound it in time."""
        return await _bounded(awaitable, timeout)


async def _bounded(awaitable: Awaitable[T], timeout: float | None) -> T:
    try:
        return await asyncio.wait_for(awaitable, timeout)
    except TimeoutError:
        raise Timeout from None


class _Datagrams(DatagramSocket):
    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock.family, socket.SOCK_DGRAM)
        self._sock = sock

    async def sendto(self, what: bytes, destination: _End, timeout: float | None) -> int:
        sending = asyncio.get_running_loop().sock_sendto(self._sock, what, destination)
        return await _bounded(sending, timeout)

    async def recvfrom(self, size: int, timeout: float | None) -> tuple[bytes, _End]:
        receiving = asyncio.get_running_loop().sock_recvfrom(self._sock, size)
        return await _bounded(receiving, timeout)

    async def close(self) -> None:
        self._sock.close()


class _Stream(StreamSocket):
    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock.family, socket.SOCK_STREAM)
        self._sock = sock

    async def sendall(self, what: bytes, timeout: float | None) -> None:
        await _bounded(asyncio.get_running_loop().sock_sendall(self._sock, what), timeout)

    async def recv(self, size: int, timeout: float | None) -> bytes:
        return await _bounded(asyncio.get_running_loop().sock_recv(self._sock, size), timeout)

    async def close(self) -> None:
        self._sock.close()
