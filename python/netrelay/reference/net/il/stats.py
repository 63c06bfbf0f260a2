"""What the conversations of one stack have counted since the gateway began (docs/il.md 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netrelay.reference.il.status import COUNTERS

if TYPE_CHECKING:
    from netrelay.il.machine import IlCore


class Totals:
    """Those that are over, added up, and those that go on."""

    def __init__(self) -> None:
        self._over = dict.fromkeys(COUNTERS, 0)
        self._live: set[IlCore] = set()

    def begin(self, machine: IlCore) -> None:
        """One more counts."""
        self._live.add(machine)

    def end(self, machine: IlCore) -> None:
        """It counts no more, and what it has counted stays."""
        self._live.remove(machine)
        for name, count in machine.stats().items():
            self._over[name] += count

    def text(self) -> str:
        """One `Name: N` a line."""
        told = [self._over, *(machine.stats() for machine in self._live)]
        return "".join(f"{name}: {sum(each[name] for each in told)}\n" for name in COUNTERS)
