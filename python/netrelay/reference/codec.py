"""Messages to bytes and back, one table for all of them.

The table says, for each message, its fields in wire order and how each is laid out:

    1 2 4 8   an unsigned integer of that many bytes, little-endian
    s         a string: length[2] and UTF-8 without NUL
    S Q       up to 16 strings, or qids, behind a count[2]
    q T       a qid; a stat record inside its own length[2]
    d         a payload: count[4] and the bytes
    n e x     n_uname[4] in .u and .L; errno[4] in .u; extension[s] in .u
    f         datasync[4], which old clients leave out

It decides nothing about whether a message is allowed now; that is the session's business.
"""

from __future__ import annotations

from typing import Final

from netrelay import messages as m
from netrelay.errors import DecodeError, UsageError
from netrelay.reference.cursor import Cursor, packed, packed_qid
from netrelay.reference.dirs import pack_stat, read_stat
from netrelay.types import MAXWELEM, NONUNAME, Dialect, Qid

HEADER: Final = 7

LAYOUT: Final[dict[type[m.Message], str]] = {
    m.Tversion: "msize:4 version:s",
    m.Rversion: "msize:4 version:s",
    m.Tauth: "afid:4 uname:s aname:s n_uname:n",
    m.Rauth: "aqid:q",
    m.Tattach: "fid:4 afid:4 uname:s aname:s n_uname:n",
    m.Rattach: "qid:q",
    m.Rerror: "ename:s errno:e",
    m.Tflush: "oldtag:2",
    m.Rflush: "",
    m.Twalk: "fid:4 newfid:4 wname:S",
    m.Rwalk: "wqid:Q",
    m.Topen: "fid:4 mode:1",
    m.Ropen: "qid:q iounit:4",
    m.Tcreate: "fid:4 name:s perm:4 mode:1 extension:x",
    m.Rcreate: "qid:q iounit:4",
    m.Tread: "fid:4 offset:8 count:4",
    m.Rread: "data:d",
    m.Twrite: "fid:4 offset:8 data:d",
    m.Rwrite: "count:4",
    m.Tclunk: "fid:4",
    m.Rclunk: "",
    m.Tremove: "fid:4",
    m.Rremove: "",
    m.Tstat: "fid:4",
    m.Rstat: "stat:T",
    m.Twstat: "fid:4 stat:T",
    m.Rwstat: "",
    m.Rlerror: "ecode:4",
    m.Tstatfs: "fid:4",
    m.Rstatfs: "type:4 bsize:4 blocks:8 bfree:8 bavail:8 files:8 ffree:8 fsid:8 namelen:4",
    m.Tlopen: "fid:4 flags:4",
    m.Rlopen: "qid:q iounit:4",
    m.Tlcreate: "fid:4 name:s flags:4 mode:4 gid:4",
    m.Rlcreate: "qid:q iounit:4",
    m.Tsymlink: "fid:4 name:s symtgt:s gid:4",
    m.Rsymlink: "qid:q",
    m.Tmknod: "dfid:4 name:s mode:4 major:4 minor:4 gid:4",
    m.Rmknod: "qid:q",
    m.Trename: "fid:4 dfid:4 name:s",
    m.Rrename: "",
    m.Treadlink: "fid:4",
    m.Rreadlink: "target:s",
    m.Tgetattr: "fid:4 request_mask:8",
    m.Rgetattr: (
        "valid:8 qid:q mode:4 uid:4 gid:4 nlink:8 "
        "rdev:8 size:8 blksize:8 blocks:8 atime_sec:8 atime_nsec:8 "
        "mtime_sec:8 mtime_nsec:8 ctime_sec:8 ctime_nsec:8 btime_sec:8 btime_nsec:8 "
        "gen:8 data_version:8"
    ),
    m.Tsetattr: (
        "fid:4 valid:4 mode:4 uid:4 gid:4 size:8 atime_sec:8 atime_nsec:8 mtime_sec:8 mtime_nsec:8"
    ),
    m.Rsetattr: "",
    m.Txattrwalk: "fid:4 newfid:4 name:s",
    m.Rxattrwalk: "size:8",
    m.Txattrcreate: "fid:4 name:s attr_size:8 flags:4",
    m.Rxattrcreate: "",
    m.Treaddir: "fid:4 offset:8 count:4",
    m.Rreaddir: "data:d",
    m.Tfsync: "fid:4 datasync:f",
    m.Rfsync: "",
    m.Tlock: "fid:4 type:1 flags:4 start:8 length:8 proc_id:4 client_id:s",
    m.Rlock: "status:1",
    m.Tgetlock: "fid:4 type:1 start:8 length:8 proc_id:4 client_id:s",
    m.Rgetlock: "type:1 start:8 length:8 proc_id:4 client_id:s",
    m.Tlink: "dfid:4 fid:4 name:s",
    m.Rlink: "",
    m.Tmkdir: "dfid:4 name:s mode:4 gid:4",
    m.Rmkdir: "qid:q",
    m.Trenameat: "olddirfid:4 oldname:s newdirfid:4 newname:s",
    m.Rrenameat: "",
    m.Tunlinkat: "dirfd:4 name:s flags:4",
    m.Runlinkat: "",
}

# Layouts of numbers that only some dialects have.
_ONLY_IN: Final = {"n": (Dialect.U, Dialect.L), "e": (Dialect.U,)}
_ONLY_L: Final = frozenset(number for number in m.MESSAGES if number < 100)
_NOT_L: Final = frozenset((107, 112, 113, 114, 115, 124, 125, 126, 127))


def decode(frame: bytes | memoryview, dialect: Dialect) -> tuple[int, m.Message]:
    """The tag and message of one whole frame; payloads are views of it.

    Errors: `DecodeError` when the body does not fit the type.
    """
    view = memoryview(frame)
    if len(view) < HEADER or int.from_bytes(view[:4], "little") != len(view):
        raise DecodeError("short", "frame", "size")
    number, tag = view[4], int.from_bytes(view[5:7], "little")
    kind = m.MESSAGES.get(number)
    if kind is None or number in (_NOT_L if dialect is Dialect.L else _ONLY_L):
        raise DecodeError("type", "frame", str(number))
    cursor = Cursor(view[HEADER:], kind.__name__)
    values = [
        _take(cursor, field, layout, dialect)
        for field, _, layout in (word.partition(":") for word in LAYOUT[kind].split())
    ]
    cursor.end()
    return tag, kind(*values)  # type: ignore[arg-type]  # the table has the right types


def encode(tag: int, message: m.Message, dialect: Dialect) -> bytes:
    """One whole frame.

    Errors: `UsageError` for a value that its field can't hold.
    """
    body = bytearray()
    layout = (word.partition(":")[2] for word in LAYOUT[type(message)].split())
    try:
        for value, kind in zip(message, layout, strict=True):
            _put(body, value, kind, dialect)
        size = (HEADER + len(body)).to_bytes(4, "little")
        return size + m.TYPES[type(message)].to_bytes(1) + tag.to_bytes(2, "little") + body
    except OverflowError as err:
        raise UsageError(f"{type(message).__name__}: {err}") from None


def _take(cursor: Cursor, field: str, layout: str, dialect: Dialect) -> object:
    match layout:
        case "1" | "2" | "4" | "8":
            return cursor.integer(int(layout), field)
        case "s":
            return cursor.string(field)
        case "q":
            return cursor.qid(field)
        case "S":
            return tuple(cursor.string(field) for _ in range(_count(cursor, field)))
        case "Q":
            return tuple(cursor.qid(field) for _ in range(_count(cursor, field)))
        case "d":
            return cursor.bytes(cursor.integer(4, field), field)
        case "T":
            size = cursor.integer(2, field)
            return read_stat(cursor.bytes(size, field), dialect, cursor.message, field)
        case "n":
            return NONUNAME if dialect is Dialect.P2000 else cursor.integer(4, field)
        case "e":
            return cursor.integer(4, field) if dialect is Dialect.U else 0
        case "x":
            return cursor.string(field) if dialect is Dialect.U else ""
        case _:
            return cursor.integer(4, field) if cursor.left() else 0


def _count(cursor: Cursor, field: str) -> int:
    count = cursor.integer(2, field)
    if count > MAXWELEM:
        raise DecodeError("count", cursor.message, field)
    return count


def _put(body: bytearray, value: object, layout: str, dialect: Dialect) -> None:
    match value:
        case int():
            # A number that no field holds is refused where the dialect does not send it, too.
            data = value.to_bytes(int(layout) if layout.isdigit() else 4, "little")
            body += data if dialect in _ONLY_IN.get(layout, Dialect) else b""
        case str():
            if layout != "x" or dialect is Dialect.U:
                body += packed(value)
        case Qid():
            body += packed_qid(value)
        case tuple() if layout == "T":
            record = pack_stat(value, dialect)  # type: ignore[arg-type]
            body += len(record).to_bytes(2, "little") + record
        case tuple():
            if len(value) > MAXWELEM:
                raise UsageError(f"more than {MAXWELEM} names")
            body += len(value).to_bytes(2, "little")
            for each in value:
                body += packed_qid(each) if isinstance(each, Qid) else packed(each)
        case bytes() | bytearray() | memoryview():
            body += len(value).to_bytes(4, "little") + value
        case _:
            raise UsageError(f"{type(value).__name__} has no place in a message")
