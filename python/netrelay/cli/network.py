"""`netrelay dial`, `cs`, `dns`: a gateway's network from the shell."""

from __future__ import annotations

import asyncio
import sys
import threading
from concurrent import futures
from typing import TYPE_CHECKING

import click

from netrelay import client
from netrelay.cli import standard
from netrelay.cli.errors import Failure, about, run
from netrelay.cli.options import gateway_options, json_option, netdir_option, print_json
from netrelay.names.dialstring import parse_dial

if TYPE_CHECKING:
    from netrelay.client.streams import Reader, Writer


@click.command(
    short_help="Call from the gateway.",
    epilog="Example: echo hello | netrelay dial 'tcp!127.0.0.1!5640' 'tcp!example.com!echo'",
)
@click.argument("address", metavar="ADDR")
@click.argument("dialstring", metavar="[NETDIR/]NET!HOST!SERVICE")
@gateway_options
def dial(address: str, dialstring: str, user: str | None, aname: str) -> None:
    """Call from the gateway at ADDR; standard input and output become the call.

    Each direction ends by itself, but at a terminal, where the other end's end is the end.
    """

    async def work() -> None:
        parse_dial(dialstring)
        async with client.connect(address, uname=user, aname=aname) as session:
            with about(dialstring):
                reader, writer = await session.dial(dialstring)
                await _talk(reader, writer)

    run(work)


async def _talk(reader: Reader, writer: Writer) -> None:
    sending = asyncio.create_task(_send(writer))
    try:
        await _receive(reader)
        if not sys.stdin.isatty():
            await sending
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()
        await writer.wait_closed()


async def _send(writer: Writer) -> None:
    # A thread of its own: standard input may be a file, which no event loop can watch.
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[bytes | Failure] = asyncio.Queue(4)

    def pull() -> None:
        piece: bytes | Failure = b"-"
        while piece and not isinstance(piece, Failure):
            try:
                piece = standard.take()
            except Failure as failure:
                piece = failure
            putting = pieces.put(piece)
            try:
                asyncio.run_coroutine_threadsafe(putting, loop).result()
            except (RuntimeError, futures.CancelledError):  # the loop is closed, or about to be
                putting.close()
                return

    threading.Thread(target=pull, daemon=True).start()
    while piece := await pieces.get():
        if isinstance(piece, Failure):
            raise piece
        writer.write(piece)
        await writer.drain()
    writer.write_eof()


async def _receive(reader: Reader) -> None:
    while piece := await reader.read(standard.PIECE):
        standard.put(piece)
    standard.end()


@click.command(
    short_help="Ask the connection server.",
    epilog="Example: netrelay cs 'tcp!127.0.0.1!5640' 'tcp!example.com!http'",
)
@click.argument("address", metavar="ADDR")
@click.argument("query")
@json_option
@netdir_option
@gateway_options
def cs(
    *,
    address: str,
    query: str,
    as_json: bool,
    netdir: str | None,
    user: str | None,
    aname: str,
) -> None:
    """Ask the connection server of the gateway at ADDR."""

    async def work() -> list[str]:
        async with client.connect(address, uname=user, aname=aname) as session:
            with about(query):
                return await session.cs(query, netdir=netdir)

    _print(run(work), as_json=as_json)


@click.command(
    short_help="Ask the resolver.",
    epilog="Example: netrelay dns 'tcp!127.0.0.1!5640' 'example.com mx'",
)
@click.argument("address", metavar="ADDR")
@click.argument("query", nargs=-1, required=True)
@json_option
@netdir_option
@gateway_options
def dns(
    *,
    address: str,
    query: tuple[str, ...],
    as_json: bool,
    netdir: str | None,
    user: str | None,
    aname: str,
) -> None:
    """Ask the resolver of the gateway at ADDR for a name and a type (ip if none is given)."""
    text = " ".join(query)
    text = text if " " in text else f"{text} ip"

    async def work() -> list[str]:
        async with client.connect(address, uname=user, aname=aname) as session:
            with about(text):
                return await session.dns(text, netdir=netdir)

    _print(run(work), as_json=as_json)


def _print(lines: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json(lines)
    else:
        for line in lines:
            standard.put_line(line)
