"""The verbs of ctl that only gre has (ip(3), docs/raw.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from netrelay.reference.net import ctl
from netrelay.reference.net.refusal import refusal


@dataclass(frozen=True, slots=True)
class Raw(ctl.Command):
    """Packets are written as they are to leave, and taken from anybody; or not any more."""

    on: bool


def _raw(args: list[bytes]) -> Raw:
    return Raw(_alone(args))


def _cooked(args: list[bytes]) -> Raw:
    return Raw(not _alone(args))


def _announce(_args: list[bytes]) -> ctl.Command:
    raise refusal("GRE_ANNOUNCE")


def _alone(args: list[bytes]) -> bool:
    if args:
        raise refusal("INCORRECT_NUMBER")
    return True


VERBS: Final[ctl.Verbs] = {b"raw": _raw, b"cooked": _cooked, b"announce": _announce}
