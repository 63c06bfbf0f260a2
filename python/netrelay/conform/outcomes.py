"""How a check ended, and what the accepted differences are compared with."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netrelay.conform.claims import Check


class Result(enum.Enum):
    """The four ways for a check to end."""

    PASS = "pass"  # noqa: S105 (no password)
    FAIL = "fail"
    ACCEPTED = "accepted"
    NOT_OFFERED = "not offered"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A check and its end.

    A failure has what was `expected`, what was `seen` and the `trace` of messages; an accepted
    difference has these and the `reason`; what is not offered has the `reason`, and the `need` that
    is not met if it is one of the capabilities.
    """

    check: Check
    result: Result
    expected: str = ""
    seen: str = ""
    reason: str = ""
    trace: list[str] = field(default_factory=list)
    need: str = ""
