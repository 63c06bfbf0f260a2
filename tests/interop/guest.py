"""A Linux machine with the kernel's own 9P client, for as long as a script runs (tools/v9fs).

It sees this machine's loopback and nothing else. A script is a list of steps, each with a name;
what a step prints is what tests look at.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "tools/v9fs/run-guest"
PATIENCE_S = 100
MARK = "@@ "


def missing() -> str | None:
    """What a guest lacks on this machine, or nothing."""
    if shutil.which("qemu-system-x86_64") is None:
        return "qemu-system-x86_64 is not installed (tools/install-test-deps does it)"
    if not (ROOT / "target/v9fs/vmlinux").exists():
        return "the Linux guest is not built (tools/install-test-deps does it)"
    return None


def run(port: int, script: str, *, programs: tuple[str, ...] = ()) -> dict[str, str]:
    """What each step of a script printed, in a guest that mounts what is served at `port`.

    A step begins with `step NAME`. The script must reach its end.
    """
    prelude = f"step() {{ printf '\\n{MARK}%s\\n' \"$1\"; }}\n"
    done = subprocess.run(
        [RUN, str(port), prelude + script + "\nstep end\n"],
        env=os.environ | {"V9FS_PROGRAMS": " ".join(programs), "V9FS_TIMEOUT": str(PATIENCE_S)},
        capture_output=True,
        check=False,
    )
    printed = done.stdout.decode(errors="replace").replace("\r\n", "\n")
    assert done.returncode == 0, f"status {done.returncode}: {printed}{done.stderr.decode()}"
    _, *steps = printed.split(f"\n{MARK}")
    return {name: text for name, _, text in (each.partition("\n") for each in steps)}
