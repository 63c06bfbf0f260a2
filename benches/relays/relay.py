"""A relay under test: processes of ours between a port of loopback and the server's.

Every relay is a context manager that yields the target for the load generator and the processes to
charge. One whose program is not installed says so, and the table shows it as absent.
"""

from __future__ import annotations

import contextlib
import selectors
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

PATIENCE_S = 30.0


@dataclass(frozen=True)
class Running:
    """A relay that is ready: where to call, and whom to charge."""

    target: str
    pids: list[int]


@dataclass(frozen=True)
class Relay:
    """A name for the table, the programs it needs, and how to start it before a server's port."""

    name: str
    needs: tuple[str, ...]
    start: Callable[[int], AbstractContextManager[Running]]

    def missing(self) -> str | None:
        """The first program that is not here."""
        return next((program for program in self.needs if shutil.which(program) is None), None)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def listening(port: int) -> bool:
    """Whether somebody listens on `port` of loopback; asks the kernel, not the listener."""
    rows = Path("/proc/net/tcp").read_text().splitlines()
    ends = (f"0100007F:{port:04X} ", f"00000000:{port:04X} ")
    return any(row.split()[3] == "0A" and any(end in row for end in ends) for row in rows[1:])


def bound(port: int) -> bool:
    """Whether somebody takes datagrams at `port` of loopback."""
    rows = Path("/proc/net/udp").read_text().splitlines()
    return any(row.split()[1] == f"0100007F:{port:04X}" for row in rows[1:])


@contextlib.contextmanager
def process(
    command: Sequence[str], *ports: int, ready: Callable[[int], bool] = listening
) -> Iterator[int]:
    """A program from when it is `ready` at `ports` until the block ends.

    It runs in a folder of its own, which takes the core dump that diod leaves when it is ended.
    """
    with tempfile.TemporaryFile() as words, tempfile.TemporaryDirectory() as folder:
        started = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=words)
        try:
            pause = selectors.DefaultSelector()
            deadline = time.monotonic() + PATIENCE_S
            while not all(map(ready, ports)):
                if started.poll() is not None or time.monotonic() > deadline:
                    words.seek(0)
                    raise RuntimeError(f"{' '.join(command)}: {words.read().decode()}")
                pause.select(0.02)
            yield started.pid
        finally:
            started.terminate()
            try:
                started.wait(5)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()
