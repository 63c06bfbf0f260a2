"""A gateway and an importer as an operator starts them: two processes on loopback."""

from __future__ import annotations

import contextlib
import selectors
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Started:
    """One netrelay process that is ready."""

    process: subprocess.Popen[bytes]
    said: bytes

    def descriptors(self) -> int:
        """How many descriptors it holds."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def resident(self) -> int:
        """Bytes of memory it has in use."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) << 10
        raise AssertionError("no VmRSS")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def accepting(port: int) -> bool:
    """Whether somebody listens on `port` of loopback, without calling there."""
    entry = f"0100007F:{port:04X} "
    rows = Path("/proc/net/tcp").read_text().splitlines()
    return any(entry in row and row.split()[3] == "0A" for row in rows)


@contextlib.contextmanager
def netrelay(*arguments: str, port: int) -> Iterator[Started]:
    """`netrelay` with `arguments`, from when it listens on `port` until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "netrelay", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    stderr = process.stderr
    if stderr is None:
        raise AssertionError("no pipe")
    said = b""
    try:
        pause = selectors.DefaultSelector()
        deadline = time.monotonic() + PATIENCE_S
        while not accepting(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"netrelay {' '.join(arguments)}: {stderr.read().decode()}")
            pause.select(0.02)
        yield Started(process, said)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        stderr.close()


@contextlib.contextmanager
def gateway(core: str) -> Iterator[tuple[Started, int]]:
    """`netrelay export` that may dial loopback, and its port."""
    port = free_port()
    options = ("--core", core, "--allow-dial", "127.0.0.0/8")
    with netrelay("export", "--listen", f"tcp!127.0.0.1!{port}", *options, port=port) as started:
        yield started, port


@contextlib.contextmanager
def relay(core: str, target: int, *, front: str = "forward") -> Iterator[int]:
    """A port of loopback whose connections reach `target` through 9P.

    `front` is how: `forward`, from the importer through the gateway, or `publish`, the other way.
    """
    with gateway(core) as (_, gate):
        port = free_port()
        local = "127.0.0.1:" if front == "publish" else ""
        route = f"{local}{port}:127.0.0.1:{target}"
        with netrelay(
            "import", f"tcp!127.0.0.1!{gate}", "--core", core, f"--{front}", route, port=port
        ):
            yield port


@contextlib.contextmanager
def socks(core: str) -> Iterator[int]:
    """The port of a SOCKS5 server that goes through 9P."""
    with gateway(core) as (_, gate):
        port = free_port()
        way = ("--core", core, "--socks", str(port))
        with netrelay("import", f"tcp!127.0.0.1!{gate}", *way, port=port):
            yield port
