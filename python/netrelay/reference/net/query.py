"""The cs and dns files: a write asks, reads return the replies one at a time (ndb(8)).

The question itself is answered elsewhere; here are the bounds and the offsets. Replies lie end to
end, and a read never crosses from one into the next.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from netrelay.reference.net.qids import Kind
from netrelay.reference.net.refusal import refusal

_LONGEST: Final = {Kind.CS: 127, Kind.DNS: 1023}


@dataclass(slots=True)
class Query:
    """One open cs or dns file."""

    kind: Kind
    running: bool = False
    replies: list[bytes] = field(default_factory=list)
    end: int = 0
    origin: int | None = None

    def check(self, offset: int, length: int) -> None:
        """Whether a write may ask now. Errors: as listed in docs/tree.md 6."""
        if length > _LONGEST[self.kind]:
            raise refusal(f"{self.kind.name}_TOO_LONG")
        if self.kind is Kind.DNS and offset:
            raise refusal("DNS_OFFSET")
        if self.running:
            raise refusal(f"{self.kind.name}_IN_PROGRESS")
        self.end, self.origin = offset + length, None

    def read(self, offset: int, count: int) -> bytes:
        """What remains of the reply that holds `offset`.

        Who could not seek after the query reads on from its end, and means the beginning.
        """
        if self.origin is None:
            self.origin = self.end if offset == self.end else 0
        if offset < self.origin:
            self.origin = 0
        offset -= self.origin
        for reply in self.replies:
            if offset < len(reply):
                return reply[offset : offset + count]
            offset -= len(reply)
        return b""
