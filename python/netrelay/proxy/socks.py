"""SOCKS5 (RFC 1928) in front of an imported network: CONNECT, without authentication.

Names go to the gateway as they are and are resolved there. A client has a limited time for its
greeting and request, and each is read by its exact length, so that nothing that follows is
swallowed. Reply codes come from the words of the gateway's refusal.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
from typing import TYPE_CHECKING, Final

from netrelay.errors import NetError
from netrelay.names.dialstring import Dial
from netrelay.proxy import pumps

if TYPE_CHECKING:
    from types import TracebackType

    from netrelay.client.session import Session

HANDSHAKE_S = 10.0
FAREWELL_S = 1.0
VERSION = 5
NO_AUTH = 0
NO_METHOD = 0xFF
CONNECT = 1

SUCCEEDED, FAILURE, NOT_ALLOWED, NET_UNREACHABLE = 0, 1, 2, 3
HOST_UNREACHABLE, REFUSED, TTL_EXPIRED, BAD_COMMAND, BAD_ADDRESS = 4, 5, 6, 7, 8
# Words of a refusal, in the order in which they are looked for.
_CODES: Final = (
    ("refused", REFUSED),
    ("permission denied", NOT_ALLOWED),
    ("no route", NET_UNREACHABLE),
    ("timed out", HOST_UNREACHABLE),
    ("host unreachable", HOST_UNREACHABLE),
    ("translate", HOST_UNREACHABLE),
)


class Kind(enum.IntEnum):
    """How the address of a request is written."""

    IPV4 = 1
    DOMAIN = 3
    IPV6 = 4


class Refused(Exception):  # noqa: N818 (a reply of the protocol, not a fault of ours)
    """The client asked for something we don't do; `reply` is what it is told."""

    def __init__(self, reply: bytes) -> None:
        super().__init__(reply)
        self.reply = reply


class Socks:
    """A SOCKS5 server on a local port while the block lasts.

    Errors on construction: `NetError` when the local port can't be had.
    """

    def __init__(
        self, session: Session, host: str, port: int, *, handshake_s: float = HANDSHAKE_S
    ) -> None:
        self._session = session
        self._handshake_s = handshake_s
        self._listener = pumps.Listener(host, port, self._serve)

    @property
    def address(self) -> tuple[str, int]:
        """The local address and port."""
        return self._listener.host, self._listener.port

    async def __aenter__(self) -> Socks:
        """Begin to accept."""
        await self._listener.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop accepting."""
        await self._listener.__aexit__(kind, error, traceback)

    async def _serve(self, call: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._handshake_s):
                wanted = await _handshake(call)
        except Refused as refused:
            await _farewell(call, refused.reply)
            return
        except (EOFError, TimeoutError):
            return
        try:
            ctl, data = await pumps.dial(self._session, wanted)
        except NetError as error:
            await loop.sock_sendall(call, reply(code_of(error.text)))
            raise
        try:
            await loop.sock_sendall(call, reply(SUCCEEDED))
        except BaseException:
            self._session.wire.clunk(data)
            self._session.wire.clunk(ctl)
            raise
        await pumps.pump(self._session, ctl, data, call)


def code_of(text: str) -> int:
    """The reply code that says what the gateway's text says."""
    return next((code for words, code in _CODES if words in text), FAILURE)


def reply(code: int) -> bytes:
    """A reply; the bound address is left out (zeros), as the gateway's is none of the client's."""
    return bytes((VERSION, code, 0, Kind.IPV4)) + bytes(6)


async def _handshake(call: socket.socket) -> Dial:
    """Greeting and request: where the client wants to go. Errors: `Refused`, `EOFError`."""
    version, methods = await _exactly(call, 2)
    if version != VERSION:
        raise Refused(b"")
    if NO_AUTH not in await _exactly(call, methods):
        raise Refused(bytes((VERSION, NO_METHOD)))
    await asyncio.get_running_loop().sock_sendall(call, bytes((VERSION, NO_AUTH)))
    version, command, _, kind = await _exactly(call, 4)
    if version != VERSION:
        raise Refused(reply(FAILURE))
    host = await _address(call, kind)
    port = int.from_bytes(await _exactly(call, 2), "big")
    if command != CONNECT:
        raise Refused(reply(BAD_COMMAND))
    return Dial("tcp", host, str(port))


async def _farewell(call: socket.socket, last: bytes) -> None:
    """Send the last words and wait a little for the client's end.

    Closing with unread bytes would reset the connection, and the client might never see them.
    """
    loop = asyncio.get_running_loop()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FAREWELL_S):
            await loop.sock_sendall(call, last)
            call.shutdown(socket.SHUT_WR)
            while await loop.sock_recv(call, 4096):
                pass


async def _address(call: socket.socket, kind: int) -> str:
    match kind:
        case Kind.IPV4:
            return socket.inet_ntop(socket.AF_INET, await _exactly(call, 4))
        case Kind.IPV6:
            return socket.inet_ntop(socket.AF_INET6, await _exactly(call, 16))
        case Kind.DOMAIN:
            (length,) = await _exactly(call, 1)
            name = await _exactly(call, length)
            # A `!` or a blank would change the meaning of the query that the name goes into.
            if not name or not name.isascii() or any(char in b"!/ \t\r\n\0" for char in name):
                raise Refused(reply(FAILURE))
            return name.decode()
    raise Refused(reply(BAD_ADDRESS))


async def _exactly(call: socket.socket, count: int) -> bytes:
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < count:
        piece = await loop.sock_recv(call, count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data
