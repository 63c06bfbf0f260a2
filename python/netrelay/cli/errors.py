"""How the command line ends: 0 done, 1 refused or failed, 2 misused; one line says what to do.

Commands raise; this is where errors become a line on standard error and a status. What
the gateway said is printed as it said it, behind what it is about, with advice where the words call
for some.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar

import click
import uvloop

from netrelay.errors import NetError, NetrelayError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

REFUSED = 1
MISUSED = 2

_R = TypeVar("_R")
# Words of a refusal -> what its reader can do.
_ADVICE: Final = (
    ("address in use", "somebody has that port of the gateway: choose another"),
    ("address already in use", "another program of this machine has it: choose another port"),
    ("can't translate service", "write the port as a number"),
    ("can't translate address", "check the name, or write the address as numbers"),
    ("file does not exist", "`netrelay ls` shows what there is"),
)
# `permission denied`, where it is about a file, and where it is about a call.
NOT_YOURS: Final = "`netrelay stat` shows who may"
FORBIDDEN: Final = "the gateway forbids it: its operator can allow it, see `netrelay export --help`"


class Failure(click.ClickException):
    """Refused or failed: a line on standard error and status 1."""

    exit_code = REFUSED

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line."""
        click.echo(f"netrelay: {self.message}", file=file, err=True)


class Misuse(Failure):
    """Asked for wrongly: a line on standard error and status 2."""

    exit_code = MISUSED


def run(work: Callable[[], Coroutine[object, object, _R]]) -> _R:
    """Run a coroutine on a loop of its own and turn its errors into a `Failure`."""
    try:
        return uvloop.run(work())
    except* click.ClickException as group:
        raise next(_leaves(group)) from None
    except* UsageError as group:
        raise Misuse(_first(group)) from None
    except* (NetrelayError, OSError) as group:
        raise Failure(_advised(_first(group))) from None
    except* KeyboardInterrupt:
        raise Failure("interrupted") from None


@contextlib.contextmanager
def about(what: str, *, denied: str = FORBIDDEN) -> Iterator[None]:
    """Say what a refusal is about; `denied` is the advice for `permission denied`."""
    try:
        yield
    except NetError as error:
        advice = f" ({denied})" if error.text == "permission denied" else ""
        raise NetError(f"{what}: {error.text}{advice}", error.errno) from None


def _advised(text: str) -> str:
    advice = next((advice for words, advice in _ADVICE if words in text), None)
    return text if advice is None else f"{text} ({advice})"


def _first(group: BaseExceptionGroup[BaseException]) -> str:
    error = next(_leaves(group))
    return error.text if isinstance(error, NetError) else str(error) or type(error).__name__


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
