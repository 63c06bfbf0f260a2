"""One session used: tags and frames out, replies in, without I/O (docs/protocol.md, section 7).

The caller sends what it is given and feeds what it receives. A tag is free again only when its
reply has come, or, once a flush of it is out, when the flush's reply has: until then the old reply
may still arrive and must be honoured.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass
from typing import Final

from netrelay import messages as m
from netrelay.errors import DecodeError, PeerError, UsageError
from netrelay.reference.codec import decode, encode
from netrelay.reference.deframe import Deframer
from netrelay.types import (
    DEFAULT_MSIZE,
    FIRST_MSIZE,
    MIN_MSIZE,
    NOTAG,
    WINDOWED,
    ClientEvent,
    Dialect,
    Flushed,
    Ready,
    Reply,
    Retry,
)

_PLAIN: Final = "9P2000"


@dataclass
class _Request:
    """A request in flight; `flushes` counts the flushes of it in flight."""

    message: m.Message
    replied: bool = False
    flushes: int = 0


class ClientSession:
    """A session from our side; `msize` is in bytes and `version` what is offered first."""

    def __init__(self, *, msize: int = DEFAULT_MSIZE, version: str = WINDOWED) -> None:
        self.dialect = Dialect.P2000
        self.msize = msize
        self.windowed = False
        self._offered = version
        self._ready = False
        self._deframer = Deframer(max(msize, FIRST_MSIZE))
        self._flying: dict[int, _Request] = {}
        self._free: list[int] = []
        self._fresh = 0
        self._events: deque[ClientEvent] = deque()
        self._failure: DecodeError | PeerError | None = None

    def hello(self) -> bytes:
        """The Tversion frame, to be sent first."""
        return encode(NOTAG, m.Tversion(self.msize, self._offered), Dialect.P2000)

    def request(self, message: m.Message) -> tuple[int, bytes]:
        """A tag, the lowest free, and the frame.

        Errors: `UsageError` before the version is agreed, without a free tag, above msize.
        """
        if m.TYPES[type(message)] % 2 or isinstance(message, m.Tversion | m.Tflush):
            raise UsageError(f"{type(message).__name__} is not for request()")
        return self._launch(message)

    def flush(self, tag: int) -> bytes:
        """The Tflush of a request in flight.

        Errors: `UsageError` when it is not in flight, or is itself a Tflush.
        """
        request = self._flying.get(tag)
        if request is None or isinstance(request.message, m.Tflush):
            raise UsageError(f"tag {tag} is not in flight")
        _, frame = self._launch(m.Tflush(tag))
        request.flushes += 1
        return frame

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes as they come; can't fail."""
        self._deframer.feed(data)

    def next_event(self) -> ClientEvent | None:
        """What has come, or nothing yet.

        Errors: `FrameError`, `DecodeError`, `PeerError`: the session is over, and every later call
        raises the same.
        """
        while not self._events:
            if self._failure is not None:
                raise self._failure
            frame = self._deframer.next_frame()
            if frame is None:
                return None
            try:
                self._receive(frame)
            except (DecodeError, PeerError) as err:
                self._failure = err
        return self._events.popleft()

    def _receive(self, frame: bytes) -> None:
        tag, message = decode(frame, self.dialect)
        if not m.TYPES[type(message)] % 2:
            raise DecodeError("type", "frame", str(frame[4]))
        if self._ready:
            self._take(tag, message)
        else:
            self._agree(message)

    def _agree(self, message: m.Message) -> None:
        """version(5), from the client's side."""
        if isinstance(message, m.Rerror):
            raise PeerError(f"version refused: {message.ename}")
        if not isinstance(message, m.Rversion):
            raise PeerError(f"{type(message).__name__} before Rversion")
        if message.version == "unknown" and self._offered != _PLAIN:
            self._offered = _PLAIN
            self._events.append(Retry(self.hello()))
            return
        if message.version not in (self._offered, _PLAIN):
            raise PeerError(f"version {message.version} was not offered")
        if not MIN_MSIZE <= message.msize <= self.msize:
            raise PeerError(f"nonsense value of msize: {message.msize}")
        self.msize = self._deframer.msize = message.msize
        self.dialect = Dialect.of(message.version)
        self.windowed = message.version == WINDOWED
        self._ready = True
        self._events.append(Ready(self.dialect, self.msize, self.windowed))

    def _take(self, tag: int, message: m.Message) -> None:
        request = self._flying.get(tag)
        if request is None or request.replied:
            raise PeerError(f"{type(message).__name__} for tag {tag}, which is not in flight")
        expected = m.MESSAGES[m.TYPES[type(request.message)] + 1]
        failed = isinstance(message, m.Rerror | m.Rlerror)
        if isinstance(request.message, m.Tflush):
            if not isinstance(message, m.Rflush):
                raise PeerError(f"{type(message).__name__} answers Tflush")
            self._flushed(tag, request.message.oldtag)
        elif failed or type(message) is expected:
            request.replied = True
            self._events.append(Reply(tag, message))
            if not request.flushes:
                self._release(tag)
        else:
            raise PeerError(f"{type(message).__name__} answers {type(request.message).__name__}")

    def _flushed(self, tag: int, oldtag: int) -> None:
        old = self._flying[oldtag]
        old.flushes -= 1
        self._release(tag)
        if not old.flushes:
            self._events.append(Flushed(oldtag, old.replied))
            self._release(oldtag)

    def _launch(self, message: m.Message) -> tuple[int, bytes]:
        if not self._ready:
            raise UsageError("no version agreed yet")
        tag = self._free[0] if self._free else self._fresh
        if tag == NOTAG:
            raise UsageError("no tag is free")
        frame = encode(tag, message, self.dialect)
        if len(frame) > self.msize:
            raise UsageError(f"frame of {len(frame)} bytes exceeds msize {self.msize}")
        if self._free:
            heapq.heappop(self._free)
        else:
            self._fresh += 1
        self._flying[tag] = _Request(message)
        return tag, frame

    def _release(self, tag: int) -> None:
        self._flying.pop(tag, None)
        heapq.heappush(self._free, tag)
