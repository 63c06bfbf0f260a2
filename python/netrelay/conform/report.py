"""Outcomes as a person reads them, and as JSON.

A line a check, and under a failure what was expected, what was seen and the last messages. The
summary counts, and names why what is not offered is not: each reason once.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from netrelay.conform.outcomes import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netrelay.conform.outcomes import Outcome

_WORDS = {
    Result.PASS: "pass",
    Result.FAIL: "FAIL",
    Result.ACCEPTED: "accepted",
    Result.NOT_OFFERED: "not offered",
}
_WIDTH = max(map(len, _WORDS.values()))
_INDENT = " " * (_WIDTH + 2)


def lines(outcome: Outcome) -> list[str]:
    """The line of a check; of a failure, why it is one too."""
    told = [f"{_WORDS[outcome.result]:{_WIDTH}}  {outcome.check.name}"]
    match outcome.result:
        case Result.FAIL:
            told += [
                f"{_INDENT}claim     {outcome.check.claim} [{outcome.check.source}]",
                f"{_INDENT}expected  {outcome.expected}",
                f"{_INDENT}seen      {outcome.seen}",
                *(f"{_INDENT}{line}" for line in outcome.trace),
            ]
        case Result.ACCEPTED:
            told += [f"{_INDENT}expected  {outcome.expected}", f"{_INDENT}seen      {outcome.seen}"]
            told += [f"{_INDENT}{outcome.reason}"]
        case Result.NOT_OFFERED:
            told[0] += f" ({outcome.need or outcome.reason})"
    return told


def summary(outcomes: Sequence[Outcome]) -> list[str]:
    """How many ended in which way, and what is not offered, by reason."""
    counted = Counter(outcome.result for outcome in outcomes)
    ends = (f"{counted[result]} {result.value}" for result in Result if counted[result])
    missing = (one for one in outcomes if one.result is Result.NOT_OFFERED)
    reasons = Counter((one.need or one.check.name, one.reason) for one in missing)
    return [
        f"{_checks(len(outcomes))}: {', '.join(ends)}",
        *(
            f"not offered, {_checks(number)}: {need} ({reason})"
            for (need, reason), number in reasons.items()
        ),
    ]


def record(outcome: Outcome) -> dict[str, object]:
    """A check's outcome for `--json`."""
    return {
        "check": outcome.check.name,
        "claim": outcome.check.claim,
        "source": outcome.check.source,
        "result": outcome.result.value,
        "expected": outcome.expected,
        "seen": outcome.seen,
        "reason": outcome.reason,
        "need": outcome.need,
        "trace": outcome.trace,
    }


def _checks(number: int) -> str:
    return "1 check" if number == 1 else f"{number} checks"
