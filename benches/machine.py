"""What the benchmarks read of this machine: its name card, and what processes cost."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
# What /proc says of a process that has ended since it was listed.
_GONE = (FileNotFoundError, ProcessLookupError)
# A relay that forks without pause is never seen whole; the last look at it must do.
_TRIES = 50


def card() -> dict[str, str | int]:
    """Which machine, kernel and versions the numbers come from."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory_kib = int(Path("/proc/meminfo").read_text().split()[1])
    return {
        "cpu": model,
        "cores": os.cpu_count() or 1,
        "memory_mib": memory_kib >> 10,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "commit": _said("git", "rev-parse", "--short", "HEAD"),
        "load": f"{os.getloadavg()[0]:.2f}",
    }


def family(pid: int) -> set[int]:
    """A process and all below it; one that ends meanwhile has nobody below it any more."""
    children: list[str] = []
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except _GONE:
        tasks = []
    for task in tasks:
        with contextlib.suppress(*_GONE):
            children += (task / "children").read_text().split()
    return {pid, *(each for child in children for each in family(int(child)))}


def cpu_s(pids: list[int]) -> float:
    """User and system seconds of the processes and all that they have waited for.

    A child's time becomes its parent's when that has waited for it. So as to count it once, they
    are read again until nobody has come or gone in between.
    """
    for _ in range(_TRIES):
        members = _everyone(pids)
        ticks = [_ticks(pid) for pid in members]
        if None not in ticks and _everyone(pids) == members:
            break
    return sum(filter(None, ticks)) * _TICK_S


def pss(pids: list[int]) -> int:
    """Proportional set size of the processes and all below them, in bytes."""
    total = 0
    for pid in _everyone(pids):
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except _GONE:
            continue
        total += next(
            int(line.split()[1]) << 10 for line in rollup.splitlines() if line.startswith("Pss:")
        )
    return total


def _everyone(pids: list[int]) -> set[int]:
    return {each for pid in pids for each in family(pid)}


def _ticks(pid: int) -> int | None:
    """Its own time and that of the children it has waited for; None if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except _GONE:
        return None
    return sum(map(int, fields[11:15]))


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()
