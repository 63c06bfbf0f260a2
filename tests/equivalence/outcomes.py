"""What came of a call: its value, or who refused it and in what words."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from netrelay.errors import NetrelayError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def outcome(call: Callable[[], object]) -> object:
    """The value, or the refusal's type and text; what is no refusal of ours is a failure.

    A misuse is by type alone: its words are each core's own.
    """
    try:
        return call()
    except UsageError:
        return "UsageError"
    except NetrelayError as err:
        return type(err).__name__, str(err)


def alike(one: T, other: T, call: Callable[[T], object]) -> object:
    """What came of the same call of both, which must be the same."""
    mine, theirs = outcome(lambda: call(one)), outcome(lambda: call(other))
    assert mine == theirs
    return mine
