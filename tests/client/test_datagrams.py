"""Datagrams of the gateway's, as coroutines, as asyncio's endpoint, and blocking."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

import netrelay
import netrelay.sync
from netrelay.client import datagrams

from .test_gateway import with_gateway

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from netrelay.client.streams import PeerName
    from netrelay.core import Core


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    """A port of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(10)
        yield made


def test_a_connected_one_sends_and_receives(
    core: Core, tmp_path: Path, peer: socket.socket
) -> None:
    async def use(session: netrelay.Session) -> None:
        async with await session.datagrams(peer.getsockname()) as opened:
            for payload in (b"one", b"", bytes(9000)):
                await opened.send(payload)
                got, sender = await asyncio.to_thread(peer.recvfrom, 1 << 16)
                assert (got, sender[1]) == (payload, opened.local[1])
                peer.sendto(payload, sender)
                assert await opened.receive() == (payload, peer.getsockname())
            with pytest.raises(netrelay.UsageError, match="go to"):
                await opened.send(b"x", ("127.0.0.1", 9))

    with_gateway(core, tmp_path, use)


def test_one_that_is_announced_says_who_sends(
    core: Core, tmp_path: Path, peer: socket.socket
) -> None:
    async def use(session: netrelay.Session) -> None:
        async with await session.datagrams(local=("127.0.0.1", 0)) as opened:
            peer.sendto(b"hello", opened.local)
            assert await opened.receive() == (b"hello", peer.getsockname())
            await opened.send(b"back", peer.getsockname())
            assert await asyncio.to_thread(peer.recvfrom, 100) == (b"back", opened.local)
            with pytest.raises(netrelay.UsageError, match="needs an address"):
                await opened.send(b"x")
            with pytest.raises(netrelay.UsageError, match="resolve it first"):
                await opened.send(b"x", ("example.com", 53))
            with pytest.raises(netrelay.NetError, match="address in use"):
                await session.datagrams(local=opened.local)

    with_gateway(core, tmp_path, use)


def test_a_refused_datagram_is_told_and_ends_nothing(
    core: Core, tmp_path: Path, peer: socket.socket
) -> None:
    """As by a socket: once, by whatever is asked next, even if that waits already."""

    async def use(session: netrelay.Session) -> None:
        async with await session.datagrams(local=("127.0.0.1", 0)) as opened:
            waiting = asyncio.create_task(opened.receive())
            await opened.send(b"x", ("169.254.169.254", 80))
            with pytest.raises(netrelay.NetError, match="permission denied"):
                await waiting
            peer.sendto(b"hello", opened.local)
            assert await opened.receive() == (b"hello", peer.getsockname())
            assert not opened.over
        transport, protocol = await session.create_datagram_endpoint(
            Noting, local_addr=("127.0.0.1", 0)
        )
        assert isinstance(protocol, Noting)
        transport.sendto(b"x", ("169.254.169.254", 80))
        assert [await protocol.told.get() for _ in range(2)] == ["made", "permission denied"]
        peer.sendto(b"hello", transport.get_extra_info("sockname"))
        assert await protocol.told.get() == (b"hello", peer.getsockname())
        transport.close()

    with_gateway(core, tmp_path, use)


def test_what_icmp_says_is_told(core: Core, tmp_path: Path, peer: socket.socket) -> None:
    nobody = peer.getsockname()
    peer.close()

    async def use(session: netrelay.Session) -> None:
        async with await session.datagrams(nobody) as opened:
            await opened.send(b"x")
            with pytest.raises(netrelay.NetError, match="port unreachable"):
                await opened.receive()

    with_gateway(core, tmp_path, use)


def test_a_cancelled_receive_takes_none(core: Core, tmp_path: Path, peer: socket.socket) -> None:
    async def use(session: netrelay.Session) -> None:
        async with await session.datagrams(local=("127.0.0.1", 0)) as opened:
            waiting = asyncio.create_task(opened.receive())
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            peer.sendto(b"kept", opened.local)
            assert await opened.receive() == (b"kept", peer.getsockname())

    with_gateway(core, tmp_path, use)


def test_a_sender_waits_for_room(
    core: Core, tmp_path: Path, peer: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datagrams, "HIGH", 10)
    monkeypatch.setattr(datagrams, "LOW", 5)

    async def use(session: netrelay.Session) -> None:
        async with await session.datagrams(peer.getsockname()) as opened:
            await opened.send(b"more than ten bytes")
            assert not opened.room.is_set()
            await opened.send(b"and more")
            got = [await asyncio.to_thread(peer.recv, 100) for _ in range(2)]
            assert got == [b"more than ten bytes", b"and more"]

    with_gateway(core, tmp_path, use)


class Noting(asyncio.DatagramProtocol):
    """A protocol that notes what it is told."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[object] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It begins."""
        self.told.put_nowait("made")

    def datagram_received(self, data: bytes, addr: PeerName) -> None:
        """One has come."""
        self.told.put_nowait((data, addr))

    def error_received(self, exc: Exception) -> None:
        """Something was refused."""
        self.told.put_nowait(str(exc))

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self.told.put_nowait(("lost", exc and str(exc)))


def test_an_endpoint_is_asyncio_s(core: Core, tmp_path: Path, peer: socket.socket) -> None:
    async def use(session: netrelay.Session) -> None:
        transport, protocol = await session.create_datagram_endpoint(
            Noting, local_addr=("127.0.0.1", 0)
        )
        assert isinstance(protocol, Noting)
        assert isinstance(transport, asyncio.DatagramTransport)
        local = transport.get_extra_info("sockname")
        transport.sendto(b"to you", peer.getsockname())
        got = await asyncio.to_thread(peer.recvfrom, 100)
        assert got == (b"to you", local)
        peer.sendto(b"to me", local)
        assert await protocol.told.get() == "made"
        assert await protocol.told.get() == (b"to me", peer.getsockname())
        transport.close()
        assert transport.is_closing()
        assert await protocol.told.get() == ("lost", None)
        transport.sendto(b"too late", peer.getsockname())

    with_gateway(core, tmp_path, use)


def test_an_endpoint_is_told_what_icmp_says(
    core: Core, tmp_path: Path, peer: socket.socket
) -> None:
    nobody = peer.getsockname()
    peer.close()

    async def use(session: netrelay.Session) -> None:
        transport, protocol = await session.create_datagram_endpoint(Noting, remote_addr=nobody)
        assert isinstance(protocol, Noting)
        assert transport.get_extra_info("peername") == nobody
        transport.sendto(b"x")
        told = [await protocol.told.get() for _ in range(3)]
        assert told == ["made", "port unreachable", ("lost", "port unreachable")]

    with_gateway(core, tmp_path, use)


def test_a_script_has_datagrams(core: Core, tmp_path: Path, peer: socket.socket) -> None:
    async def work() -> None:
        address = f"unix!{tmp_path}/gate"

        def script() -> None:
            with (
                netrelay.sync.connect(address, core=core.name) as session,
                session.datagrams(peer.getsockname()) as opened,
            ):
                opened.send(b"ping")
                got, sender = peer.recvfrom(100)
                peer.sendto(got, sender)
                assert next(iter(opened)) == (b"ping", peer.getsockname())

        gateway = netrelay.Gateway(address, core=core.name, allow_dial=["127.0.0.0/8"], grace_s=0)
        async with asyncio.timeout(30), gateway:
            await asyncio.to_thread(script)

    asyncio.run(work())
