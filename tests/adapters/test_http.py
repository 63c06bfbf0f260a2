"""HTTP libraries through a gateway: who calls, what arrives, what errors say."""

from __future__ import annotations

import asyncio
import io
import ssl
from typing import TYPE_CHECKING

import aiohttp
import anyio
import httpx
import pytest
import requests
import urllib3
from anyio.streams.tls import TLSStream

import netrelay
import netrelay.sync
from netrelay.adapters.aiohttp import Connector
from netrelay.adapters.httpx import SyncTransport, Transport
from netrelay.adapters.requests import Adapter
from netrelay.adapters.urllib3 import PoolManager

from .conftest import BIG

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.client.sync import SyncSession

    from .conftest import Place, Use

    Placed = Callable[[Use], None]


def blocking(placed: Placed, script: Callable[[Place, SyncSession], None]) -> None:
    """Run a script that blocks, beside the server and the gateway."""

    def run(place: Place) -> None:
        with netrelay.sync.connect(place.gateway, core=place.core) as session:
            script(place, session)

    async def use(place: Place) -> None:
        await asyncio.to_thread(run, place)

    placed(use)


def test_httpx(placed: Placed) -> None:
    async def use(place: Place) -> None:
        async with netrelay.connect(place.gateway, core=place.core) as session:
            transport = Transport(session, verify=place.trust, netdir="/net.alt")
            async with httpx.AsyncClient(transport=transport) as client:
                for url in (place.plain, place.encrypted):
                    assert (await client.get(f"{url}/peer")).text == "127.0.0.2"
                    assert (await client.post(f"{url}/echo", content=BIG)).content == BIG
                    async with client.stream("GET", f"{url}/big") as response:
                        assert b"".join([part async for part in response.aiter_raw()]) == BIG
                with pytest.raises(httpx.ConnectError, match="connection refused"):
                    await client.get(place.nowhere())
            async with httpx.AsyncClient(transport=Transport(session)) as client:
                assert (await client.get(f"{place.plain}/peer")).text == "127.0.0.1"
                with pytest.raises(httpx.ConnectError, match="certificate"):
                    await client.get(place.encrypted)

    placed(use)


def test_httpx_blocking(placed: Placed) -> None:
    def script(place: Place, session: SyncSession) -> None:
        transport = SyncTransport(session, verify=place.trust, netdir="/net.alt")
        with httpx.Client(transport=transport) as client:
            for url in (place.plain, place.encrypted):
                assert client.get(f"{url}/peer").text == "127.0.0.2"
                assert client.post(f"{url}/echo", content=BIG).content == BIG
                with client.stream("GET", f"{url}/big") as response:
                    assert b"".join(response.iter_raw()) == BIG
            with pytest.raises(httpx.ConnectError, match="connection refused"):
                client.get(place.nowhere())
        with (
            httpx.Client(transport=SyncTransport(session)) as client,
            pytest.raises(httpx.ConnectError, match="certificate"),
        ):
            client.get(place.encrypted)

    blocking(placed, script)


def test_aiohttp(placed: Placed) -> None:
    async def use(place: Place) -> None:
        async with netrelay.connect(place.gateway, core=place.core) as session:
            connector = Connector(session, netdir="/net.alt", ssl=place.trust)
            async with aiohttp.ClientSession(connector=connector) as client:
                for url in (place.plain, place.encrypted):
                    async with client.get(f"{url}/peer") as response:
                        assert await response.text() == "127.0.0.2"
                    async with client.post(f"{url}/echo", data=io.BytesIO(BIG)) as response:
                        assert await response.read() == BIG
                with pytest.raises(aiohttp.ClientConnectorError, match="connection refused"):
                    await client.get(place.nowhere())
            async with aiohttp.ClientSession(connector=Connector(session)) as client:
                async with client.get(f"{place.plain}/peer") as response:
                    assert await response.text() == "127.0.0.1"
                with pytest.raises(aiohttp.ClientConnectorCertificateError):
                    await client.get(place.encrypted)

    placed(use)


def test_aiohttp_resolves_at_the_gateway(placed: Placed) -> None:
    async def use(place: Place) -> None:
        port = place.plain.rpartition(":")[2]
        async with (
            netrelay.connect(place.gateway, core=place.core) as session,
            aiohttp.ClientSession(connector=Connector(session)) as client,
        ):
            async with client.get(f"http://localhost:{port}/peer") as response:
                assert await response.text() == "127.0.0.1"
            with pytest.raises(aiohttp.ClientConnectorDNSError):
                await client.get("http://nosuchhost.invalid/")

    placed(use)


def test_urllib3(placed: Placed) -> None:
    def script(place: Place, session: SyncSession) -> None:
        with PoolManager(
            session, netdir="/net.alt", ssl_context=place.trust, retries=False
        ) as pool:
            for url in (place.plain, place.encrypted):
                assert pool.request("GET", f"{url}/peer").data == b"127.0.0.2"
                assert pool.request("POST", f"{url}/echo", body=BIG).data == BIG
            with pytest.raises(urllib3.exceptions.NewConnectionError, match="refused"):
                pool.request("GET", place.nowhere())
        with (
            PoolManager(session, retries=False) as pool,
            pytest.raises(urllib3.exceptions.SSLError, match="certificate"),
        ):
            pool.request("GET", place.encrypted)

    blocking(placed, script)


def test_requests(placed: Placed, tmp_path: object) -> None:
    def script(place: Place, session: SyncSession) -> None:
        with requests.Session() as client:
            for scheme in ("http://", "https://"):
                client.mount(scheme, Adapter(session, netdir="/net.alt"))
            trust = f"{tmp_path}/certificate.pem"
            for url in (place.plain, place.encrypted):
                assert client.get(f"{url}/peer", verify=trust, timeout=10).text == "127.0.0.2"
                echoed = client.post(f"{url}/echo", data=BIG, verify=trust, timeout=10)
                assert echoed.content == BIG
            with pytest.raises(requests.ConnectionError, match="refused"):
                client.get(place.nowhere(), timeout=10)
            with pytest.raises(requests.exceptions.SSLError, match="certificate"):
                client.get(place.encrypted, timeout=10)

    blocking(placed, script)


def test_anyio_takes_the_socket(placed: Placed) -> None:
    """So there is no adapter: its streams, TLS among them, are its own."""

    async def use(place: Place) -> None:
        host, _, port = place.encrypted.removeprefix("https://").rpartition(":")
        async with netrelay.connect(place.gateway, core=place.core) as session:
            call = await session.dial_socket(f"tcp!{host}!{port}")
            stream: anyio.abc.ByteStream = await anyio.abc.SocketStream.from_socket(call)
            stream = await TLSStream.wrap(stream, hostname=host, ssl_context=place.trust)
            async with stream:
                await stream.send(b"GET /peer HTTP/1.0\r\n\r\n")
                got = b""
                with pytest.raises((anyio.EndOfStream, ssl.SSLError)):
                    while True:
                        got += await stream.receive()
            assert got.endswith(b"127.0.0.1")

    placed(use)
