"""Bytes that foreign programs sent, and how to read the files that hold them (README.md)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from netrelay.types import Dialect

HOME = Path(__file__).parent


class Recorded(NamedTuple):
    """One frame of a recording; `number` counts from 1."""

    number: int
    from_client: bool
    frame: bytes


class Recording(NamedTuple):
    """One connection; `version` and `msize` are the server's answer."""

    name: str
    version: str
    msize: int
    frames: tuple[Recorded, ...]

    @property
    def dialect(self) -> Dialect:
        """What was agreed."""
        return Dialect.of(self.version)


class Example(NamedTuple):
    """A frame worked out by hand from the manual's layouts."""

    name: str
    frame: bytes
    text: str


def recordings() -> list[Recording]:
    """Every recording, by name."""
    return [_recording(path) for path in sorted((HOME / "wire").glob("*.wire"))]


def examples() -> list[Example]:
    """Every hand-made frame."""
    found = []
    for path in sorted(HOME.glob("*.hex")):
        lines = [line for line in path.read_text().splitlines() if line and line[0] != "#"]
        for line in lines:
            name, digits, text = line.split("\t")
            found.append(Example(name, bytes.fromhex(digits), text))
    return found


def _recording(path: Path) -> Recording:
    frames: list[Recorded] = []
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            way, _, digits = line.split()
            frames.append(Recorded(len(frames) + 1, way == ">", bytes.fromhex(digits)))
    for each in frames:
        if each.frame[4] == 101:
            msize = int.from_bytes(each.frame[7:11], "little")
            return Recording(path.stem, each.frame[13:].decode(), msize, tuple(frames))
    return Recording(path.stem, "9P2000", 0, tuple(frames))
