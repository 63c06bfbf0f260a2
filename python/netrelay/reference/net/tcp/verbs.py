"""The verbs of ctl that only tcp has (ip(3), docs/tree.md 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from netrelay.reference.net import ctl
from netrelay.reference.net.refusal import refusal

_KEEPALIVE_MS: Final = 120_000
_MOST_MS: Final = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Close(ctl.Command):
    """End both directions in an orderly way."""


@dataclass(frozen=True, slots=True)
class ShutdownWrite(ctl.Command):
    """End our direction."""


@dataclass(frozen=True, slots=True)
class Keepalive(ctl.Command):
    """Probe an idle call every so many milliseconds."""

    interval_ms: int


def _close(_args: list[bytes]) -> Close:
    return Close()


def _shutdown(args: list[bytes]) -> ShutdownWrite:
    if args != [b"write"]:
        raise refusal("BAD_ARGS_TO_SHUTDOWN")
    return ShutdownWrite()


def _keepalive(args: list[bytes]) -> Keepalive:
    return Keepalive(ctl.number(args, _KEEPALIVE_MS, _MOST_MS, "BAD_ARGS_TO_KEEPALIVE"))


VERBS: Final[ctl.Verbs] = {b"close": _close, b"shutdown": _shutdown, b"keepalive": _keepalive}
