"""9P carried by IL: `export --listen il!*!17008` and `import il!gw!17008` (docs/il.md 11)."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from netrelay import messages as m
from netrelay.client import connect
from netrelay.errors import NetError, UsageError
from netrelay.gateway import Gateway
from netrelay.il import carrier, sockets
from netrelay.il.listener import Listener
from netrelay.il.machine import MAX_MESSAGE
from netrelay.names.dialstring import IlAddress
from netrelay.types import NOTAG, Dialect, IlMessage, Limits
from tests.netns.lab import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from netrelay.core import Core
    from netrelay.il.end import End

PATIENCE_S = 20.0
PAYLOAD = bytes(range(256)) * 8192


@pytest.fixture(autouse=True)
def _allowed() -> None:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, sockets.PROTOCOL).close()
    except PermissionError:
        pytest.skip("raw sockets need root")


def use(core: Core, act: Callable[[Gateway, str], Awaitable[None]]) -> None:
    """Run `act` with a gateway on IL and its address."""

    async def work() -> None:
        async with asyncio.timeout(PATIENCE_S):
            where = ("il!127.0.0.1!0",)
            async with Gateway(*where, core=core.name, allow_dial=["127.0.0.0/8"]) as gateway:
                await act(gateway, str(gateway.addresses[0]))

    asyncio.run(work())


def test_files_are_read_over_il(core: Core) -> None:
    async def act(_: Gateway, address: str) -> None:
        async with connect(address, core=core.name) as session:
            assert "tcp" in [entry.name for entry in await session.ls("/net")]

    use(core, act)


def test_a_dialled_program_gets_every_byte_both_ways(core: Core) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def act(_: Gateway, address: str) -> None:
        async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with connect(address, core=core.name) as session:
                reader, writer = await session.dial(f"tcp!127.0.0.1!{port}")

                async def send() -> None:
                    writer.write(PAYLOAD)
                    await writer.drain()
                    writer.write_eof()

                _sent, echoed = await asyncio.gather(send(), reader.read())
                assert echoed == PAYLOAD
                writer.close()

    use(core, act)


def test_a_message_of_9p_is_one_of_il_or_as_few_as_it_fits_in(core: Core) -> None:
    async def act(_: Gateway, address: str) -> None:
        host, port = address.split("!")[1:]
        stack_end = await _plain_end(core, host, int(port))
        messages = stack_end.messages
        stack_end.send(core.encode(NOTAG, m.Tversion(1 << 20, "9P2000"), Dialect.P2000))
        reply = await messages.get()
        assert struct.unpack_from("<I", reply) == (len(reply),)
        stack_end.send(core.encode(1, m.Tattach(0, 0xFFFF_FFFF, "glenda", ""), Dialect.P2000))
        assert core.decode(await messages.get(), Dialect.P2000)[1].__class__ is m.Rattach
        stack_end.end.close()

    use(core, act)


def test_long_messages_are_cut_and_put_together_again(core: Core) -> None:
    async def work() -> None:
        served: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()
        listener = Listener(
            None, 0, core.Il, lambda fd: served.set_result(socket.socket(fileno=fd))
        )
        here, caller = await carrier.call("127.0.0.1", listener.port, core.Il)
        there = await served
        long = struct.pack("<I", 3 * MAX_MESSAGE) + os.urandom(3 * MAX_MESSAGE - 4)
        short = struct.pack("<I", 7) + b"abc"
        reader, back = await asyncio.open_connection(sock=there)
        kept, writer = await asyncio.open_connection(sock=here)
        writer.write(long + short)
        assert await reader.readexactly(len(long + short)) == long + short
        writer.close()
        assert await reader.read() == b"", "the end arrives behind the last byte"
        assert await kept.read() == b""
        back.close()
        await caller.closed
        await listener.close(PATIENCE_S)

    asyncio.run(asyncio.wait_for(work(), PATIENCE_S))


def test_nobody_listens(core: Core) -> None:
    async def act(_: Gateway, address: str) -> None:
        port = 1 + int(address.rpartition("!")[2]) % 65535
        with pytest.raises(NetError, match=rf"^can't reach il!127.0.0.1!{port}: connection rejec"):
            async with connect(f"il!127.0.0.1!{port}", core=core.name):
                pass

    use(core, act)


def test_where_the_end_of_the_gateway_ends_the_session(core: Core) -> None:
    async def act(gateway: Gateway, address: str) -> None:
        async with connect(address, core=core.name) as session:
            await session.ls("/net")
            await gateway.shutdown(grace_s=0)
            await session.wait_closed()

    use(core, act)


def test_a_session_that_is_over_holds_nothing_of_the_gateway(core: Core) -> None:
    async def act(gateway: Gateway, address: str) -> None:
        async with connect(address, core=core.name) as session:
            await session.ls("/net")
            assert gateway.stats()["sessions"] == 1
        await asyncio.to_thread(
            until, lambda: gateway.stats()["sessions"] == 0, "the session is over"
        )

    use(core, act)


def test_one_session_too_many_is_hung_up_on(core: Core) -> None:
    async def work() -> None:
        where = "il!127.0.0.1!0"
        async with Gateway(where, core=core.name, limits=Limits(sessions=1)) as gateway:
            address = str(gateway.addresses[0])
            async with connect(address, core=core.name) as first:
                with pytest.raises(NetError):
                    async with connect(address, core=core.name):
                        pass
                assert await first.ls("/net")

    asyncio.run(asyncio.wait_for(work(), PATIENCE_S))


def test_off_loopback_it_must_be_asked_for_in_so_many_words(core: Core) -> None:
    async def work() -> None:
        async with Gateway("il!*!0", core=core.name):
            pass

    with pytest.raises(UsageError, match=r"^il!0\.0\.0\.0!0 is not loopback"):
        asyncio.run(work())


def test_a_port_is_one_listener_s(core: Core) -> None:
    async def act(_: Gateway, address: str) -> None:
        with pytest.raises(NetError, match="address already in use"):
            async with Gateway(address, core=core.name):
                pass

    use(core, act)
    assert str(IlAddress("gw", 17008)) == "il!gw!17008"


class _PlainEnd:
    """An end of IL with no carrier: what a program of its time sees."""

    def __init__(self, end: End) -> None:
        self.end = end
        self.messages: asyncio.Queue[bytes] = asyncio.Queue()
        end.woken = self._look
        self._look()

    def send(self, message: bytes) -> None:
        """One message."""
        assert self.end.send(message)

    def _look(self) -> None:
        while (event := self.end.next()) is not None:
            if isinstance(event, IlMessage):
                self.messages.put_nowait(event.data)


async def _plain_end(core: Core, host: str, port: int) -> _PlainEnd:
    return _PlainEnd(await carrier.connected(host, port, core.Il))
