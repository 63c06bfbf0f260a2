"""The same for conversations of il between two numbers of a gateway, in a namespace of its own.

Messages take a turn of the gateway's loop to arrive, so each operation ends only when what it must
bring is there: a call when both its ends are up, a message when it can be read, an end when
the other side knows.
"""

from __future__ import annotations

import selectors
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from netrelay import messages as m

from .gateway_driver import ROOT, Driver, ask, words
from .gateway_twins import PATIENCE_S

if TYPE_CHECKING:
    from .gateway_twins import Twin, Twins

PORT: Final = 7777
_ANNOUNCED, _LISTEN, _FILE = 140, 141, 142
_CTL, _DATA = (143, 145), (144, 146)
# A tag that no plan uses: the listen's.
_CALLING: Final = 150
_ASIDE: Final = 151


@dataclass
class Side:
    """What the test knows of one end: the messages to be read, and the Treads that wait."""

    number: str = ""
    unread: list[int] = field(default_factory=list)
    parked: list[tuple[int, int]] = field(default_factory=list)


class IlDriver(Driver):
    """Operations on one call, whose ends are 0, who called, and 1."""

    def __init__(self, twins: Twins) -> None:
        super().__init__(twins)
        self._sides: tuple[Side, Side] | None = None

    def do_il_call(self) -> None:
        """Announce if that has not been done, call the port, and take the call."""
        if self._sides is not None:
            return
        if self._number_of(_ANNOUNCED) is None:
            self._cloned(_ANNOUNCED)
            self._settled((160, m.Twrite(_ANNOUNCED, 0, b"announce 127.0.0.1!%d" % PORT)))
        announced = self._number_of(_ANNOUNCED)
        self._settled((160, m.Twalk(ROOT, _CTL[1], ("net.alt", "il", str(announced), "listen"))))
        self._send((_CALLING, m.Topen(_CTL[1], 2)))
        self._cloned(_CTL[0])
        self._settled((160, m.Twrite(_CTL[0], 0, b"connect 127.0.0.1!%d" % PORT)))
        self._answered({_CALLING})
        numbers = [self._number_of(ctl) or "" for ctl in _CTL]
        for number, data in zip(numbers, _DATA, strict=True):
            self._settled((160, m.Twalk(ROOT, data, ("net.alt", "il", number, "data"))))
            self._settled((160, m.Topen(data, 2)))
        self._sides = Side(numbers[0]), Side(numbers[1])
        for side in self._sides:
            self._until(side, "Established ")

    def do_il_write(self, one: int, size: int) -> None:
        """A message to the other side, which has it then."""
        if self._sides is None:
            self._settled((161, m.Twrite(_DATA[one], 0, bytes(size))))
            return
        data = bytes(at % 251 for at in range(size))
        self._settled((161, m.Twrite(_DATA[one], 0, data)))
        side = self._sides[1 - one]
        side.unread.append(size)
        self._served(side)
        if side.unread:
            self._until(side, f"Established qin {sum(side.unread)} ")

    def do_il_park(self, one: int, several: list[int], count: int) -> None:
        """Reads of a side's data, several at once."""
        free = [tag for tag in several if tag not in self.twins.both[0].outstanding]
        self._send(*((tag, m.Tread(_DATA[one], 0, count)) for tag in free))
        if self._sides is not None and count:
            self._sides[one].parked += [(tag, count) for tag in free]
            self._served(self._sides[one])

    def do_il_flush(self, tag: int) -> None:
        """A Tread is taken back."""
        self.do_flush(tag)
        for side in self._sides or ():
            side.parked = [each for each in side.parked if each[0] != tag]

    def do_il_ctl(self, one: int, command: bytes) -> None:
        """A command that changes nothing."""
        self._settled((162, m.Twrite(_CTL[one], 0, command)))

    def do_il_look(self, one: int, name: str) -> None:
        """What a file of a side says."""
        if self._sides is not None:
            path = ("net.alt", "il", self._sides[one].number, name)
            self._settled((163, m.Twalk(ROOT, _FILE, path)))
            self._settled((163, m.Topen(_FILE, 0)), (164, m.Tread(_FILE, 0, 1000)))
            self._settled((163, m.Tclunk(_FILE)))

    def do_il_end(self, one: int, clunk: bool) -> None:
        """One side hangs up, or is let go; then reads of both, to their end, and all is let go."""
        if self._sides is None:
            return
        both = self._sides
        self._sides = None
        if clunk:
            self._settled((165, m.Tclunk(_DATA[one])), (166, m.Tclunk(_CTL[one])))
        else:
            self._settled((165, m.Twrite(_CTL[one], 0, b"hangup")))
        self._until(both[1 - one], "Closed ")
        self._answered({tag for side in both for tag, _ in side.parked})
        for data in _DATA:
            for tag in range(170, 176):
                self._settled((tag, m.Tread(data, 0, 4096)))
        for fid in (*_DATA, *_CTL):
            self._settled((167, m.Tclunk(fid)))

    def _cloned(self, fid: int) -> None:
        self._settled((160, m.Tclunk(fid)))
        self._settled((160, m.Twalk(ROOT, fid, ("net.alt", "il", "clone"))))
        self._settled((160, m.Topen(fid, 2)))

    def _served(self, side: Side) -> None:
        """Wait for the Treads that have something: a message each, or what is left of one."""
        answered = set()
        while side.unread and side.parked:
            tag, count = side.parked.pop(0)
            answered.add(tag)
            if side.unread[0] > count:
                side.unread[0] -= count
            else:
                side.unread.pop(0)
        self._answered(answered)

    def _answered(self, tags: set[int]) -> None:
        """Wait for those that have not been answered already."""
        self.twins.settle(tags & self.twins.both[0].outstanding)

    def _until(self, side: Side, begin: str) -> None:
        """Wait until both gateways' status of a side begins so."""
        pause = selectors.DefaultSelector()
        deadline = time.monotonic() + PATIENCE_S
        for twin in self.twins.both:
            while not (said := status_of(twin, side.number)).startswith(begin):
                assert time.monotonic() < deadline, (twin.name, begin, said)
                pause.select(0.001)


def status_of(twin: Twin, number: str) -> str:
    """The status line of a conversation, outside the comparison."""
    ask(twin, _ASIDE, m.Twalk(ROOT, _ASIDE, ("net.alt", "il", number, "status")))
    ask(twin, _ASIDE, m.Topen(_ASIDE, 0))
    said = words(ask(twin, _ASIDE, m.Tread(_ASIDE, 0, 500)))
    ask(twin, _ASIDE, m.Tclunk(_ASIDE))
    return said
