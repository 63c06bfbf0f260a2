"""A command of netrelay as a shell starts it, at a gateway of the test's."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S: Final = 30.0
NETRELAY: Final = (sys.executable, "-m", "netrelay")


def run(address: str, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """To its end, with pipes for all three descriptors."""
    return subprocess.run(
        (*NETRELAY, command, address, *arguments),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@dataclass(frozen=True)
class Running:
    """One that goes on until it is told."""

    process: subprocess.Popen[bytes]

    def said(self) -> str:
        """The next line of its standard error."""
        return _pipe(self.process.stderr).readline().decode().removesuffix("\n")

    def line(self) -> str:
        """The next line of its standard output."""
        return _pipe(self.process.stdout).readline().decode().removesuffix("\n")

    def interrupt(self) -> tuple[int, str, str]:
        """Ctrl-C: its status, and what is left of its output and its standard error."""
        self.process.send_signal(signal.SIGINT)
        output, said = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, (output or b"").decode(), said.decode()


@contextlib.contextmanager
def started(
    address: str, command: str, *arguments: str, stdout: int | IO[bytes] = subprocess.PIPE
) -> Iterator[Running]:
    """In the background; it is killed at the latest when the block ends."""
    with subprocess.Popen(
        (*NETRELAY, command, address, *arguments),
        stdout=stdout,
        stderr=subprocess.PIPE,
        bufsize=0,
    ) as process:
        try:
            yield Running(process)
        finally:
            process.kill()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream
