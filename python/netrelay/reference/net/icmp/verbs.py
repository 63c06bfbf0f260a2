"""The verb of ctl that only icmpv6 has (docs/raw.md); words behind it are ignored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from netrelay.reference.net import ctl


@dataclass(frozen=True, slots=True)
class Headers(ctl.Command):
    """Send from and to the addresses, and with the id, that are written."""


def _headers(_args: list[bytes]) -> Headers:
    return Headers()


VERBS6: Final[ctl.Verbs] = {b"headers": _headers}
