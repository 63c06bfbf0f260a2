"""A web server that says who asks, and a gateway with two stacks in front of it."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

import netrelay
from tests.client.certificates import authority

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from netrelay.core import Core

    Use = Callable[["Place"], Awaitable[None]]

PATIENCE_S = 30.0
BIG = bytes(range(256)) * 40_000
# What the server's certificate is for, and where the gateway finds it.
HOST = "127.0.0.1"


@dataclass
class Place:
    """Where everything is."""

    gateway: str
    core: str
    plain: str
    encrypted: str
    trust: ssl.SSLContext

    def nowhere(self) -> str:
        """A URL that nobody answers."""
        return "http://127.0.0.1:1/"


@pytest.fixture
def placed(core: Core, tmp_path: Path) -> Callable[[Use], None]:
    """Runs a coroutine there."""

    def run(use: Use) -> None:
        async def work() -> None:
            async with asyncio.timeout(PATIENCE_S), _placed(core, tmp_path) as place:
                await use(place)

        asyncio.run(work())

    return run


@contextlib.asynccontextmanager
async def _placed(core: Core, folder: Path) -> AsyncIterator[Place]:
    server_side, trust = authority(folder, "host.example", addresses=[HOST])
    runner = web.AppRunner(_app())
    await runner.setup()
    ports = []
    for context in (None, server_side):
        site = web.TCPSite(runner, HOST, 0, ssl_context=context)
        await site.start()
        ports.append(runner.addresses[-1][1])
    address = f"unix!{folder}/gate"
    gateway = netrelay.Gateway(
        address,
        core=core.name,
        allow_dial=["127.0.0.0/8"],
        stacks=["alt=addr:127.0.0.2"],
        grace_s=0,
    )
    try:
        async with gateway:
            plain, encrypted = f"http://{HOST}:{ports[0]}", f"https://{HOST}:{ports[1]}"
            yield Place(address, core.name, plain, encrypted, trust)
    finally:
        await runner.cleanup()


def _app() -> web.Application:
    async def peer(request: web.Request) -> web.Response:
        return web.Response(text=str(request.remote))

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def big(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(BIG)
        return response

    app = web.Application(client_max_size=len(BIG) + 1)
    app.add_routes([web.get("/peer", peer), web.post("/echo", echo), web.get("/big", big)])
    return app
