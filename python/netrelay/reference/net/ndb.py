"""The ndb file: free text of what a stack knows of itself (ndb(6), docs/tree.md 6)."""

from __future__ import annotations

from typing import Final

from netrelay.reference.net.refusal import refusal

_MOST: Final = 32 << 10


class Ndb:
    """The text, and how often it was changed."""

    def __init__(self, text: bytes) -> None:
        self._text = text[:_MOST]
        self.vers = 0

    def __len__(self) -> int:
        return len(self._text)

    def read(self, offset: int, count: int) -> bytes:
        """The text from `offset` on."""
        return self._text[offset : offset + count]

    def write(self, offset: int, data: bytes) -> None:
        """Put `data` at `offset` and end the text behind it. Errors: `i/o error`."""
        if offset > len(self._text) or offset + len(data) > _MOST:
            raise refusal("IO")
        self._text = self._text[:offset] + data
        self.vers += 1

    def empty(self) -> None:
        """OTRUNC."""
        self._text = b""
        self.vers += 1
