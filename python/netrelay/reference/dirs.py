"""Stat records (stat(5)) and the entries of Rreaddir."""

from __future__ import annotations

from netrelay.errors import DecodeError, UsageError
from netrelay.reference.cursor import Cursor, packed, packed_qid
from netrelay.types import Dialect, Dirent, Stat

_INTEGERS = (("mode", 4), ("atime", 4), ("mtime", 4), ("length", 8))
_NAMES = ("name", "uid", "gid", "muid")
_NUMBERS = ("n_uid", "n_gid", "n_muid")


def pack_stat(stat: Stat, dialect: Dialect) -> bytes:
    """One record with its own size[2] in front."""
    body = bytearray()
    try:
        body += stat.type.to_bytes(2, "little") + stat.dev.to_bytes(4, "little")
        body += packed_qid(stat.qid)
        for field, size in _INTEGERS:
            body += getattr(stat, field).to_bytes(size, "little")
        for field in _NAMES:
            body += packed(getattr(stat, field))
        numbers = [getattr(stat, field).to_bytes(4, "little") for field in _NUMBERS]
        if dialect is Dialect.U:
            body += packed(stat.extension) + b"".join(numbers)
        return len(body).to_bytes(2, "little") + body
    except OverflowError as err:
        raise UsageError(f"stat: {err}") from None


def read_stat(data: memoryview, dialect: Dialect, message: str, field: str) -> Stat:
    """The one record that fills `data`; `message` and `field` are for the refusal."""
    try:
        cursor = Cursor(data, message)
        stat = _take_stat(cursor, dialect)
    except DecodeError as err:
        if err.reason in ("utf8", "nul"):
            raise DecodeError(err.reason, message, field) from None
        raise DecodeError("stat", message, field) from None
    if cursor.left():
        raise DecodeError("stat", message, field)
    return stat


def unpack_stats(data: bytes | memoryview, dialect: Dialect) -> list[Stat]:
    """The records of a directory read."""
    stats = []
    left = memoryview(data)
    while left:
        size = 2 + int.from_bytes(left[:2], "little")
        if size > len(left):
            raise DecodeError("short", "stat", "size")
        stats.append(read_stat(left[:size], dialect, "stat", "record"))
        left = left[size:]
    return stats


def pack_dirents(entries: list[Dirent]) -> bytes:
    """The data of an Rreaddir."""
    return b"".join(
        packed_qid(each.qid)
        + each.offset.to_bytes(8, "little")
        + each.type.to_bytes(1)
        + packed(each.name)
        for each in entries
    )


def unpack_dirents(data: bytes | memoryview) -> list[Dirent]:
    """The entries of an Rreaddir."""
    cursor = Cursor(memoryview(data), "Rreaddir")
    entries = []
    while cursor.left():
        qid, offset = cursor.qid("qid"), cursor.integer(8, "offset")
        entries.append(Dirent(qid, offset, cursor.integer(1, "type"), cursor.string("name")))
    return entries


def _take_stat(cursor: Cursor, dialect: Dialect) -> Stat:
    size = cursor.integer(2, "size")
    if size != cursor.left():
        raise DecodeError("stat", cursor.message, "size")
    kind, dev, qid = (
        cursor.integer(2, "type"),
        cursor.integer(4, "dev"),
        cursor.qid("qid"),
    )
    mode, atime, mtime, length = (cursor.integer(count, name) for name, count in _INTEGERS)
    name, uid, gid, muid = (cursor.string(name) for name in _NAMES)
    stat = Stat(kind, dev, qid, mode, atime, mtime, length, name, uid, gid, muid)
    if dialect is not Dialect.U:
        return stat
    extension = cursor.string("extension")
    n_uid, n_gid, n_muid = (cursor.integer(4, name) for name in _NUMBERS)
    return stat._replace(extension=extension, n_uid=n_uid, n_gid=n_gid, n_muid=n_muid)
