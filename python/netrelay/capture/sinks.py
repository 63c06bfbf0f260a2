"""What becomes of each frame: a line, a JSON object, or a block of pcapng."""

from __future__ import annotations

import json
import time
from importlib.metadata import version
from typing import Final, Protocol

from netrelay.capture import pcapng, summary

_NS: Final = 1_000_000_000


class Sink(Protocol):
    """Where frames go."""

    def head(self, interface: str) -> bytes:
        """What comes before the first one."""

    def frame(self, frame: bytes, time_ns: int) -> bytes:
        """One frame, which came that many nanoseconds after 1970."""


class Lines:
    """A line a frame."""

    def head(self, interface: str) -> bytes:
        """Nothing."""
        del interface
        return b""

    def frame(self, frame: bytes, time_ns: int) -> bytes:
        """The local time of day, and what the frame is."""
        seconds, rest = divmod(time_ns, _NS)
        when = time.strftime("%H:%M:%S", time.localtime(seconds))
        return f"{when}.{rest // 1000:06} {summary.line(frame)}\n".encode()


class Records:
    """A JSON object a line."""

    def __init__(self, snaplen: int) -> None:
        self._snaplen = snaplen

    def head(self, interface: str) -> bytes:
        """Nothing."""
        del interface
        return b""

    def frame(self, frame: bytes, time_ns: int) -> bytes:
        """When, how long, what, and the bytes in hexadecimal."""
        kept = frame[: self._snaplen] if self._snaplen else frame
        record = {
            "time_ns": time_ns,
            "length": len(frame),
            "summary": summary.line(frame),
            "frame": kept.hex(),
        }
        return f"{json.dumps(record)}\n".encode()


class Capture:
    """A file of pcapng."""

    def __init__(self, snaplen: int, wanted: str | None) -> None:
        self._snaplen = snaplen
        self._wanted = wanted

    def head(self, interface: str) -> bytes:
        """The section and its interface."""
        about_us = f"netrelay {version('netrelay')}"
        return pcapng.head(
            interface, application=about_us, snaplen=self._snaplen, wanted=self._wanted
        )

    def frame(self, frame: bytes, time_ns: int) -> bytes:
        """A block."""
        kept = frame[: self._snaplen] if self._snaplen else frame
        return pcapng.packet(kept, time_ns=time_ns, length=len(frame))
