"""The verbs of ctl that only il has (ip(3), docs/il.md 10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from netrelay.reference.net import ctl

_HURRY: Final = b"!fasttimeout"
_KEEPALIVE_MS: Final = 120_000
_MOST_MS: Final = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class ConnectFast(ctl.Command):
    """Call, and give up if there is no answer at once."""

    call: ctl.Connect


@dataclass(frozen=True, slots=True)
class Keepalive(ctl.Command):
    """Nothing: an idle conversation asks by itself."""


def _connect(args: list[bytes]) -> ctl.Command:
    hurried = bool(args) and args[0].endswith(_HURRY)
    words = [args[0].removesuffix(_HURRY), *args[1:]] if args else []
    call = ctl.connect(words)
    return ConnectFast(call) if hurried else call


def _keepalive(args: list[bytes]) -> Keepalive:
    ctl.number(args, _KEEPALIVE_MS, _MOST_MS, "BAD_ARGS_TO_KEEPALIVE")
    return Keepalive()


VERBS: Final[ctl.Verbs] = {b"connect": _connect, b"keepalive": _keepalive}
