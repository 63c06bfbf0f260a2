"""The suite: which checks there are, which to run, and how one is run.

One after the other, so that none disturbs another and the numbers of conversations mean something.
A check ends with an outcome whatever it meets; only a bug of the suite's own gets out. What looks
like a failure and is on the list of `differences` is an accepted difference.
"""

from __future__ import annotations

import asyncio
import fnmatch
from typing import TYPE_CHECKING

from netrelay.conform import differences
from netrelay.conform.checks import (
    announce,
    attributes,
    clone,
    closing,
    cs,
    ctl,
    directories,
    dns,
    ether,
    flush,
    host,
    lifetime,
    linux,
    listen,
    opening,
    parking,
    session,
    tcp,
    udp,
    unix,
    walk,
)
from netrelay.conform.claims import Check, Failed, NotOffered
from netrelay.conform.exchange import Lost, Refusal
from netrelay.conform.outcomes import Outcome, Result
from netrelay.conform.stage import Stage
from netrelay.errors import NetrelayError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator
    from types import ModuleType

    from netrelay.conform.subject import Subject
    from netrelay.types import Dialect

# From what every 9P server has to what only a gateway has: the order of the report.
SUBJECTS = (
    session, walk, opening, directories, unix, linux, flush, clone, lifetime, attributes,
    ctl, announce, listen, tcp, closing, parking, udp, ether, cs, dns, host,
)  # fmt: skip


def checks_of(module: ModuleType) -> Iterator[Check]:
    """The checks that a module defines, in its order."""
    for value in vars(module).values():
        match value:
            case Check():
                yield value
            case (Check(), *_):
                yield from value


CHECKS = tuple(check for module in SUBJECTS for check in checks_of(module))


def select(dialect: Dialect, pattern: str | None = None) -> tuple[Check, ...]:
    """The checks for a dialect whose name, or whose subject, the shell pattern matches."""
    return tuple(
        check
        for check in CHECKS
        if dialect in check.dialects
        and (
            pattern is None
            or fnmatch.fnmatchcase(check.name, pattern)
            or fnmatch.fnmatchcase(check.name.partition(".")[0], pattern)
        )
    )


async def run(subject: Subject, checks: Iterable[Check]) -> AsyncIterator[Outcome]:
    """Run checks one after the other. Errors: none but bugs."""
    for check in checks:
        yield await run_one(subject, check)


async def run_one(subject: Subject, check: Check) -> Outcome:
    """Run a check within its deadline and say how it ended."""
    for need in check.needs:
        if need in subject.missing:
            return Outcome(check, Result.NOT_OFFERED, reason=subject.missing[need], need=need)
    stage = Stage(subject)
    try:
        async with stage, asyncio.timeout(check.deadline_s):
            await check.run(stage)
    except NotOffered as absent:
        return Outcome(check, Result.NOT_OFFERED, reason=str(absent))
    except TimeoutError:
        failed = Failed(f"an end within {check.deadline_s:g} s", "none")
    except Failed as seen:
        failed = seen
    except Refusal as refusal:
        failed = Failed(refusal.wanted, refusal.seen)
    except Lost as lost:
        failed = Failed("a reply", str(lost))
    except NetrelayError as error:
        failed = Failed("bytes that can be parsed", str(error))
    except (ValueError, LookupError) as error:
        failed = Failed("a text that can be parsed", str(error))
    except OSError as error:
        failed = Failed("the network to work", str(error))
    else:
        return Outcome(check, Result.PASS)
    known = differences.find(check.name, failed.seen)
    return Outcome(
        check,
        Result.FAIL if known is None else Result.ACCEPTED,
        failed.expected,
        failed.seen,
        "" if known is None else f"known of {known.server}: {known.reason}",
        stage.trace(),
    )
