"""`netrelay import`: use a gateway's network with programs that know nothing of it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import click

from netrelay import client
from netrelay.cli.ending import until_signalled
from netrelay.cli.errors import about, run
from netrelay.cli.options import core_option, gateway_options
from netrelay.errors import NetError, UsageError
from netrelay.hosts import ANY
from netrelay.names.dialstring import checked_host, numeric_port, split_host_port
from netrelay.proxy import Forward, Publish, Socks

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Route:
    """`[BIND:]PORT:HOST:PORT`: where calls come in and where they go."""

    bind: str
    port: int
    host: str
    target: int
    text: str = ""


def parse_route(text: str, *, bind: str) -> Route:
    """Split `[BIND:]PORT:HOST:PORT`; IPv6 addresses are in brackets. Errors: `UsageError`."""
    fields = _fields(text)
    match fields:
        case [port, host, target]:
            where = bind
        case [where, port, host, target]:
            pass
        case _:
            raise UsageError(f"bad route {text!r}: write [BIND:]PORT:HOST:PORT")
    come, go = numeric_port(port, text), numeric_port(target, text)
    if go == 0:
        raise UsageError(f"no port to go to in {text!r}: write [BIND:]PORT:HOST:PORT")
    where = checked_host(where or ANY, text)
    return Route(where, come, checked_host(host, text), go, text)


def _fields(text: str) -> list[str]:
    fields, rest = [], text
    while True:
        if rest.startswith("["):
            field, closed, rest = rest[1:].partition("]")
            if not closed or rest[:1] not in (":", ""):
                raise UsageError(f"bad brackets in {text!r}")
            fields.append(field)
            if not rest:
                return fields
            rest = rest[1:]
        else:
            field, colon, rest = rest.partition(":")
            fields.append(field)
            if not colon:
                return fields


@click.command(
    "import",
    short_help="Use a gateway's network: SOCKS, forwarded and published ports.",
    epilog="Example: netrelay import 'tcp!127.0.0.1!5640' --socks 127.0.0.1:1080",
)
@click.argument("address", metavar="ADDR")
@click.option(
    "--socks", multiple=True, metavar="HOST:PORT", help="A SOCKS5 server on this address."
)
@click.option("--forward", multiple=True, metavar="[BIND:]PORT:HOST:PORT",
              help="A local port whose calls go to HOST:PORT from the gateway.")  # fmt: skip
@click.option("--publish", multiple=True, metavar="[GWADDR:]GWPORT:HOST:PORT",
              help="A port of the gateway whose calls come to HOST:PORT from here.")  # fmt: skip
@core_option
@gateway_options
def import_(
    *,
    address: str,
    socks: tuple[str, ...],
    forward: tuple[str, ...],
    publish: tuple[str, ...],
    core: str | None,
    user: str | None,
    aname: str,
) -> None:
    """Use the network of the gateway at ADDR, until Ctrl-C or the session ends."""

    async def work() -> None:
        proxies = [split_host_port(text, default_host=LOOPBACK) for text in socks]
        forwards = [parse_route(text, bind=LOOPBACK) for text in forward]
        published = [parse_route(text, bind=ANY) for text in publish]
        if not (proxies or forwards or published):
            raise UsageError("nothing to do: give --socks, --forward or --publish")

        async def use() -> None:
            async with (
                client.connect(address, uname=user, aname=aname, core=core) as session,
                contextlib.AsyncExitStack() as stack,
            ):
                await _start(stack, session, proxies, forwards, published)
                ended = await session.wait_closed()
                raise NetError(f"the gateway is gone: {ended or 'end of session'}")

        await until_signalled(use())

    run(work)


async def _start(
    stack: contextlib.AsyncExitStack,
    session: client.Session,
    proxies: list[tuple[str, int]],
    forwards: list[Route],
    published: list[Route],
) -> None:
    # The gateway's ports first: they are what can be refused.
    for route in published:
        where = Publish(session, route.bind, str(route.port), route.host, route.target)
        with about(f"--publish {route.text}"):
            made = await stack.enter_async_context(where)
        host = ANY if made.local[0] == "::" else made.local[0]
        there = f"tcp!{host}!{made.local[1]}"
        _say(
            f"published {there} of the gateway; its calls go to {_shown(route.host, route.target)}"
        )
    for host, port in proxies:
        server = await stack.enter_async_context(Socks(session, host, port))
        _say(f"SOCKS5 on {_shown(*server.address)}")
    for route in forwards:
        way = Forward(session, route.bind, route.port, route.host, str(route.target))
        await stack.enter_async_context(way)
        _say(f"forwarding {_shown(*way.address)} to {_shown(route.host, route.target)}")


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _say(text: str) -> None:
    click.echo(f"netrelay: {text}", err=True)
