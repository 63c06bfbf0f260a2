"""`netrelay ls`, `cat`, `write`, `stat`: a gateway's files from the shell."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from netrelay import client
from netrelay.cli import standard
from netrelay.cli.errors import NOT_YOURS, about, run
from netrelay.cli.options import gateway_options, json_option, print_json
from netrelay.errors import NetError
from netrelay.types import DMDIR, QTDIR, Stat

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(
    short_help="List a directory.", epilog="Example: netrelay ls -l 'tcp!127.0.0.1!5640' /net/tcp"
)
@click.argument("address", metavar="ADDR")
@click.argument("path", default="/")
@click.option("-l", "--long", "long", is_flag=True, help="Mode, owner, length and time too.")
@json_option
@gateway_options
def ls(*, address: str, path: str, long: bool, as_json: bool, user: str | None, aname: str) -> None:
    """List a directory of the gateway at ADDR, one name a line."""

    async def work() -> list[Stat]:
        async with client.connect(address, uname=user, aname=aname) as session:
            with about(path, denied=NOT_YOURS):
                return await session.ls(path)

    entries = run(work)
    if as_json:
        print_json([_record(entry) for entry in entries])
    elif long:
        _print_long(entries)
    else:
        for entry in entries:
            standard.put_line(entry.name)


@click.command(
    short_help="Print a file.",
    epilog="Example: netrelay cat 'tcp!127.0.0.1!5640' /net/tcp/0/status",
)
@click.argument("address", metavar="ADDR")
@click.argument("path")
@gateway_options
def cat(address: str, path: str, user: str | None, aname: str) -> None:
    """Print a file of the gateway at ADDR; what waits for more is printed as it comes."""

    async def work() -> None:
        async with client.connect(address, uname=user, aname=aname) as session:
            with about(path, denied=NOT_YOURS):
                async with await session.open(path) as file:
                    if file.qid.type & QTDIR:
                        raise NetError("is a directory: `netrelay ls` lists it")
                    # What has come of a stream is a piece; this is the most that it may be.
                    while piece := await file.read(standard.PIECE):
                        standard.put(piece)

    run(work)


@click.command(
    short_help="Write standard input to a file.",
    epilog="Example: printf 'set tcp' | netrelay write 'tcp!127.0.0.1!5640' /net/log",
)
@click.argument("address", metavar="ADDR")
@click.argument("path")
@gateway_options
def write(address: str, path: str, user: str | None, aname: str) -> None:
    """Write standard input to a file of the gateway at ADDR, in one piece if it fits."""
    data = standard.take_all()

    async def work() -> None:
        async with client.connect(address, uname=user, aname=aname) as session:
            with about(path, denied=NOT_YOURS):
                await session.write(path, data)

    run(work)


@click.command(
    short_help="Print the stat record of a file.",
    epilog="Example: netrelay stat 'tcp!127.0.0.1!5640' /net/tcp/clone",
)
@click.argument("address", metavar="ADDR")
@click.argument("path")
@json_option
@gateway_options
def stat(address: str, path: str, as_json: bool, user: str | None, aname: str) -> None:
    """Print the stat record of a file of the gateway at ADDR."""

    async def work() -> Stat:
        async with client.connect(address, uname=user, aname=aname) as session:
            with about(path, denied=NOT_YOURS):
                return await session.stat(path)

    record = _record(run(work))
    if as_json:
        print_json(record)
    else:
        for name, value in record.items():
            standard.put_line(f"{name} {value}")


def mode_text(mode: int) -> str:
    """`d-r-xr-xr-x`'s shape of ls(1) in Plan 9: type, exclusiveness, nine permissions."""
    bits = "".join(letter if mode & (0o400 >> at) else "-" for at, letter in enumerate("rwxrwxrwx"))
    return f"{'d' if mode & DMDIR else '-'}{bits}"


def _record(entry: Stat) -> dict[str, object]:
    return {
        "name": entry.name,
        "mode": mode_text(entry.mode),
        "uid": entry.uid,
        "gid": entry.gid,
        "muid": entry.muid,
        "length": entry.length,
        "atime": entry.atime,
        "mtime": entry.mtime,
        "qid": f"({entry.qid.path:016x} {entry.qid.vers} {entry.qid.type})",
    }


def _print_long(entries: Sequence[Stat]) -> None:
    owner = max((len(entry.uid) for entry in entries), default=0)
    group = max((len(entry.gid) for entry in entries), default=0)
    for entry in entries:
        when = time.strftime("%b %d %H:%M", time.localtime(entry.mtime))
        standard.put_line(
            f"{mode_text(entry.mode)} {entry.uid:{owner}} {entry.gid:{group}} "
            f"{entry.length:8d} {when} {entry.name}"
        )
