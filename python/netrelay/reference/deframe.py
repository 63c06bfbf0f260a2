"""A stream of bytes into whole frames, the same for every way of cutting the stream.

`feed` can't fail and `next_frame` can: whole frames ahead of a bad size are delivered whatever
came with them.
"""

from __future__ import annotations

from netrelay.errors import FrameError

HEADER = 7


class Deframer:
    """Frames of at most `msize` bytes."""

    def __init__(self, msize: int) -> None:
        self.msize = msize
        self._held = bytearray()

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes as they come."""
        self._held += data

    def next_frame(self) -> bytes | None:
        """The next whole frame, if it is there.

        Errors: `FrameError`, now and for ever, once a size is wrong.
        """
        if len(self._held) < 4:
            return None
        size = int.from_bytes(self._held[:4], "little")
        if size < HEADER:
            raise FrameError(f"frame of {size} bytes is shorter than its header")
        if size > self.msize:
            raise FrameError(f"frame of {size} bytes exceeds msize {self.msize}")
        if len(self._held) < size:
            return None
        frame = bytes(self._held[:size])
        del self._held[:size]
        return frame
