"""The measures: what is asked of every relay, in rounds that take each relay once.

Interleaving is what makes ratios honest on a noisy machine: a slow minute is slow for all. Every
number is the median over the rounds with the least and the greatest; ratios are taken within a
round and then their median.
"""

from __future__ import annotations

import json
import selectors
import statistics
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from benches.machine import cpu_s, pss

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benches.relays.relay import Relay, Running

# Two ticks of the kernel's accounting, and a limit for a relay that never rests.
PAUSE_S = 0.02
MOST_PAUSES = 250


class Work(NamedTuple):
    """One kind of load; of datagrams `calls` is how many requests are under way."""

    name: str
    verb: str
    calls: int
    unit: str


WORKS = (
    Work("down 1", "down", 1, "GB/s"),
    Work("down 64", "down", 64, "GB/s"),
    Work("up 1", "up", 1, "GB/s"),
    Work("up 64", "up", 64, "GB/s"),
    Work("ping-pong 1", "pp", 1, "rt/s"),
    Work("ping-pong 64", "pp", 64, "rt/s"),
    Work("dials", "dials", 8, "/s"),
)
DATAGRAMS = (
    Work("dgram-up", "dgram-up", 128, "datagrams/s"),
    Work("dgram-down", "dgram-down", 128, "datagrams/s"),
)
DISTANT = (
    Work("down at 100 ms", "down", 1, "GB/s"),
    Work("up at 100 ms", "up", 1, "GB/s"),
    Work("dials at 100 ms", "dials", 8, "/s"),
)


@dataclass
class Cell:
    """One relay at one work: a rate a round, the relay's processor time, and what it lost."""

    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    lost: list[float] = field(default_factory=list)
    failed: str | None = None

    def rate(self) -> float:
        """The median rate."""
        return statistics.median(self.rates) if self.rates else 0.0

    def cost(self) -> float:
        """The median relay cost: seconds a GB, or microseconds a round trip, dial or datagram."""
        return statistics.median(self.costs) if self.costs else 0.0

    def loss(self) -> float:
        """The median share of the datagrams that did not arrive."""
        return statistics.median(self.lost) if self.lost else 0.0


Table = dict[tuple[str, str], Cell]


@dataclass(frozen=True)
class Load:
    """The load generator and its server."""

    program: Path
    seconds: float

    def run(self, verb: str, target: str, count: int) -> dict[str, float]:
        """One run against a target; raises with the generator's own words."""
        command = [str(self.program), verb, target, str(count), str(self.seconds)]
        limit = 60 + 10 * self.seconds
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip() or "the load generator failed")
        report: dict[str, float] = json.loads(done.stdout)
        return report


def rounds(
    load: Load, relays: Sequence[Relay], works: Sequence[Work], server: int, count: int
) -> Iterator[tuple[int, Table]]:
    """Every work through every relay, `count` times over; the table so far after each round."""
    table: Table = {}
    for number in range(count):
        for relay in relays:
            cells = {work: table.setdefault((relay.name, work.name), Cell()) for work in works}
            try:
                with relay.start(server) as running:
                    for work, cell in cells.items():
                        if cell.failed is None:
                            measure(load, running, work, cell)
            except (OSError, RuntimeError, subprocess.CalledProcessError) as err:
                for cell in cells.values():
                    cell.failed = cell.failed or str(err).splitlines()[0]
        yield number + 1, table


def measure(load: Load, running: Running, work: Work, cell: Cell) -> None:
    """One run; its rate and cost are added to the cell."""
    before = cpu_s(running.pids)
    try:
        report = load.run(work.verb, running.target, work.calls)
    except (RuntimeError, subprocess.TimeoutExpired) as err:
        cell.failed = str(err).splitlines()[0]
        return
    spent = settled(running.pids) - before
    if work.unit == "GB/s":
        cell.rates.append(report["bytes"] / report["seconds"] / 1e9)
        cell.costs.append(spent / max(report["bytes"] / 1e9, 1e-9))
    else:
        cell.rates.append(report["count"] / max(report["seconds"], 1e-9))
        cell.costs.append(spent / max(report["count"], 1) * 1e6)
    if work in DATAGRAMS:
        cell.lost.append(report["lost"] / max(report["count"] + report["lost"], 1))


def settled(pids: list[int]) -> float:
    """Their processor seconds at rest: what one run left in buffers must not burden the next."""
    pause = selectors.DefaultSelector()
    spent = cpu_s(pids)
    for _ in range(MOST_PAUSES):
        pause.select(PAUSE_S)
        before, spent = spent, cpu_s(pids)
        if spent == before:
            break
    return spent


def idle_bytes(load: Load, running: Running, target: str, count: int) -> float:
    """Proportional memory of a relay per idle call that has echoed a byte."""
    before = pss(running.pids)
    command = [str(load.program), "idle", target, str(count), "0"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as holder:
        words = holder.stderr.readline() if holder.stderr else b""
        if words != b"ready\n":
            raise RuntimeError(words.decode().strip() or "the load generator failed")
        after = pss(running.pids)
        if holder.stdin is not None:
            holder.stdin.close()
        holder.wait(30)
    return (after - before) / count


def ratio(table: Table, name: str, work: str, base: str) -> float | None:
    """The median over the rounds of one relay's rate by another's."""
    ours, theirs = table.get((name, work)), table.get((base, work))
    if ours is None or theirs is None:
        return None
    pairs = [a / b for a, b in zip(ours.rates, theirs.rates, strict=False) if b]
    return statistics.median(pairs) if pairs else None
