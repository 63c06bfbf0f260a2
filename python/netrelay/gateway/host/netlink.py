"""Requests to the kernel by rtnetlink(7), one at a time, in the thread's network namespace.

pyroute2 knows what the messages hold; the exchange is ours, so that a table is read as far as it is
wanted and no further: the kernel of a router can have a million routes. Blocks on the kernel only,
which answers at once.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import struct
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from pyroute2.netlink.exceptions import NetlinkDecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

# pyroute2 has no types: a mapping of the fields, and in `attrs` a list of names and values.
Message: TypeAlias = Any

# What replaces, must be new, or may be.
REPLACE, EXCLUSIVE, CREATE = 0x100, 0x200, 0x400

_PATIENCE_S: Final = 5.0
_BUFFER: Final = 1 << 18
_SOL_NETLINK: Final = 270
# An error without the request that it is about, with words, and dumps that the kernel filters
# (NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK). Kernels before 4.20 lack some.
_OPTIONS: Final = (10, 11, 12)
_HEADER: Final = struct.Struct("=IHHII")
_CODE: Final = struct.Struct("=i")
_ATTRIBUTE: Final = struct.Struct("=HH")
_WORDS: Final = 1
_ERROR, _DONE = 2, 3
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300

log = logging.getLogger("netrelay.gateway")


class Netlink:
    """A socket for a few requests. What is left of an answer goes with it."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC)
        self._socket.settimeout(_PATIENCE_S)
        for option in _OPTIONS:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, at: TracebackType | None
    ) -> None:
        self._socket.close()

    def dump(self, message: Message, kind: int) -> Iterator[Message]:
        """A whole table. Who leaves off before its end asks for no other here. Errors: OSError."""
        return self._ask(message, kind, _DUMP)

    def one(self, message: Message, kind: int) -> Message:
        """The one message that is asked for. Errors: OSError."""
        for found in self._ask(message, kind, 0):
            return found
        raise OSError(errno.ENODATA, os.strerror(errno.ENODATA))

    def change(self, message: Message, kind: int, flags: int = 0) -> None:
        """Have something changed. Errors: OSError; the kernel's words are logged."""
        for _ in self._ask(message, kind, _ACK | flags):
            pass

    def _ask(self, message: Message, kind: int, flags: int) -> Iterator[Message]:
        self._sequence += 1
        header = message["header"]
        header["type"], header["flags"] = kind, _REQUEST | flags
        header["sequence_number"] = self._sequence
        message.encode()
        self._socket.send(message.data)
        while True:
            for found, raw in self._received():
                if found == _ERROR:
                    _check(raw)
                    return
                if found == _DONE:
                    _check_end(raw)
                    return
                yield _decoded(message, raw)
                if not flags:
                    return

    def _received(self) -> Iterator[tuple[int, bytes]]:
        """The messages of one receive: their types, and themselves."""
        data = self._socket.recv(_BUFFER)
        at = 0
        while at + _HEADER.size <= len(data):
            length, kind, _, sequence, _ = _HEADER.unpack_from(data, at)
            if length < _HEADER.size:
                return
            if sequence == self._sequence:
                yield kind, data[at : at + length]
            at += (length + 3) & ~3


def attributes(message: Message, wanted: frozenset[str]) -> dict[str, Any]:
    """Those attributes of a message that it has. The others are not even decoded."""
    return {slot[0]: slot[1] for slot in message["attrs"] if slot[0] in wanted}


def _decoded(request: Message, raw: bytes) -> Message:
    answer = type(request)(raw)
    try:
        answer.decode()
    except NetlinkDecodeError:
        raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG)) from None
    return answer


def _check(raw: bytes) -> None:
    """What an error or an acknowledgement says. Errors: OSError."""
    (code,) = _CODE.unpack_from(raw, _HEADER.size)
    if code:
        log.info("kernel refuses %s: %s", os.strerror(-code), _words(raw))
        raise OSError(-code, os.strerror(-code))


def _check_end(raw: bytes) -> None:
    """A dump that failed says so at its end. Errors: OSError."""
    if len(raw) >= _HEADER.size + _CODE.size:
        (code,) = _CODE.unpack_from(raw, _HEADER.size)
        if code < 0:
            raise OSError(-code, os.strerror(-code))


def _words(raw: bytes) -> str:
    """The kernel's reason, from the attributes behind the header of what it refuses."""
    at = _HEADER.size + _CODE.size + _HEADER.size
    while at + _ATTRIBUTE.size <= len(raw):
        length, kind = _ATTRIBUTE.unpack_from(raw, at)
        if kind == _WORDS:
            return raw[at + _ATTRIBUTE.size : at + length].rstrip(b"\0").decode(errors="replace")
        at += max(_ATTRIBUTE.size, (length + 3) & ~3)
    return ""
