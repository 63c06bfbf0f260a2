"""A UDP relay as a Python programmer would write a fast one: `uvloop_datagrams.py PORT SERVERPORT`.

Each caller gets a connected endpoint of its own towards the server; what comes before that is there
waits for it. Nothing is ever forgotten, which a relay for more than a benchmark would have to.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop

Address = tuple[str, int]


class Outside(asyncio.DatagramProtocol):
    """The server's side of one caller."""

    def __init__(self, caller: Address, door: Door) -> None:
        self.caller = caller
        self.door = door

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Back to the caller."""
        self.door.transport.sendto(data, self.caller)


class Door(asyncio.DatagramProtocol):
    """The port that callers send to."""

    def __init__(self, server: int, calls: asyncio.TaskGroup) -> None:
        self.server = server
        self.calls = calls
        self.ways: dict[Address, asyncio.DatagramTransport] = {}
        self.early: dict[Address, list[bytes]] = {}
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is bound."""
        # uvloop's transport is one by its methods and not by inheritance.
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Onwards, by the caller's own way."""
        if (way := self.ways.get(addr)) is not None:
            way.sendto(data)
        elif (early := self.early.get(addr)) is not None:
            early.append(data)
        else:
            self.early[addr] = [data]
            self.calls.create_task(self.reach(addr))

    async def reach(self, caller: Address) -> None:
        """A way to the server for a new caller."""
        loop = asyncio.get_running_loop()
        server = ("127.0.0.1", self.server)
        way, _ = await loop.create_datagram_endpoint(
            lambda: Outside(caller, self), remote_addr=server
        )
        self.ways[caller] = way
        for data in self.early.pop(caller):
            way.sendto(data)


async def main(port: int, server: int) -> None:
    """Relay for ever."""
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as calls:
        await loop.create_datagram_endpoint(
            lambda: Door(server, calls), local_addr=("127.0.0.1", port)
        )
        await loop.create_future()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
