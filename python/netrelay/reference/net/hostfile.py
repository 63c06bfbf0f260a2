"""Files of the host's own network: Python has the text of each (docs/tree.md 6).

The first read of an open file, and each at offset 0, asks for all of it; what comes is kept for the
fid, so that a text that changes does not tear between reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netrelay import messages as m
from netrelay.reference.net.protocol import BY_NUMBER, Makes
from netrelay.reference.net.qids import IN_CONVERSATION, Kind, Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.errors import NetError
    from netrelay.reference.net.questions import Ask
    from netrelay.reference.net.request import Request

# Of a longer text the rest is cut off.
KEPT: Final = 1 << 20
_OF_STACK: Final = frozenset({Kind.ARP, Kind.BOOTP, Kind.IPROUTE, Kind.IPSELFTAB})


def is_hosts(place: Place) -> bool:
    """Whether Python has its text."""
    inside = place.kind in IN_CONVERSATION or place.kind is Kind.STATS
    return place.kind in _OF_STACK or (inside and BY_NUMBER[place.protocol].makes is Makes.HOST)


def path_of(place: Place) -> str:
    """Its path below the stack's directory, which is what Python knows it by."""
    name = place.kind.name.lower()
    if place.kind in _OF_STACK:
        return name
    protocol = BY_NUMBER[place.protocol].name
    return f"{protocol}/{place.number}/{name}" if place.kind in IN_CONVERSATION else (
        f"{protocol}/{name}")  # fmt: skip


class HostFile:
    """One that is open."""

    def __init__(self, place: Place, ask: Ask) -> None:
        self._path = path_of(place)
        self._ask = ask
        # That of ctl is the interface's number, and nobody need be asked for it.
        self._fixed = place.kind is Kind.CTL
        self._text: bytes | None = str(place.number).encode() if self._fixed else None
        self._reads: list[tuple[Request, int, int]] = []
        self._forget: Callable[[], None] | None = None

    def asks(self, offset: int) -> bool:
        """Whether a read there is a question to Python."""
        if self._fixed or self._forget is not None:
            return False
        return not offset or self._text is None

    def read(self, request: Request, offset: int, count: int) -> None:
        """Answer from the text, once it is there."""
        asks = self.asks(offset)
        if not asks and self._forget is None and self._text is not None:
            request.read(self._text[offset : offset + count])
            return
        read = (request, offset, count)
        self._reads.append(read)
        request.park(lambda: self._withdraw(read))
        if asks:
            self._forget = self._ask("host", f"read {self._path}".encode(), self._told)

    def write(self, request: Request, data: bytes) -> None:
        """Ask for the change, and answer when it is made."""

        def told(_: list[bytes] | None, why: NetError | None) -> None:
            if why is not None:
                request.refuse(why)
            else:
                request.answer(m.Rwrite(len(data)))

        request.park(self._ask("host", f"write {self._path}\n".encode() + data, told))

    def _told(self, replies: list[bytes] | None, why: NetError | None) -> None:
        self._forget = None
        self._text = b"".join(replies or [])[:KEPT] if why is None else None
        reads, self._reads = self._reads, []
        for request, offset, count in reads:
            if why is not None:
                request.refuse(why)
            elif self._text is not None:
                request.read(self._text[offset : offset + count])

    def _withdraw(self, read: tuple[Request, int, int]) -> None:
        if read in self._reads:
            self._reads.remove(read)
        if not self._reads and self._forget is not None:
            self._forget()
            self._forget = None
