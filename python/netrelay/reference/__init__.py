"""9P2000, .u and .L and a gateway in the standard library: what the Rust core is proven equal to.

Written to be read beside the manual: slices, dicts and `int.from_bytes`, one idea a file. It runs
where there is no extension, and with `--core=python`.
"""

from netrelay.reference.client import ClientSession
from netrelay.reference.codec import decode, encode
from netrelay.reference.deframe import Deframer
from netrelay.reference.dirs import (
    pack_dirents,
    pack_stat,
    unpack_dirents,
    unpack_stats,
)
from netrelay.reference.server import ServerSession
from netrelay.reference.text import from_text, to_text

__all__ = [
    "ClientSession",
    "Deframer",
    "ServerSession",
    "decode",
    "encode",
    "from_text",
    "pack_dirents",
    "pack_stat",
    "to_text",
    "unpack_dirents",
    "unpack_stats",
]
