"""9P over IL: a stream socket's session on an IL conversation, as the original carried it.

A core serves and uses stream sockets. A carrier holds the other end of one and moves what comes
from either side: a 9P message is one IL message, as programs of IL's time expect, or as few as it
fits in. What one side has no room for is not taken from the other. Python carries every byte here:
IL is for who has nothing else, and no way to be fast.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final

from netrelay import hosts
from netrelay.errors import NetError
from netrelay.il import ports, sockets
from netrelay.il.end import End
from netrelay.il.machine import MAX_MESSAGE
from netrelay.stacks import StackSockets
from netrelay.types import IlClosed, IlConnected, IlMessage

if TYPE_CHECKING:
    from ipaddress import IPv4Address

    from netrelay.il.machine import IlFactory

_SIZE: Final = 4
# As much of what is to be sent is taken before there is room for it.
_AHEAD: Final = 2 * MAX_MESSAGE


class Carrier:
    """Owns `end` and `sock` until both are over, which `closed` tells."""

    def __init__(self, end: End, sock: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = end
        self._sock = sock
        self._sock.setblocking(False)
        self.closed: asyncio.Future[None] = self._loop.create_future()
        # Of the message that goes to the socket, what it had no room for.
        self._late = memoryview(b"")
        # What has come from the socket, and how much of its first 9P message is to be sent.
        self._taken = bytearray()
        self._left = 0
        self._reading = False
        self._finished = False
        self._socket_open = True
        self._gone_before = end.over
        end.over = self._end_is_over
        end.woken = self._work
        self._work()

    def close(self) -> None:
        """Hang up, once what was sent has arrived; returns at once."""
        self._close_socket()
        self._end.close()

    def abandon(self) -> None:
        """Stop now, without a word to the other side."""
        self._close_socket()
        self._end.abandon()

    def _work(self) -> None:
        if self._socket_open:
            self._deliver()
        if self._socket_open:
            self._send()

    def _deliver(self) -> None:
        """From the conversation to the socket."""
        while not self._late and (event := self._end.next()) is not None:
            match event:
                case IlMessage(data):
                    self._late = memoryview(data)
                    self._put()
                case IlClosed():
                    self._close_socket()
                    return
                case IlConnected():
                    pass

    def _put(self) -> None:
        try:
            self._late = self._late[self._sock.send(self._late) :]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        if self._late:
            self._loop.add_writer(self._sock, self._room)

    def _room(self) -> None:
        self._loop.remove_writer(self._sock)
        self._put()
        self._work()

    def _send(self) -> None:
        """From the socket to the conversation."""
        try:
            while (piece := self._piece()) and self._end.send(piece):
                del self._taken[: len(piece)]
                self._left -= len(piece)
        except NetError:  # it is over, or will be, which an event tells
            piece = None
        if self._finished and not piece:
            self.close()
            return
        reading = not self._finished and len(self._taken) < _AHEAD
        if reading != self._reading:
            self._reading = reading
            if reading:
                self._loop.add_reader(self._sock, self._take)
            else:
                self._loop.remove_reader(self._sock)

    def _piece(self) -> bytes | None:
        """What goes next: a 9P message, or as much of it as fits; nothing before it is there."""
        if not self._left:
            if len(self._taken) < _SIZE:
                return None
            self._left = max(_SIZE, int.from_bytes(self._taken[:_SIZE], "little"))
        size = min(self._left, MAX_MESSAGE)
        return bytes(self._taken[:size]) if len(self._taken) >= size else None

    def _take(self) -> None:
        try:
            data = self._sock.recv(MAX_MESSAGE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._taken += data
        self._finished = not data
        self._work()

    def _close_socket(self) -> None:
        if not self._socket_open:
            return
        self._socket_open = False
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        self._sock.close()
        self._tell()

    def _end_is_over(self) -> None:
        self._gone_before()
        # What it still holds is delivered before the socket is closed.
        self._loop.call_soon(self._work)
        self._tell()

    def _tell(self) -> None:
        if self._end.gone and not self._socket_open and not self.closed.done():
            self.closed.set_result(None)


async def call(host: str, port: int, il: IlFactory) -> tuple[socket.socket, Carrier]:
    """A stream socket whose 9P goes to `host` by IL, and what carries it.

    Errors: as `connected`.
    """
    end = await connected(host, port, il)
    ours, theirs = socket.socketpair()
    return theirs, Carrier(end, ours)


async def connected(host: str, port: int, il: IlFactory) -> End:
    """An end of a conversation with `host`: the first address that answers.

    Errors: `NetError`: no address, no answer, or no right to raw sockets.
    """
    loop = asyncio.get_running_loop()
    refusal = NetError(f"can't translate address {host}")
    for remote in await hosts.four(host):
        try:
            end = _end(loop, remote, port, il)
        except OSError as error:
            refusal = NetError(words(error), error.errno)
            continue
        try:
            await _answer(loop, end)
        except NetError as error:
            refusal = error
        else:
            return end
    raise refusal


def words(error: OSError) -> str:
    """What the host said, and what it wants."""
    said = hosts.words(error)
    return f"{said} (IL needs CAP_NET_RAW)" if isinstance(error, PermissionError) else said


def _end(loop: asyncio.AbstractEventLoop, remote: IPv4Address, port: int, il: IlFactory) -> End:
    stack = StackSockets()
    local = ports.hold(stack, 0)
    try:
        sock = sockets.connected(stack, None, local.number, remote, port)
    except OSError:
        local.release()
        raise
    return End.call(loop, sock, local, port, il, advice=_advice)


async def _answer(loop: asyncio.AbstractEventLoop, end: End) -> None:
    answered: asyncio.Future[str | None] = loop.create_future()

    def look() -> None:
        while not answered.done() and (event := end.next()) is not None:
            answered.set_result(event.reason if isinstance(event, IlClosed) else None)

    end.woken = look
    look()
    try:
        reason = await answered
    except BaseException:
        end.abandon()
        raise
    if reason is not None:
        end.abandon()
        raise NetError(reason)


def _advice(sock: socket.socket, error: OSError) -> str:
    sockets.clear_errors(sock)
    return hosts.words(error)
