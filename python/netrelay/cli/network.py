"""`netrelay dial`, `cs`, `dns`: a gateway's network from the shell."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import TYPE_CHECKING

import click

from netrelay import client
from netrelay.cli.errors import run
from netrelay.cli.options import gateway_options, json_option, print_json

if TYPE_CHECKING:
    from netrelay.client.streams import Reader, Writer

PIECE = 64 << 10


@click.command(epilog="Example: echo hello | netrelay dial tcp!127.0.0.1!5640 tcp!example.com!echo")
@click.argument("address", metavar="ADDR")
@click.argument("dialstring", metavar="[NETDIR/]NET!HOST!SERVICE")
@gateway_options
def dial(address: str, dialstring: str, user: str | None, aname: str) -> None:
    """Call from the gateway at ADDR; standard input and output become the call."""

    async def work() -> None:
        async with client.connect(address, uname=user, aname=aname) as session:
            reader, writer = await session.dial(dialstring)
            sending = asyncio.create_task(_send(writer))
            try:
                await _receive(reader)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
                writer.close()
                await writer.wait_closed()

    run(work)


async def _send(writer: Writer) -> None:
    # A thread of its own: standard input may be a file, which no event loop can watch.
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[bytes] = asyncio.Queue(4)

    def pull() -> None:
        piece = b"-"
        while piece:
            piece = os.read(sys.stdin.fileno(), PIECE)
            try:
                asyncio.run_coroutine_threadsafe(pieces.put(piece), loop).result()
            except (RuntimeError, asyncio.CancelledError):
                return

    threading.Thread(target=pull, daemon=True).start()
    while piece := await pieces.get():
        writer.write(piece)
        await writer.drain()
    writer.write_eof()


async def _receive(reader: Reader) -> None:
    while piece := await reader.read(PIECE):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


@click.command(epilog="Example: netrelay cs tcp!127.0.0.1!5640 tcp!example.com!http")
@click.argument("address", metavar="ADDR")
@click.argument("query")
@json_option
@gateway_options
def cs(address: str, query: str, as_json: bool, user: str | None, aname: str) -> None:
    """Ask the connection server of the gateway at ADDR."""

    async def work() -> list[str]:
        async with client.connect(address, uname=user, aname=aname) as session:
            return await session.cs(query)

    _print(run(work), as_json=as_json)


@click.command(epilog="Example: netrelay dns tcp!127.0.0.1!5640 'example.com mx'")
@click.argument("address", metavar="ADDR")
@click.argument("query", nargs=-1, required=True)
@json_option
@gateway_options
def dns(address: str, query: tuple[str, ...], as_json: bool, user: str | None, aname: str) -> None:
    """Ask the resolver of the gateway at ADDR for a name and a type (ip if none is given)."""
    text = " ".join(query)
    text = text if " " in text else f"{text} ip"

    async def work() -> list[str]:
        async with client.connect(address, uname=user, aname=aname) as session:
            return await session.dns(text)

    _print(run(work), as_json=as_json)


def _print(lines: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json(lines)
    else:
        for line in lines:
            click.echo(line)
