"""The same acts in each dialect: opening, creating, attributes, the entries of a directory.

9P2000.L has Tlopen, Tgetattr and Treaddir where 9P2000 and 9P2000.u have Topen, Tstat and Tread of
a directory, and it has no names, no text owners and no texts of errors. Checks speak of
acts; here is which messages they are.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, NamedTuple

from netrelay import messages as m
from netrelay.types import DMDIR, NONUNAME, Dialect, Qid, Stat

if TYPE_CHECKING:
    from netrelay.conform.exchange import Exchange

PERMISSIONS = 0o777
# Tgetattr: what stat(2) wants to know.
BASIC = 0x7FF
MODE_BIT = 0x1
_UNTOUCHED_16 = 0xFFFF
_UNTOUCHED_32 = 0xFFFF_FFFF
_UNTOUCHED_64 = 0xFFFF_FFFF_FFFF_FFFF


class Attributes(NamedTuple):
    """What a server says of a file; names and owners are None in 9P2000.L, which has none."""

    qid: Qid
    directory: bool
    permissions: int
    length: int
    name: str | None = None
    uid: str | None = None
    gid: str | None = None
    muid: str | None = None


class Entry(NamedTuple):
    """A directory entry; `attributes` is None in 9P2000.L, `offset` 0 elsewhere."""

    name: str
    qid: Qid
    attributes: Attributes | None = None
    offset: int = 0


def opening(dialect: Dialect, fid: int, mode: int) -> m.Topen | m.Tlopen:
    """The request that opens a fid; Linux's flags for OREAD, OWRITE and ORDWR are the same."""
    return m.Tlopen(fid, mode) if dialect is Dialect.L else m.Topen(fid, mode)


def creating(dialect: Dialect, fid: int, name: str) -> m.Message:
    """The request that creates a plain file."""
    if dialect is Dialect.L:
        return m.Tlcreate(fid, name, 1, 0o644, 0)
    return m.Tcreate(fid, name, 0o644, 1)


def asking(dialect: Dialect, fid: int) -> m.Message:
    """The request for a file's attributes, which no server refuses for a good fid."""
    return m.Tgetattr(fid, BASIC) if dialect is Dialect.L else m.Tstat(fid)


def changing_mode(dialect: Dialect, fid: int, mode: int) -> m.Message:
    """The request that sets a file's permissions and touches nothing else (stat(5))."""
    if dialect is Dialect.L:
        return m.Tsetattr(fid, MODE_BIT, mode, *[0] * 7)
    return m.Twstat(fid, untouched()._replace(mode=mode))


def untouched() -> Stat:
    """The stat record that changes nothing (stat(5), "don't touch")."""
    return Stat(
        type=_UNTOUCHED_16,
        dev=_UNTOUCHED_32,
        qid=Qid(0xFF, _UNTOUCHED_32, _UNTOUCHED_64),
        mode=_UNTOUCHED_32,
        atime=_UNTOUCHED_32,
        mtime=_UNTOUCHED_32,
        length=_UNTOUCHED_64,
        name="",
        uid="",
        gid="",
        muid="",
        extension="",
        n_uid=NONUNAME,
        n_gid=NONUNAME,
        n_muid=NONUNAME,
    )


async def attributes(exchange: Exchange, fid: int) -> Attributes:
    """Ask for a file's attributes. Errors: `Refusal`."""
    if exchange.dialect is Dialect.L:
        got = await exchange.rpc(m.Tgetattr(fid, BASIC), m.Rgetattr)
        return Attributes(got.qid, stat.S_ISDIR(got.mode), got.mode & PERMISSIONS, got.size)
    return of_stat((await exchange.rpc(m.Tstat(fid), m.Rstat)).stat)


def of_stat(record: Stat) -> Attributes:
    """The attributes in a stat record."""
    return Attributes(
        record.qid,
        bool(record.mode & DMDIR),
        record.mode & PERMISSIONS,
        record.length,
        record.name,
        record.uid,
        record.gid,
        record.muid,
    )


async def entries(exchange: Exchange, fid: int, count: int) -> list[Entry]:
    """All entries of an open directory but `.` and `..`, asked for `count` bytes at a time."""
    if exchange.dialect is Dialect.L:
        return await _dirents(exchange, fid, count)
    found: list[Entry] = []
    offset = 0
    while data := (await exchange.rpc(m.Tread(fid, offset, count), m.Rread)).data:
        offset += len(data)
        found += [
            Entry(record.name, record.qid, of_stat(record))
            for record in exchange.core.unpack_stats(data, exchange.dialect)
        ]
    return found


async def _dirents(exchange: Exchange, fid: int, count: int) -> list[Entry]:
    found: list[Entry] = []
    offset = 0
    while data := (await exchange.rpc(m.Treaddir(fid, offset, count), m.Rreaddir)).data:
        for entry in exchange.core.unpack_dirents(data):
            offset = entry.offset
            if entry.name not in (".", ".."):
                found.append(Entry(entry.name, entry.qid, None, entry.offset))
    return found
