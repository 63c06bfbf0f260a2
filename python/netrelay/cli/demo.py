"""`python -m netrelay.cli.demo`: a gateway and an importer on loopback, with lines to try at once.

Everything is one process and ends with Ctrl-C. The demo page is on a loopback address of
its own, which the guards would refuse: the gateway is told to allow exactly that address, as an
operator would with --allow-dial.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import click

from netrelay import client, core, gateway
from netrelay.cli.errors import run
from netrelay.gateway.signals import stop_signals
from netrelay.proxy import Socks

if TYPE_CHECKING:
    from netrelay.names.dialstring import Address

GATEWAY_PORT = 5640
SOCKS_PORT = 1080
PAGE_HOST = "127.0.0.80"
PAGE_PORT = 8080
PUBLISHED_PORT = 8081
PAGE = b"Hello from the other side of netrelay.\n"
_HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"


async def demo() -> None:
    """Serve until SIGTERM or Ctrl-C. Errors: `NetError` when a port is taken."""
    names = core.available()
    if "rust" not in names:
        click.echo("netrelay: the Rust core is not built, so the Python core runs", err=True)
    with stop_signals() as stop:
        async with contextlib.AsyncExitStack() as stack:
            page = await asyncio.start_server(_serve_page, PAGE_HOST, PAGE_PORT)
            stack.callback(page.close)
            served = await stack.enter_async_context(
                gateway.Gateway(
                    f"tcp!127.0.0.1!{GATEWAY_PORT}",
                    core=names[0],
                    allow_dial=[f"{PAGE_HOST}/32"],
                    grace_s=0.0,
                )
            )
            where = served.addresses[0]
            session = await stack.enter_async_context(client.connect(str(where), core=names[0]))
            # Kept to the end, so that conversation 0 has a status to look at.
            _, call = await session.dial(f"tcp!{PAGE_HOST}!{PAGE_PORT}")
            stack.callback(call.close)
            socks = await stack.enter_async_context(Socks(session, "127.0.0.1", SOCKS_PORT))
            for line in lines(where, socks.address):
                click.echo(line)
            await stop.asked.wait()


def lines(where: Address, socks: tuple[str, int]) -> tuple[str, str, str]:
    """Three commands that work in another terminal while the demo runs."""
    page = f"{PAGE_HOST}:{PAGE_PORT}"
    return (
        f"curl --socks5-hostname {socks[0]}:{socks[1]} http://{page}/",
        f".venv/bin/netrelay cat '{where}' /net/tcp/0/status",
        f".venv/bin/netrelay import '{where}' --publish {PUBLISHED_PORT}:{page}",
    )


async def _serve_page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_HEAD % len(PAGE) + PAGE)
        await writer.drain()
    writer.close()


if __name__ == "__main__":
    try:
        run(demo)
    except click.ClickException as failure:
        failure.show()
        raise SystemExit(failure.exit_code) from None
