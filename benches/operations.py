"""9P operations beside diod's, and codec messages beside those of the Python packages."""

from __future__ import annotations

import contextlib
import importlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benches.relays.ours import exported
from benches.relays.relay import free_port, process
from netrelay import core
from netrelay import messages as m
from netrelay.types import Dialect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benches.measures import Load

VERBS = ("walk", "stat", "read")
OUTSTANDING = (1, 32)
BURST = 2000
PACKAGES = ("py9p", "aio9p", "pyroute2")


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
        with contextlib.suppress(FileNotFoundError):
            targets["diod"] = stack.enter_context(diod())
        for _ in range(times):
            for verb in VERBS:
                for depth in OUTSTANDING:
                    for name, target in targets.items():
                        report = load.run(verb, target, depth)
                        rates = found.setdefault(f"{verb} {depth}", {}).setdefault(name, [])
                        rates.append(report["count"] / report["seconds"])
    return found


def codec_rates(seconds: float) -> dict[str, dict[str, float]]:
    """Messages per second, small and large, of both cores and of what packages are here."""
    rates = {}
    for name, job in _own_jobs().items():
        rates[name] = {label: _rate(work, seconds) for label, work in job.items()}
    for package in PACKAGES:
        with contextlib.suppress(ImportError):
            rates[package] = {
                label: _rate(work, seconds) for label, work in _their_jobs(package).items()
            }
    return rates


def _own_jobs() -> dict[str, dict[str, Callable[[], object]]]:
    return {f"netrelay {name}": _jobs_of(core.load(name)) for name in core.available()}


def _jobs_of(chosen: core.Core) -> dict[str, Callable[[], object]]:
    request = m.Tread(1, 0, 8192)
    small = chosen.encode(1, request, Dialect.P2000)
    large = chosen.encode(1, m.Rread(b"x" * (1 << 20)), Dialect.P2000)
    return {
        "decode Tread": lambda: chosen.decode(small, Dialect.P2000),
        "encode Tread": lambda: chosen.encode(1, request, Dialect.P2000),
        "decode Rread 1 MiB": lambda: chosen.decode(large, Dialect.P2000),
    }


def _their_jobs(package: str) -> dict[str, Callable[[], object]]:
    module = importlib.import_module(package)
    if package == "py9p" and hasattr(module, "decode_message"):
        small = module.encode_message(module.Tread(tag=1, fid=1, offset=0, count=8192))
        large = module.encode_message(module.Rread(tag=1, data=b"x" * (1 << 20)))
        return {
            "decode Tread": lambda: module.decode_message(small),
            "encode Tread": lambda: module.encode_message(
                module.Tread(tag=1, fid=1, offset=0, count=8192)
            ),
            "decode Rread 1 MiB": lambda: module.decode_message(large),
        }
    raise ImportError(package)


def _rate(work: Callable[[], object], seconds: float) -> float:
    done, begun = 0, time.perf_counter()
    while (passed := time.perf_counter() - begun) < seconds:
        for _ in range(BURST):
            work()
        done += BURST
    return done / passed


def entries_per_mib(load: Load) -> float:
    """How often the interpreter was entered per MiB that a gateway relayed, by its counter."""
    code = Path(__file__).with_name("entries.py")
    done = subprocess.run(
        [sys.executable, str(code), str(load.program), str(load.seconds)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout)
