"""tshark, which shares no code with us, reads every message that we write.

A session of each dialect goes into a capture, one frame a packet, and every field that tshark
shows must be the one that was sent. Where tshark 4.0 itself is wrong or silent is said below,
message by message; a version that has learnt better fails here, and the list is to be shortened.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING, cast

import pytest

from netrelay import messages as m
from netrelay.reference.codec import LAYOUT
from netrelay.types import NONUNAME, NOTAG, Dialect, Qid, Stat
from tests.strategies.messages import kinds

if TYPE_CHECKING:
    from pathlib import Path

    from netrelay.core import Core

pytestmark = pytest.mark.interop

PORT = 564
RAW_IP = 101
# Called malformed, as it expects the flags of a Tlock there.
MALFORMED = ("Tgetlock", "Rgetlock")
# Shown as undissected bytes only; so is, in .u, the tail of a stat record.
UNREAD = {("Rerror", "errno"), ("Rlerror", "ecode"), ("Tauth", "n_uname"), ("Tfsync", "datasync")}
# What tshark calls a field, by message and field or by field alone.
WORDS = {
    "msize": "maxsize", "n_uname": "uid", "name": "wname", "symtgt": "wname", "target": "wname",
    "oldname": "wname", "newname": "wname", "client_id": "wname", "olddirfid": "dfid",
    "newdirfid": "newfid", "dirfd": "dfid", "mode": "statmode", "major": "mknod_major",
    "minor": "mknod_minor", "request_mask": "getattr_flags", "data_version": "dataversion",
    "start": "lock_start", "length": "lock_length", "proc_id": "lock_procid",
    "status": "lock_status", "attr_size": "size", "Topen.mode": "mode", "Tcreate.mode": "mode",
    "Tcreate.name": "filename", "Tlcreate.name": "filename", "Tlopen.flags": "statmode",
    "Tlcreate.flags": "lcreate_flags", "Txattrcreate.flags": "xattr_flag",
    "Tlock.flags": "lock_flag", "Tlock.type": "lock_type", "Tunlinkat.flags": "unlinkat_flags",
    "Rgetattr.valid": "getattr_flags", "Tsetattr.valid": "setattr_flags", "Rstatfs.type": "fstype",
    "Rstatfs.bsize": "blksize", "Tmkdir.dfid": "fid", "Tmknod.dfid": "fid",
}  # fmt: skip
Seen = dict[str, list[int | str]]


@pytest.fixture
def tshark() -> str:
    """Where it is."""
    found = shutil.which("tshark")
    if found is None:
        pytest.skip("tshark is not installed")
    return found


@pytest.mark.parametrize("dialect", Dialect)
def test_tshark_reads_every_message_as_it_was_meant(
    core: Core, dialect: Dialect, tshark: str, tmp_path: Path
) -> None:
    version = m.Tversion(8192, dialect.value), m.Rversion(8192, dialect.value)
    others = [sample(kind, dialect) for kind in kinds(dialect) if kind not in map(type, version)]
    tagged: list[tuple[int, m.Message]] = [(NOTAG, each) for each in version]
    tagged += enumerate(others)
    capture = tmp_path / "session.pcap"
    capture.write_bytes(pcap([core.encode(*each, dialect) for each in tagged]))
    for (tag, message), (seen, malformed) in zip(tagged, read(tshark, capture), strict=True):
        name = type(message).__name__
        meant = shown(message, dialect)
        assert seen.pop("msgtype") == [m.TYPES[type(message)]]
        assert seen.pop("tag") == [tag], name
        assert malformed == (name in MALFORMED), name
        if malformed:
            continue
        if name == "Tflush":
            # The oldtag is there a second time, undissected.
            assert seen.pop("message_data") == meant["oldtag"]
        # The wrong bytes of it, cut by the wrong length.
        seen.pop("extension", None)
        assert seen == meant, name


def sample(kind: type[m.Message], dialect: Dialect) -> m.Message:
    """A message in which no two fields are alike."""
    fields = enumerate(LAYOUT[kind].split(), 2)
    values = [_sample(number, word, dialect) for number, word in fields]
    return kind(*values)  # type: ignore[arg-type]  # the table has the right types


def _sample(number: int, word: str, dialect: Dialect) -> object:
    field, _, layout = word.partition(":")
    in_u = dialect is Dialect.U
    match layout:
        case "s":
            return f"{field}-{number}"
        case "q":
            return _qid(number)
        case "S":
            return ("net", "tcp", "clone")
        case "Q":
            return (_qid(1), _qid(2))
        case "d":
            return b"pay\0load"
        case "T":
            tail = ("extension", 8, 9, 10) if in_u else ()
            return Stat(1, 2, _qid(3), 0o644, 5, 6, 7, "ctl", "u-1", "g-2", "m-3", *tail)
        case "n":
            return NONUNAME if dialect is Dialect.P2000 else 7
        case "e":
            return 5 if in_u else 0
        case "x":
            return "extension" if in_u else ""
        case "8" if not field.endswith("sec"):
            return (1 << 40) + number
        case "4":
            return (1 << 16) + number
    return number


def _qid(number: int) -> Qid:
    return Qid(0x80, 0x1100 + number, 0x2200_0000_0000_0000 + number)


def shown(message: m.Message, dialect: Dialect) -> Seen:
    """What tshark is to make of it."""
    seen: Seen = {}
    name = type(message).__name__
    for word in LAYOUT[type(message)].split():
        field, _, layout = word.partition(":")
        value = getattr(message, field)
        absent = {"n": dialect is Dialect.P2000, "e": dialect is not Dialect.U, "x": True}
        if absent.get(layout, False):
            continue
        if (name, field) in UNREAD:
            _see(seen, "message_data", value)
        else:
            _show(seen, name, field, value, dialect)
    return seen


def _show(seen: Seen, name: str, field: str, value: object, dialect: Dialect) -> None:
    match value:
        case Qid(kind, vers, path):
            for key, number in (("qidtype", kind), ("qidvers", vers), ("qidpath", path)):
                _see(seen, key, number)
        case Stat():
            words = {"type": "stattype", "mode": "statmode", "name": "filename", "uid": "user",
                     "gid": "group"}  # fmt: skip
            for part, each in zip(Stat._fields[:11], value, strict=False):
                if isinstance(each, Qid):
                    _show(seen, name, part, each, dialect)
                else:
                    _see(seen, words.get(part, part), each)
            if dialect is Dialect.U:
                tail = struct.pack("<H9sIII", 9, value.extension.encode(), *value[12:])
                _see(seen, "message_data", int.from_bytes(tail, "little"))
        case bytes():
            _see(seen, "count", len(value))
            _see(seen, "data", int.from_bytes(value, "little"))
        case tuple():
            _see(seen, "nwalk" if name == "Twalk" else "nqid", len(value))
            for each in value:
                _show(seen, name, field, each, dialect)
        case int() if field.endswith("_nsec"):
            key = field.removesuffix("_nsec")
            seen[key] = [f"{seen[key][0]}.{value:09}"]
        case int() | str():
            word = WORDS.get(f"{name}.{field}", WORDS.get(field, field))
            if word in ("getattr_flags", "setattr_flags") and isinstance(value, int):
                # Of these tshark shows only the bits that it has a name for.
                value &= 0x1FF
            _see(seen, word.removesuffix("_sec"), value)


def _see(seen: Seen, key: str, value: object) -> None:
    times = ("atime", "mtime", "ctime", "btime")
    text = str(value) if key in times else value
    seen.setdefault(key, []).append(cast("int | str", text))


def read(tshark: str, capture: Path) -> list[tuple[Seen, bool]]:
    """The fields of each frame, and whether tshark calls it malformed."""
    command = [tshark, "-r", str(capture), "-d", f"tcp.port=={PORT},9p", "-T", "ek"]
    run = subprocess.run(command, capture_output=True, check=True, timeout=120)
    layers = [json.loads(line).get("layers") for line in run.stdout.splitlines()]
    return [(_dissected(each), "_ws_malformed" in each) for each in layers if each is not None]


def _dissected(layers: dict[str, dict[str, object]]) -> Seen:
    seen: Seen = {}
    fields = {key.removeprefix("9p_9p_"): value for key, value in layers["9p"].items()}
    if "data" in layers:
        fields["data"] = layers["data"]["data_data_data"]
    for key, value in fields.items():
        values = value if isinstance(value, list) else [value]
        single_bit = isinstance(values[0], bool) or key == "mode_rwx"
        if not single_bit and key not in ("msglen", "paramsz", "sdlen", "text"):
            seen[key] = [_parsed(key, str(each)) for each in values]
    return seen


def _parsed(key: str, text: str) -> int | str:
    if key in ("message_data", "data"):
        return int.from_bytes(bytes.fromhex(text.replace(":", "")), "little")
    if key in ("atime", "mtime", "ctime", "btime"):
        hours, minutes, seconds = text.removeprefix("1970-01-01T").removesuffix("Z").split(":")
        whole, _, nanoseconds = seconds.partition(".")
        passed = str(int(hours) * 3600 + int(minutes) * 60 + int(whole))
        return passed if not int(nanoseconds) else f"{passed}.{nanoseconds}"
    try:
        return int(text, 0)
    except ValueError:
        return text


def pcap(frames: list[bytes]) -> bytes:
    """A capture of one TCP connection, one frame a packet, from the first byte on."""
    capture = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW_IP)
    sent = [1, 1]
    for frame in frames:
        way = frame[4] % 2
        ports = (PORT, 40000) if way else (40000, PORT)
        tcp = struct.pack(">HHIIBBHHH", *ports, sent[way], sent[1 - way], 0x50, 0x18, 65535, 0, 0)
        hosts = bytes((10, 0, 0, 1 + way)), bytes((10, 0, 0, 2 - way))
        size = 20 + len(tcp) + len(frame)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, size, 1, 0, 64, 6, 0, *hosts)
        sent[way] += len(frame)
        capture += struct.pack("<IIII", 1, 0, size, size) + ip + tcp + frame
    return capture
