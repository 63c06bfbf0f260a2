"""Two ends of an IL conversation, the link between them, and a clock that is only moved.

A link loses, doubles, delays and thereby reorders what is sent, by a seeded generator, so that a
failure is the same each time. It never loses more than `LOST_IN_A_ROW` packets one after the other:
an end hangs up after 17 queries without an answer, and a link may lose so many only where that is
what is tested. Hours pass in milliseconds: `step` goes to the next moment at which anything is due.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netrelay.types import IlClosed, IlConnected, IlMessage

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.core import Core
    from netrelay.il.machine import IlCore

LOCAL, REMOTE = 5000, 17008
LOST_IN_A_ROW = 3


@dataclass(frozen=True)
class Faults:
    """What a link does: chances of losing and doubling a packet, and how long one takes, in ms."""

    loss: float = 0.0
    double: float = 0.0
    quickest: int = 1
    slowest: int = 1


class Link:
    """One direction."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self._faults = faults
        self._random = random.Random(seed)
        self._travelling: list[tuple[int, int, bytes]] = []
        self._put = 0
        self._lost = 0
        self.cut = False
        # Every packet that was put in, for tests that look.
        self.seen: list[bytes] = []

    def put(self, now: int, packet: bytes) -> None:
        """A packet is sent."""
        self.seen.append(packet)
        copies = 1 + (self._random.random() < self._faults.double)
        if self._lost < LOST_IN_A_ROW and self._random.random() < self._faults.loss:
            self._lost += 1
            return
        self._lost = 0
        for _ in range(copies):
            travel = self._random.randint(self._faults.quickest, self._faults.slowest)
            # The number keeps those that arrive at the same moment in their order.
            heapq.heappush(self._travelling, (now + travel, self._put, packet))
            self._put += 1

    def due(self) -> int | None:
        """When the next packet arrives."""
        return None if self.cut or not self._travelling else self._travelling[0][0]

    def arrived(self, now: int) -> list[bytes]:
        """What has arrived by now; after a cut nothing does."""
        found = []
        while self._travelling and self._travelling[0][0] <= now:
            packet = heapq.heappop(self._travelling)[2]
            if not self.cut:
                found.append(packet)
        return found


@dataclass
class End:
    """One end, what it still has to say, and what it has heard."""

    il: IlCore
    to_send: deque[bytes] = field(default_factory=deque)
    heard: list[bytes] = field(default_factory=list)
    connected: bool = False
    closed: IlClosed | None = None
    closed_at: int | None = None
    # It closes once everything is said; it reads nothing before this moment.
    closes: bool = False
    reads_from: int = 0

    @property
    def over(self) -> bool:
        """Whether it has been told the end."""
        return self.closed is not None


class Pair:
    """A caller (`ends[0]`), whoever answers (`ends[1]`), and the links from each to the other."""

    def __init__(self, cores: tuple[Core, Core], faults: Faults = Faults(), seed: int = 0) -> None:
        self.now = 1_000
        self._answers = cores[1]
        self.links = Link(faults, seed), Link(faults, seed + 1)
        # Ids that wrap while the conversation runs.
        self._start = 0xFFFF_FFF0
        self.ends = [End(cores[0].Il.connect(self.now, LOCAL, REMOTE, 0xFFFF_FFFA))]
        self._settle()

    def step(self) -> bool:
        """Goes on to the next moment; false if there is none."""
        moments = [link.due() for link in self.links]
        moments += [end.il.poll_timeout() for end in self.ends]
        moments += [end.reads_from for end in self.ends if end.reads_from > self.now]
        due = [moment for moment in moments if moment is not None]
        if not due:
            return False
        self.now = max(self.now, min(due))
        for place, link in enumerate(self.links):
            for packet in link.arrived(self.now):
                self._deliver(1 - place, packet)
        for end in self.ends:
            timeout = end.il.poll_timeout()
            if timeout is not None and timeout <= self.now:
                end.il.handle_timeout(self.now)
        self._settle()
        return True

    def run(self, until: Callable[[], bool], within: int) -> None:
        """Steps until that holds, which must be within so many milliseconds."""
        deadline = self.now + within
        while not until():
            assert self.step(), "nothing is due any more"
            assert self.now <= deadline, [end.il.status() for end in self.ends]

    def established(self) -> bool:
        """Whether both ends have said so."""
        return len(self.ends) == 2 and all(end.connected for end in self.ends)

    def _deliver(self, place: int, packet: bytes) -> None:
        if place < len(self.ends):
            self.ends[place].il.handle_packet(self.now, packet)
        elif (il := self._answers.Il.accept(self.now, packet, self._start)) is not None:
            self.ends.append(End(il))
        elif (close := self._answers.Il.refuse(packet)) is not None:
            self.links[1].put(self.now, close)

    def _settle(self) -> None:
        for end, link in zip(self.ends, self.links, strict=False):
            self._read(end)
            if not end.over:
                self._write(end)
            while (packet := end.il.poll_transmit()) is not None:
                link.put(self.now, packet)

    def _read(self, end: End) -> None:
        if end.reads_from > self.now:
            return
        while (event := end.il.poll_event()) is not None:
            assert not end.over, f"{event} after the end"
            match event:
                case IlConnected():
                    assert not end.connected
                    assert not end.heard
                    end.connected = True
                case IlMessage(data):
                    assert end.connected
                    end.heard.append(data)
                case IlClosed():
                    end.closed, end.closed_at = event, self.now

    def _write(self, end: End) -> None:
        while end.to_send and end.il.room() > 0:
            assert end.il.send(self.now, end.to_send.popleft())
        if end.closes and not end.to_send:
            end.closes = False
            end.il.close(self.now)
