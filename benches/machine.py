"""What the benchmarks read of this machine: its name card, and what processes cost."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


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


def family(pid: int) -> list[int]:
    """A process and all below it."""
    children = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children += [int(word) for word in task.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return [pid, *(each for child in children for each in family(child))]


def cpu_s(pids: list[int]) -> float:
    """User and system seconds of the processes and all that they have waited for."""
    total = 0
    for pid in {each for one in pids for each in family(one)}:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(map(int, fields[11:15]))
    return total * _TICK_S


def pss(pids: list[int]) -> int:
    """Proportional set size of the processes and all below them, in bytes."""
    total = 0
    for pid in {each for one in pids for each in family(one)}:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += next(
            int(line.split()[1]) << 10 for line in rollup.splitlines() if line.startswith("Pss:")
        )
    return total


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()
