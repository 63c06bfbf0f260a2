"""Codec speed, one thread, messages a second: `codec.py PACKAGE SECONDS` prints JSON.

Run by the interpreter that has the package: ours is in .venv, the peers share an environment of
their own. Each job is what a program of that package does per message: header off, fields into
values, and the reverse. aio9p has no codec of its own, so its server's parser is
driven.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Jobs = dict[str, Callable[[], object]]

BURST = 100
TREAD = bytes.fromhex("17000000740100010000000000000000000000" + "00200000")
TWALK = bytes.fromhex("22000000 6e 0100 01000000 02000000 0300") + b"".join(
    len(name).to_bytes(2, "little") + name for name in (b"net", b"tcp", b"clone")
)
PAYLOAD = 1 << 20
RREAD = (
    (PAYLOAD + 11).to_bytes(4, "little")
    + bytes.fromhex("75 0100")
    + (PAYLOAD.to_bytes(4, "little") + bytes(PAYLOAD))
)
NAMES = ("decode Tread", "encode Tread", "decode Twalk 3", "decode Rread 1 MiB")


def main(package: str, seconds: str) -> None:
    """Measure every job of a package."""
    jobs = _JOBS.get(package, _ours)(package)
    json.dump({name: _rate(job, float(seconds)) for name, job in jobs.items()}, sys.stdout)


def _rate(job: Callable[[], object], seconds: float) -> float:
    job()
    done, begun = 0, time.perf_counter()
    while (passed := time.perf_counter() - begun) < seconds:
        for _ in range(BURST):
            job()
        done += BURST
    return done / passed


def _ours(name: str) -> Jobs:
    core = importlib.import_module("netrelay.core").load(name)
    dialect = importlib.import_module("netrelay.types").Dialect.P2000
    request = importlib.import_module("netrelay.messages").Tread(1, 0, 8192)
    decode, encode = core.decode, core.encode
    return {
        "decode Tread": lambda: decode(TREAD, dialect),
        "encode Tread": lambda: encode(1, request, dialect),
        "decode Twalk 3": lambda: decode(TWALK, dialect),
        "decode Rread 1 MiB": lambda: decode(RREAD, dialect),
    }


def _python_9p(_: str) -> Jobs:
    py9p: Any = importlib.import_module("py9p")
    request = py9p.Tread(tag=1, fid=1, offset=0, count=8192)
    return {
        "decode Tread": lambda: py9p.decode_message(TREAD),
        "encode Tread": lambda: py9p.encode_message(request),
        "decode Twalk 3": lambda: py9p.decode_message(TWALK),
        "decode Rread 1 MiB": lambda: py9p.decode_message(RREAD),
    }


def _pyroute2(_: str) -> Jobs:
    plan9: Any = importlib.import_module("pyroute2.plan9")
    marshal = plan9.Marshal9P()

    def encode() -> object:
        message = plan9.msg_tread()
        message["header"]["tag"] = 1
        message["fid"], message["offset"], message["count"] = 1, 0, 8192
        message.encode()
        return message.data

    return {
        "decode Tread": lambda: next(marshal.parse(TREAD)),
        "encode Tread": encode,
        "decode Twalk 3": lambda: next(marshal.parse(TWALK)),
        "decode Rread 1 MiB": lambda: next(marshal.parse(RREAD)),
    }


def _aio9p(_: str) -> Jobs:
    helper: Any = importlib.import_module("aio9p.helper")
    dialect: Any = importlib.import_module("aio9p.dialect.Py9P2000")
    extract = helper.extract

    async def take(*fields: object) -> object:
        return b""

    def decode(parse: Callable[..., Any], frame: bytes) -> object:
        size = extract(frame, 0, 4)
        extract(frame, 4, 1)
        try:
            return parse(take, frame[7:size]).send(None)
        except StopIteration as done:
            return done.value

    def decode_rread() -> tuple[int, bytes, bytes]:
        return extract(RREAD, 4, 1), RREAD[5:7], RREAD[7 : extract(RREAD, 0, 4)][4:]

    return {
        "decode Tread": lambda: decode(dialect.p9_read, TREAD),
        "decode Twalk 3": lambda: decode(dialect.p9_walk, TWALK),
        "decode Rread 1 MiB": decode_rread,
    }


_JOBS = {"python-9p": _python_9p, "pyroute2": _pyroute2, "aio9p": _aio9p}
PEERS = tuple(_JOBS)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
