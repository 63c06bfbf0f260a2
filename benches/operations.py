"""9P operations beside diod's, and codec messages beside those of the Python packages."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benches.codec import PEERS
from benches.relays.ours import exported
from benches.relays.relay import free_port, process
from netrelay import core

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benches.measures import Load

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
VERBS = ("walk", "stat", "read")
OUTSTANDING = (1, 32)


@contextlib.contextmanager
def ours() -> Iterator[str]:
    """A file of our gateway."""
    with exported() as (port, _):
        yield f"9p:127.0.0.1:{port},net/ndb"


@contextlib.contextmanager
def diod() -> Iterator[str]:
    """A file of a diod in memory, in its own dialect."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        (Path(folder) / "net").mkdir()
        (Path(folder) / "net" / "ndb").write_text("sys=gate\n")
        listen = ["-l", f"127.0.0.1:{port}", "-e", folder]
        command = ["diod", "-f", "-n", *listen, "-c", "/dev/null", "-L", "stderr"]
        with process(command, port):
            yield f"9p:127.0.0.1:{port},{folder},net/ndb"


def operations(load: Load, times: int) -> dict[str, dict[str, list[float]]]:
    """Rates a verb and depth, ours and diod's, in turns."""
    found: dict[str, dict[str, list[float]]] = {}
    with contextlib.ExitStack() as stack:
        targets = {"netrelay": stack.enter_context(ours())}
        with contextlib.suppress(FileNotFoundError, RuntimeError):
            targets["diod"] = stack.enter_context(diod())
        for _ in range(times):
            for verb in VERBS:
                for depth in OUTSTANDING:
                    for name, target in targets.items():
                        report = load.run(verb, target, depth)
                        rates = found.setdefault(f"{verb} {depth}", {}).setdefault(name, [])
                        rates.append(report["count"] / report["seconds"])
    return found


def codec_rates(seconds: float) -> dict[str, dict[str, float] | str]:
    """Messages per second by package and job, or why a package is absent."""
    peers = ROOT / "target" / "codec-peers" / "bin" / "python"
    runs = [(name, sys.executable) for name in core.available()]
    runs += [(name, str(peers)) for name in PEERS]
    rates: dict[str, dict[str, float] | str] = {}
    commands = {
        f"netrelay {name}" if name in core.available() else name: [
            python, str(HERE / "codec.py"), name, str(seconds)
        ]
        for name, python in runs
    }  # fmt: skip
    commands["Rust alone"] = [str(ROOT / "target/release/netrelay-bench-proto"), str(seconds)]
    for label, command in commands.items():
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            rates[label] = "not installed"
        else:
            rates[label] = json.loads(done.stdout)
    return rates


def entries_per_mib(load: Load) -> float:
    """How often the interpreter was entered per MiB that a gateway relayed, by its counter."""
    command = [sys.executable, "-m", "benches.entries", str(load.program), str(load.seconds)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)
