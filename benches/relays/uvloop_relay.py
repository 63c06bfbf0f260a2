"""A TCP relay as a Python programmer would write a fast one: `uvloop_relay.py PORT SERVERPORT`.

Protocols with flow control, no streams. A call is accepted by hand and read only once the server is
reached, because uvloop begins to read whatever connection_made says.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import cast

import uvloop


class Side(asyncio.Protocol):
    """One side of a relayed call: what it gets goes to the other."""

    def __init__(self, other: Side | None = None) -> None:
        self.other = self if other is None else other
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Both sides are there once the second has this."""
        # uvloop's transport is one by its methods and not by inheritance.
        self.transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.other.other = self

    def data_received(self, data: bytes) -> None:
        """Onwards."""
        self.other.transport.write(data)

    def eof_received(self) -> bool:
        """Half-close passes through."""
        self.other.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        """This side is full: the other must wait."""
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """There is room again."""
        self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Both sides end together."""
        self.other.transport.close()


async def relay(call: socket.socket, server: int) -> None:
    """Reach the server, then join the two."""
    loop = asyncio.get_running_loop()
    try:
        _, out = await loop.create_connection(Side, "127.0.0.1", server)
    except OSError:
        call.close()
        return
    await loop.connect_accepted_socket(lambda: Side(out), call)


async def main(port: int, server: int) -> None:
    """Relay for ever."""
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    listener.setblocking(False)
    async with asyncio.TaskGroup() as calls:
        while True:
            call, _ = await loop.sock_accept(listener)
            calls.create_task(relay(call, server))


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
