"""What is being done right now: one line on standard error, where that is a terminal."""

from __future__ import annotations

import sys
import time
from typing import Final, Self

import click

# A line that changes faster than that is only a flicker, and costs what it tells about.
_PAUSE_S: Final = 0.1


class Progress:
    """The line; it is gone at the end of its block."""

    def __init__(self, *, pause_s: float = 0.0) -> None:
        self._terminal = sys.stderr.isatty()
        self._pause_s = pause_s
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def show(self, text: str) -> None:
        """Put `text` in the line's place, but no sooner than `pause_s` after the last one."""
        if self._terminal and (now := time.monotonic()) >= self._next:
            self._next = now + self._pause_s
            click.echo(f"\r\x1b[K{text}", nl=False, err=True)

    def clear(self) -> None:
        """Make room for something else."""
        if self._terminal:
            click.echo("\r\x1b[K", nl=False, err=True)


def counting() -> Progress:
    """One for what may change thousands of times a second."""
    return Progress(pause_s=_PAUSE_S)
