"""What a check is: a claim about servers, where it comes from, and a coroutine that tries it.

A check is a small function marked with `claim`. It returns when the claim holds, raises `Failed`
when it does not, and lets a `Refusal` that it did not ask for escape: that is a failure too, which
the suite words. Its name is its module and its function: `walk.dotdot-at-the-root-stays`.
Nothing here knows a socket; what a check may use is `stage.Stage`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netrelay.types import Dialect

if TYPE_CHECKING:
    from netrelay.conform.stage import Stage

Run = Callable[["Stage"], Awaitable[None]]

EVERY = (Dialect.P2000, Dialect.U, Dialect.L)
# The dialects that have Topen, Tstat and the texts of errors.
PLAIN = (Dialect.P2000, Dialect.U)
LINUX = (Dialect.L,)
DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True)
class Check:
    """One claim. `needs` are capabilities by name; `deadline_s` bounds all that it does."""

    name: str
    claim: str
    source: str
    run: Run
    needs: tuple[str, ...] = ()
    dialects: tuple[Dialect, ...] = EVERY
    deadline_s: float = DEADLINE_S


class Failed(Exception):  # noqa: N818 (an outcome, and no fault of the suite's)
    """The claim does not hold: what it promises, and what was seen instead."""

    def __init__(self, expected: str, seen: str) -> None:
        super().__init__(f"expected {expected}; seen {seen}")
        self.expected = expected
        self.seen = seen


class NotOffered(Exception):  # noqa: N818 (an outcome, and no fault of the suite's)
    """What the check is about is not there to be tried, as only trying could tell."""


def claim(
    text: str,
    source: str,
    *,
    needs: tuple[str, ...] = (),
    dialects: tuple[Dialect, ...] = EVERY,
    deadline_s: float = DEADLINE_S,
) -> Callable[[Run], Check]:
    """Make a check of a coroutine function; `source` is the page or program that says so."""

    def make(run: Run) -> Check:
        module = run.__module__.rpartition(".")[2]
        name = f"{module}.{run.__name__.replace('_', '-')}"
        return Check(name, text, source, run, needs, dialects, deadline_s)

    return make


def expect(holds: bool, expected: str, seen: object) -> None:
    """Go on if it holds. Errors: `Failed`."""
    if not holds:
        raise Failed(expected, seen if isinstance(seen, str) else repr(seen))


def same(seen: object, expected: object) -> None:
    """Go on if both are equal. Errors: `Failed`."""
    expect(seen == expected, repr(expected), seen)
