"""What ctl of ipmux means by connect and announce (ip(3), docs/raw.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netrelay.reference.net import ctl
from netrelay.reference.net.ipmux import filters
from netrelay.reference.net.refusal import refusal

if TYPE_CHECKING:
    from netrelay.reference.net.ipmux.filters import Filter


@dataclass(frozen=True, slots=True)
class Choose(ctl.Command):
    """Take packets that a filter accepts; needs Idle."""

    filter: Filter


def _connect(args: list[bytes]) -> Choose:
    if len(args) != 1:
        raise refusal("BAD_ARG")
    return Choose(filters.parse(args[0]))


def _announce(_args: list[bytes]) -> ctl.Command:
    raise refusal("IPMUX_ANNOUNCE")


VERBS: Final[ctl.Verbs] = {b"connect": _connect, b"announce": _announce}
