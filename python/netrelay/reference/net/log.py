"""The log file: lines about conversations for whoever has it open (ip(3), docs/tree.md 6).

Every open fid has its own lines from its opening on, so one reader takes nothing from another; the
flags are the stack's. A reader that does not read loses the oldest lines, whole.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from netrelay.reference.net.address import parse_ip
from netrelay.reference.net.ctl import tokenize
from netrelay.reference.net.refusal import refusal

if TYPE_CHECKING:
    from netrelay.reference.net.address import Address, Ip
    from netrelay.reference.net.request import Request

# As much as the original keeps (its Nlog).
KEPT: Final = 16 << 10


@dataclass(slots=True, eq=False)
class LogReader:
    """One open log file."""

    lines: deque[bytes] = field(default_factory=deque)
    parked: deque[tuple[Request, int]] = field(default_factory=deque)

    def add(self, line: bytes) -> None:
        """One more line; the oldest go where there is no room."""
        self.lines.append(line)
        while sum(map(len, self.lines)) > KEPT:
            self.lines.popleft()
        while self.parked and self.lines:
            request, count = self.parked.popleft()
            request.read(self.take(count))

    def take(self, count: int) -> bytes:
        """Up to `count` bytes of what is there."""
        text = b"".join(self.lines)
        self.lines.clear()
        if text[count:]:
            self.lines.append(text[count:])
        return text[:count]

    def read(self, request: Request, count: int) -> None:
        """Answer with what is there, or park."""
        if self.lines or not count:
            request.read(self.take(count))
        else:
            parked = (request, count)
            self.parked.append(parked)
            request.park(lambda: self.parked.remove(parked))


class Log:
    """The flags and the readers of one stack."""

    def __init__(self) -> None:
        self.readers: list[LogReader] = []
        self._flags: set[bytes] = set()
        self._only: Ip | None = None

    def control(self, line: bytes) -> None:
        """`set flag…`, `clear flag…`, `only addr`. Errors: as listed in docs/tree.md 6."""
        words = tokenize(line)
        if len(words) < 2:
            raise refusal("LOG_TOO_FEW")
        match words[0]:
            case b"set":
                self._flags.update(words[1:])
            case b"clear":
                self._flags.difference_update(words[1:])
            case b"only":
                ip = parse_ip(words[1])
                self._only = ip if int(ip) else None
            case _:
                raise refusal("LOG_UNKNOWN")

    def note(self, protocol: str, event: str, address: Address) -> None:
        """What befell a conversation, and the address it has to do with, if anyone wants it."""
        if protocol.encode() not in self._flags or self._only not in {None, address.ip}:
            return
        for reader in self.readers:
            reader.add(f"{protocol} {event}\n".encode())
