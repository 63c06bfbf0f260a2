"""Either end of a conversation that the original had with itself is ours, and nothing differs.

The recording has a handshake, messages both ways, one lost ahead of another, one lost with its
query and the answer to the next, idle queries and a close. The original looks at its timers every
50 ms, and we would when they are due; here both do when the recording says that something happened.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from netrelay.types import IlMessage

if TYPE_CHECKING:
    from netrelay.core import Core
    from netrelay.il.machine import IlCore

TRACE = Path(__file__).resolve().parent.parent / "vectors" / "il.trace"
TRAVEL = 3


def unhex(text: str) -> bytes:
    return b"" if text == "-" else bytes.fromhex(text)


class Line(NamedTuple):
    """A line of the recording; `what` is empty where it is a packet, and `who` then its way."""

    moment: int
    who: str
    what: str
    data: str


def recorded() -> list[Line]:
    found = []
    for line in TRACE.read_text().splitlines():
        if not line.startswith("#"):
            moment, who, *rest = line.split()
            if len(rest) < 2:
                rest = ["", *rest] if who[0] in "<>" else [*rest, ""]
            found.append(Line(int(moment), who, *rest))
    return found


class Replayed:
    """One end, ours, and what it is to say."""

    def __init__(self, core: Core, who: str) -> None:
        self._core, self._who = core, who
        self._way = ">" if who == "caller" else "<"
        self._il: IlCore | None = None
        self.said: list[bytes] = []
        self.read: list[bytes] = []

    def follow(self, line: Line) -> None:
        """What was recorded at that moment, and everything that it leads to."""
        moment, who, what, data = line
        if self._il is not None:
            self._il.handle_timeout(moment)
        match who, what:
            case (way, "") if way != self._way:
                self._arrives(moment, unhex(data))
            case self._who, "connects":
                self._il = self._core.Il.connect(moment, 5000, 17008, 0x00BEEF01)
            case self._who, "sends":
                assert self._il is not None
                assert self._il.send(moment, unhex(data))
            case self._who, "closes":
                assert self._il is not None
                self._il.close(moment)
        self._collect()

    def _arrives(self, moment: int, raw: bytes) -> None:
        if self._il is None:
            self._il = self._core.Il.accept(moment, raw, 0x00F00D42)
        else:
            self._il.handle_packet(moment, raw)

    def _collect(self) -> None:
        while self._il is not None and (raw := self._il.poll_transmit()) is not None:
            self.said.append(raw)
        while self._il is not None and (event := self._il.poll_event()) is not None:
            if isinstance(event, IlMessage):
                self.read.append(event.data)


@pytest.mark.parametrize("who", ["caller", "called"])
def test_ours_says_what_the_original_said(core: Core, who: str) -> None:
    way = ">" if who == "caller" else "<"
    lines = []
    for line in recorded():
        if line.who[0] not in "<>":
            lines.append(line)
        elif line.who[0] == way:
            # Only a reason to look at the clock; whether it was lost is the other end's business.
            lines.append(Line(line.moment, way, "", ""))
        elif not line.who.endswith("x"):
            lines.append(line._replace(moment=line.moment + TRAVEL))
    end = Replayed(core, who)
    for line in sorted(lines, key=lambda line: line.moment):
        end.follow(line)
    assert end.said == [unhex(line.data) for line in recorded() if line.who[0] == way]
    reads = [line for line in recorded() if (line.who, line.what) == (who, "reads")]
    assert end.read == [unhex(line.data) for line in reads]
