"""A TCP relay as a Python programmer would write a fast one: `uvloop_relay.py PORT SERVERPORT`."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import cast

import uvloop


class Side(asyncio.Protocol):
    """One side of a relayed call: what it gets goes to the other."""

    def __init__(self, other: Side | None = None, server: int = 0) -> None:
        self.other = other
        self.server = server
        self.transport: asyncio.Transport | None = None
        self.dialling: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The first side dials the second."""
        # uvloop's transport is one by its methods and not by inheritance.
        self.transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.server:
            self.transport.pause_reading()
            self.dialling = asyncio.get_running_loop().create_task(self.dial())

    async def dial(self) -> None:
        """Connect to the server, then let this side read."""
        loop = asyncio.get_running_loop()
        _, self.other = await loop.create_connection(lambda: Side(self), "127.0.0.1", self.server)
        if self.transport is not None:
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Onwards."""
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        """Half-close passes through."""
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        """This side is full: the other must wait."""
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """There is room again."""
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Both sides end together."""
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


async def main(port: int, server: int) -> None:
    """Relay for ever."""
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(
        lambda: Side(server=server), "127.0.0.1", port, backlog=4096
    )
    await listener.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
