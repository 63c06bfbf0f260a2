"""Calls as sockets of this machine, and asyncio's streams and servers over them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from typing import TYPE_CHECKING

import pytest

import netrelay
import netrelay.sync
from netrelay.client import sockets

from .certificates import authority
from .test_gateway import echo, serve, with_gateway

if TYPE_CHECKING:
    from pathlib import Path

    from netrelay.core import Core

PAYLOAD = bytes(range(256)) * 40_000


def test_both_ends_of_a_pair_are_one_connection() -> None:
    ours, theirs = sockets.pair()
    with ours, theirs:
        assert ours.getpeername() == theirs.getsockname()
        ours.send(b"x")
        theirs.setblocking(True)
        assert theirs.recv(1) == b"x"


def test_a_stranger_does_not_become_an_end_of_a_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who calls the port before we do is hung up on."""
    strangers = []
    real = socket.create_connection

    def after_a_stranger(address: tuple[str, int]) -> socket.socket:
        strangers.append(real(address))
        return real(address)

    monkeypatch.setattr(socket, "create_connection", after_a_stranger)
    ours, theirs = sockets.pair()
    with ours, theirs, strangers[0] as stranger:
        assert ours.getpeername() == theirs.getsockname()
        assert ours.getsockname() == theirs.getpeername()
        stranger.settimeout(10)
        assert stranger.recv(1) == b""


def test_a_call_is_a_socket(core: Core, tmp_path: Path) -> None:
    async def use(session: netrelay.Session) -> None:
        server, port = await serve()
        async with server:
            call = await session.dial_socket(f"tcp!127.0.0.1!{port}")
            call.setblocking(True)

            def talk() -> bytes:
                with call:
                    call.sendall(PAYLOAD)
                    call.shutdown(socket.SHUT_WR)
                    return b"".join(iter(lambda: call.recv(1 << 20), b""))

            # The echo begins at the end of what is sent: nothing can stand still.
            assert await asyncio.to_thread(talk) == PAYLOAD

    with_gateway(core, tmp_path, use)


def test_a_call_that_breaks_off_is_a_reset(core: Core, tmp_path: Path) -> None:
    """And not the end of what was sent."""

    async def use(session: netrelay.Session) -> None:
        async def break_off(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"half of it")
            await writer.drain()
            await reached.wait()
            at_once = struct.pack("ii", 1, 0)
            ended = writer.get_extra_info("socket")
            ended.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            writer.transport.abort()

        reached = asyncio.Event()
        server = await asyncio.start_server(break_off, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            reader, writer = await session.open_connection("127.0.0.1", port)
            assert await reader.readexactly(10) == b"half of it"
            reached.set()
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()

    with_gateway(core, tmp_path, use)


def test_a_refused_call_is_an_oserror(core: Core, tmp_path: Path) -> None:
    async def use(session: netrelay.Session) -> None:
        server, port = await serve()
        server.close()
        await server.wait_closed()
        with pytest.raises(OSError, match="connection refused"):
            await session.open_connection("127.0.0.1", port)

    with_gateway(core, tmp_path, use)


def test_what_was_written_before_the_end_arrives(core: Core, tmp_path: Path) -> None:
    """A session that ends behind a `close` takes nothing back."""
    got: asyncio.Future[bytes]

    async def work() -> None:
        nonlocal got
        got = asyncio.get_running_loop().create_future()

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            got.set_result(await reader.read())
            writer.close()

        server = await asyncio.start_server(take, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        address = f"unix!{tmp_path}/gate"
        gateway = netrelay.Gateway(address, core=core.name, allow_dial=["127.0.0.0/8"], grace_s=0)
        async with server, asyncio.timeout(30), gateway:
            async with netrelay.connect(address, core=core.name) as session:
                _, writer = await session.open_connection("127.0.0.1", port)
                writer.write(PAYLOAD)
                writer.close()
                await writer.wait_closed()
            assert await got == PAYLOAD

    asyncio.run(work())


def test_streams_are_encrypted_to_the_other_end(core: Core, tmp_path: Path) -> None:
    server_side, client_side = authority(tmp_path, "host.example")

    async def use(session: netrelay.Session) -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=server_side)
        port = server.sockets[0].getsockname()[1]
        async with server:
            reader, writer = await session.open_connection(
                "127.0.0.1", port, ssl=client_side, server_hostname="host.example"
            )
            assert writer.get_extra_info("peercert")["subject"]
            writer.write(b"hello\n")
            writer.write_eof() if writer.can_write_eof() else writer.write(b"")
            writer.close()
            with pytest.raises(ssl.SSLCertVerificationError):
                await session.open_connection("127.0.0.1", port, ssl=client_side)
            del reader

    with_gateway(core, tmp_path, use)


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_server_is_asyncio_s(core: Core, tmp_path: Path, encrypted: bool) -> None:
    server_side, client_side = authority(tmp_path, "host.example")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    async def use(session: netrelay.Session) -> None:
        tls = server_side if encrypted else None
        async with await session.start_server(answer, "127.0.0.1", ssl=tls) as server:
            assert server.is_serving()
            host, port = server.local
            for _ in range(3):
                reader, writer = await asyncio.open_connection(
                    host,
                    port,
                    ssl=client_side if encrypted else None,
                    server_hostname="host.example" if encrypted else None,
                )
                writer.write(b"hello\n")
                assert await reader.readline() == b"HELLO\n"
                writer.close()
                with contextlib.suppress(ssl.SSLError):
                    await writer.wait_closed()
            with pytest.raises(netrelay.NetError, match="address in use"):
                await session.start_server(answer, "127.0.0.1", port)
        assert not server.is_serving()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(host, port)

    with_gateway(core, tmp_path, use)


def test_a_server_whose_function_fails_hangs_up_and_goes_on(
    core: Core, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readline() == b"fail\n":
            raise ValueError("as asked")
        writer.write(b"well\n")
        writer.close()

    async def use(session: netrelay.Session) -> None:
        async with await session.start_server(answer, "127.0.0.1") as server:
            for word, reply in ((b"fail\n", b""), (b"go on\n", b"well\n")):
                reader, writer = await asyncio.open_connection(*server.local)
                writer.write(word)
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == reply
                writer.close()

    with_gateway(core, tmp_path, use)
    assert "as asked" in caplog.text


def test_serving_forever_ends_with_its_cancellation(core: Core, tmp_path: Path) -> None:
    async def use(session: netrelay.Session) -> None:
        server = await session.start_server(echo, "127.0.0.1")
        serving = asyncio.create_task(server.serve_forever())
        reader, writer = await asyncio.open_connection(*server.local)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        await server.wait_closed()
        assert not server.is_serving()

    with_gateway(core, tmp_path, use)


def test_names_are_the_gateway_s(core: Core, tmp_path: Path) -> None:
    async def use(session: netrelay.Session) -> None:
        assert await session.resolve("127.0.0.9") == ["127.0.0.9"]
        assert await session.getaddrinfo("127.0.0.9", "http", type=socket.SOCK_STREAM) == [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.9", 80))
        ]
        found = await session.getaddrinfo("::1", 53)
        assert [(each[0], each[1], each[4]) for each in found] == [
            (socket.AF_INET6, socket.SOCK_STREAM, ("::1", 53, 0, 0)),
            (socket.AF_INET6, socket.SOCK_DGRAM, ("::1", 53, 0, 0)),
        ]
        with pytest.raises(netrelay.NetError, match="translate"):
            await session.getaddrinfo("::1", 53, family=socket.AF_INET)

    with_gateway(core, tmp_path, use)


def test_a_script_has_blocking_sockets(core: Core, tmp_path: Path) -> None:
    async def work() -> None:
        server, port = await serve()
        address = f"unix!{tmp_path}/gate"

        def script() -> bytes:
            with (
                netrelay.sync.connect(address, core=core.name) as session,
                session.dial_socket(f"tcp!127.0.0.1!{port}") as call,
            ):
                assert session.resolve("127.0.0.1") == ["127.0.0.1"]
                call.sendall(b"hello")
                call.shutdown(socket.SHUT_WR)
                return call.recv(100)

        gateway = netrelay.Gateway(address, core=core.name, allow_dial=["127.0.0.0/8"], grace_s=0)
        async with server, asyncio.timeout(30), gateway:
            assert await asyncio.to_thread(script) == b"hello"

    asyncio.run(work())
