"""Reading and writing a message's body piece by piece, never beyond its end.

Every read names the field it is for, so that a refusal says which one the frame is too short for.
"""

from __future__ import annotations

from netrelay.errors import DecodeError, UsageError
from netrelay.types import Qid


class Cursor:
    """A place in the body of a message called `message`."""

    def __init__(self, data: memoryview, message: str) -> None:
        self._data = data
        self.message = message

    def left(self) -> int:
        """Bytes not read yet."""
        return len(self._data)

    def bytes(self, count: int, field: str) -> memoryview:
        """The next `count` bytes, as a view."""
        if count > len(self._data):
            raise DecodeError("short", self.message, field)
        taken, self._data = self._data[:count], self._data[count:]
        return taken

    def integer(self, size: int, field: str) -> int:
        """An unsigned integer of `size` bytes."""
        return int.from_bytes(self.bytes(size, field), "little")

    def string(self, field: str) -> str:
        """A string: length[2], then UTF-8 without NUL."""
        data = bytes(self.bytes(self.integer(2, field), field))
        if b"\0" in data:
            raise DecodeError("nul", self.message, field)
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise DecodeError("utf8", self.message, field) from None

    def qid(self, field: str) -> Qid:
        """type[1] vers[4] path[8]; a short one is short as a whole."""
        data = self.bytes(13, field)
        return Qid(
            data[0],
            int.from_bytes(data[1:5], "little"),
            int.from_bytes(data[5:], "little"),
        )

    def end(self) -> None:
        """The message must be over."""
        if self._data:
            raise DecodeError("trailing", self.message, "end")


def packed(text: str) -> bytes:
    """A string on the wire."""
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise UsageError("a string holds half a character") from None
    if b"\0" in data:
        raise UsageError("a string holds a NUL")
    return len(data).to_bytes(2, "little") + data


def packed_qid(qid: Qid) -> bytes:
    """A qid on the wire."""
    vers, path = qid.vers.to_bytes(4, "little"), qid.path.to_bytes(8, "little")
    return qid.type.to_bytes(1) + vers + path
