"""A real gateway of either core on loopback, used as a program uses it."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest

import netrelay
from netrelay.proxy import Forward, Publish, Socks
from tests.served import net

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from netrelay.core import Core

PATIENCE_S = 30.0


def with_gateway(
    core: Core, folder: Path, use: Callable[[netrelay.Session], Awaitable[None]]
) -> None:
    """Run `use` with a session of a gateway that may dial loopback."""

    async def work() -> None:
        async with (
            asyncio.timeout(PATIENCE_S),
            netrelay.Gateway(
                f"unix!{folder}/gate", core=core.name, allow_dial=["127.0.0.0/8"], grace_s=0
            ),
            netrelay.connect(f"unix!{folder}/gate", uname="glenda", core=core.name) as session,
        ):
            await use(session)

    asyncio.run(work())


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes, once it has ended."""
    writer.write(await reader.read())
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def serve() -> tuple[asyncio.Server, int]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    return server, port


def test_files_are_listed_and_read(core: Core, tmp_path: Path) -> None:
    async def use(session: netrelay.Session) -> None:
        names = [entry.name for entry in await session.ls("/net")]
        assert names == net(core)
        assert (await session.stat("/net/tcp/clone")).name == "clone"
        async with await session.open("/net/tcp/clone", "r+") as clone:
            assert await clone.read(16) == b"0"
        with pytest.raises(netrelay.NetError, match="file does not exist"):
            await session.read("/net/none")

    with_gateway(core, tmp_path, use)


def test_cs_answers_and_refuses_in_the_original_s_words(core: Core, tmp_path: Path) -> None:
    async def use(session: netrelay.Session) -> None:
        assert await session.cs("tcp!127.0.0.1!9fs") == ["/net/tcp/clone 127.0.0.1!564"]
        assert await session.cs("tcp!*!80") == ["/net/tcp/clone 80"]
        with pytest.raises(netrelay.NetError) as refusal:
            await session.cs("tcp!127.0.0.1!nosuchservice")
        assert refusal.value.text == "cs: can't translate service"

    with_gateway(core, tmp_path, use)


def test_a_dial_passes_bytes_and_the_half_close(core: Core, tmp_path: Path) -> None:
    async def use(session: netrelay.Session) -> None:
        server, port = await serve()
        async with server:
            reader, writer = await session.dial(f"tcp!127.0.0.1!{port}")
            assert writer.get_extra_info("peername") == ("127.0.0.1", port)
            payload = bytes(range(256)) * 8192
            writer.write(payload)
            writer.write_eof()
            assert await reader.read() == payload
            writer.close()
            await writer.wait_closed()

    with_gateway(core, tmp_path, use)


def test_a_refused_dial_says_so(core: Core, tmp_path: Path) -> None:
    async def use(session: netrelay.Session) -> None:
        server, port = await serve()
        server.close()
        await server.wait_closed()
        with pytest.raises(netrelay.NetError, match="connection refused"):
            await session.dial(f"tcp!127.0.0.1!{port}")

    with_gateway(core, tmp_path, use)


def test_an_announced_port_takes_calls(core: Core, tmp_path: Path) -> None:
    async def use(session: netrelay.Session) -> None:
        async with await session.announce("tcp!*!0") as announced:
            _, port = await announced.local()
            listening = asyncio.create_task(announced.listen())
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            caller, out = await asyncio.open_connection("127.0.0.1", port)
            call = await announced.listen()
            assert call.remote == out.get_extra_info("sockname")[:2]
            reader, writer = await call.accept()
            out.write(b"ping\n")
            assert await reader.readline() == b"ping\n"
            writer.write(b"pong\n")
            writer.close()
            assert await caller.read() == b"pong\n"
            out.close()
            await out.wait_closed()
            await writer.wait_closed()

    with_gateway(core, tmp_path, use)


def test_a_forward_and_a_published_port_pump(core: Core, tmp_path: Path) -> None:
    async def use(session: netrelay.Session) -> None:
        server, port = await serve()
        async with (
            server,
            Publish(session, "*", "0", "127.0.0.1", port) as published,
            Forward(session, "127.0.0.1", 0, "127.0.0.1", str(published.local[1])) as forward,
        ):
            reader, writer = await asyncio.open_connection(*forward.address)
            payload = bytes(range(256)) * 1024
            writer.write(payload)
            writer.write_eof()
            assert await reader.read() == payload
            writer.close()
            await writer.wait_closed()

    with_gateway(core, tmp_path, use)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_goes_through_socks(core: Core, tmp_path: Path) -> None:
    async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nhello\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def use(session: netrelay.Session) -> None:
        server = await asyncio.start_server(page, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, Socks(session, "127.0.0.1", 0) as socks:
            proxy = f"{socks.address[0]}:{socks.address[1]}"
            curl = await asyncio.create_subprocess_exec(
                "curl", "-sS", "-m", "20", "--socks5-hostname", proxy, f"http://127.0.0.1:{port}/",
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            said, _ = await curl.communicate()
            assert said == b"hello\n"

    with_gateway(core, tmp_path, use)
