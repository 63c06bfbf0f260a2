"""`netrelay netstat` and `ip`: what a gateway's network does and is.

A table is a list of records, which JSON has as they are and people get in columns.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from netrelay import client
from netrelay.cli import standard
from netrelay.cli.errors import about, run
from netrelay.cli.options import gateway_options, json_option, netdir_option, print_json
from netrelay.client import tables
from netrelay.texts import counters
from netrelay.texts.interfaces import FOREVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netrelay.texts.interfaces import Interface
    from netrelay.texts.neighbours import Neighbour
    from netrelay.texts.routes import Route

Record = dict[str, object]
_ADDRESSES, _ROUTES, _NEIGHBOURS = _WHAT = ("addresses", "routes", "neighbours")
_COLUMNS: Final = {
    "netstat": ("net", "number", "owner", "state", "queued_in", "queued_out", "local", "remote"),
    _ADDRESSES: ("number", "device", "mtu", "in", "out", "errors", "addresses"),
    _ROUTES: ("target", "gateway", "device", "tag", "flags", "source"),
    _NEIGHBOURS: ("address", "mac", "state", "device"),
}
_MAC_DIGITS: Final = 12


@click.command(
    short_help="List the conversations of a gateway.",
    epilog="Example: netrelay netstat 'tcp!gw!5640' tcp udp",
)
@click.argument("address", metavar="ADDR")
@click.argument("nets", metavar="[NET]...", nargs=-1)
@click.option("-a", "--all", "free", is_flag=True, help="Numbers that nobody uses now, too.")
@click.option("-s", "--stats", is_flag=True, help="What the protocols count, instead.")
@json_option
@netdir_option
@gateway_options
def netstat(
    *,
    address: str,
    nets: tuple[str, ...],
    free: bool,
    stats: bool,
    as_json: bool,
    netdir: str | None,
    user: str | None,
    aname: str,
) -> None:
    """List the conversations of the gateway at ADDR: of all protocols, or of each NET.

    These are the ones that sessions have opened as files, each with its owner. What other programs
    of the gateway's do is not among them.
    """

    async def conversations() -> list[Record]:
        async with client.connect(address, uname=user, aname=aname) as session:
            with about(netdir or "/net"):
                found = await session.conversations(*nets, free=free, netdir=netdir)
        return [asdict(each) for each in found]

    async def counts() -> dict[str, dict[str, str]]:
        async with client.connect(address, uname=user, aname=aname) as session:
            with about(netdir or "/net"):
                net = await session.netdir(netdir)
                texts = {
                    name: await session.read_at((*net, name, "stats"))
                    for name in nets or await tables.protocols(session, net)
                }
        return {name: counters.parse(text.decode()) for name, text in texts.items()}

    if stats:
        _print_counts(run(counts), as_json=as_json)
    else:
        _print({"netstat": run(conversations)}, as_json=as_json)


@click.command(
    "ip",
    short_help="Show a gateway's addresses, routes and neighbours.",
    epilog="Example: netrelay ip 'tcp!gw!5640' routes",
)
@click.argument("address", metavar="ADDR")
@click.argument("what", nargs=-1, type=click.Choice(_WHAT), metavar=f"[{'|'.join(_WHAT)}]...")
@json_option
@netdir_option
@gateway_options
def ip_(
    *,
    address: str,
    what: tuple[str, ...],
    as_json: bool,
    netdir: str | None,
    user: str | None,
    aname: str,
) -> None:
    """Show the addresses, routes and neighbours of the gateway at ADDR: all three, or those named.

    `netrelay write` changes them where the operator grants it: docs/host.md has the words.
    """
    wanted = [each for each in _WHAT if each in (what or _WHAT)]

    async def work() -> dict[str, list[Record]]:
        found: dict[str, list[Record]] = {}
        async with client.connect(address, uname=user, aname=aname) as session:
            with about(netdir or "/net"):
                # The other two name them.
                interfaces = await session.interfaces(netdir=netdir)
                for each in wanted:
                    match each:
                        case "addresses":
                            found[each] = [_interface(one) for one in interfaces]
                        case "routes":
                            devices = {one.number: one.device for one in interfaces}
                            routes = await session.routes(netdir=netdir)
                            found[each] = [_route(one, devices) for one in routes]
                        case "neighbours":
                            near = await session.neighbours(netdir=netdir)
                            found[each] = [_neighbour(one, interfaces) for one in near]
        return found

    _print(run(work), as_json=as_json)


def _interface(one: Interface) -> Record:
    counted = one.numbers.get
    return {
        "number": one.number,
        "device": one.device,
        "mtu": one.mtu,
        "in": counted("pktin", 0),
        "out": counted("pktout", 0),
        "errors": counted("errin", 0) + counted("errout", 0),
        "addresses": [
            {
                "address": str(each),
                "remote": str(each.remote),
                "valid_s": None if each.valid_s >= FOREVER else each.valid_s,
                "preferred_s": None if each.preferred_s >= FOREVER else each.preferred_s,
            }
            for each in one.addresses
        ],
    }


def _route(one: Route, devices: dict[int, str]) -> Record:
    number = one.interface
    return {
        "target": str(one.target),
        "gateway": None if one.gateway is None else str(one.gateway),
        "device": None if number is None else devices.get(number, str(number)),
        "tag": one.tag,
        "flags": one.flags,
        "source": None if one.source is None else str(one.source),
    }


def _neighbour(one: Neighbour, interfaces: Sequence[Interface]) -> Record:
    near = [
        each.device
        for each in interfaces
        if any(address.ip == one.interface for address in each.addresses)
    ]
    digits = len(one.mac) == _MAC_DIGITS
    pairs = (one.mac[at : at + 2] for at in range(0, _MAC_DIGITS, 2))
    return {
        "address": str(one.ip),
        "mac": None if not one.known else ":".join(pairs) if digits else one.mac,
        "state": "known" if one.known else "asked",
        "device": near[0] if near else None,
    }


def _print(found: dict[str, list[Record]], *, as_json: bool) -> None:
    """One table by itself, several with their names."""
    if as_json:
        print_json(found if len(found) > 1 else next(iter(found.values())))
        return
    for at, (name, records) in enumerate(found.items()):
        if len(found) > 1:
            standard.put(b"\n" * (at > 0))
            standard.put_line(f"{name}:")
        _print_table(_COLUMNS[name], records)


def _print_table(columns: Sequence[str], records: Sequence[Record]) -> None:
    rows = [columns, *([_cell(each[name]) for name in columns] for each in records)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(f"{word:{width}}" for word, width in zip(row, widths, strict=True))
        standard.put_line(line.rstrip())


def _cell(value: object) -> str:
    if isinstance(value, list):
        return " ".join(each["address"] for each in value) or "-"
    return "-" if value is None or value == "" else str(value)


def _print_counts(found: dict[str, dict[str, str]], *, as_json: bool) -> None:
    if as_json:
        numbers = {
            net: {name: int(value) if value.isdecimal() else value for name, value in each.items()}
            for net, each in found.items()
        }
        print_json(numbers)
        return
    for net, each in found.items():
        standard.put_line(f"{net}:")
        for name, value in each.items():
            standard.put_line(f"    {name}: {value}" if name else f"    {value}")
