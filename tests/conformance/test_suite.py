"""The suite itself: it can fail, it fails where a server is wrong, and it is run as it says."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Final

import pytest

from netrelay import conform
from netrelay.conform import differences, report
from netrelay.conform.suite import SUBJECTS
from netrelay.errors import NetError
from netrelay.types import Dialect

from .liar import Lie, lying
from .lies import LIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.conform.claims import Check

    from .served import Served

# A lie that withholds an answer is caught by the deadline.
DEADLINE_S: Final = 2.0


def check_named(name: str) -> Check:
    """A check by its name, with the patience of these tests."""
    (check,) = (check for check in conform.CHECKS if check.name == name)
    return dataclasses.replace(check, deadline_s=DEADLINE_S)


def outcome_of(address: str, lie: Lie, name: str) -> conform.Outcome:
    """How a check ends before a gateway that lies."""

    async def run() -> conform.Outcome:
        options = conform.Options(address, uname="glenda")
        honestly = await conform.examine(options)
        async with lying(address, lie) as proxied:
            subject = dataclasses.replace(
                honestly, options=dataclasses.replace(options, address=proxied)
            )
            return await conform.run_one(subject, check_named(name))

    return asyncio.run(run())


@pytest.mark.parametrize("name", sorted({name for _, names in LIES.values() for name in names}))
def test_an_honest_proxy_passes(gateway_of: Callable[[str], Served], name: str) -> None:
    outcome = outcome_of(gateway_of("python").address, Lie(), name)
    assert outcome.result is conform.Result.PASS, "\n".join(report.lines(outcome))


@pytest.mark.parametrize(
    ("lie", "name"),
    [
        pytest.param(lie, name, id=f"{what}-{name}")
        for what, (lie, names) in LIES.items()
        for name in names
    ],
)
def test_a_lie_is_caught(gateway_of: Callable[[str], Served], lie: Lie, name: str) -> None:
    outcome = outcome_of(gateway_of("python").address, lie, name)
    assert outcome.result is conform.Result.FAIL
    assert outcome.expected
    assert outcome.seen
    assert any(line.startswith(("<", "1 <", ">", "1 >")) for line in outcome.trace)


def test_what_is_missing_is_not_offered_and_told(gateway_of: Callable[[str], Served]) -> None:
    subject = dataclasses.replace(
        gateway_of("python").subject(Dialect.P2000), missing={"tcp": "no tcp/clone"}
    )
    outcome = asyncio.run(conform.run_one(subject, check_named("clone.becomes-ctl")))
    assert (outcome.result, outcome.reason) == (conform.Result.NOT_OFFERED, "no tcp/clone")


def test_a_server_that_is_not_there_is_refused() -> None:
    with pytest.raises(NetError, match="can't reach unix!/nonexistent/socket"):
        asyncio.run(conform.examine(conform.Options("unix!/nonexistent/socket")))


def test_a_difference_is_accepted_for_what_is_seen_and_nothing_else() -> None:
    name = "walk.from-an-open-fid-is-refused"
    accepted = differences.find(name, "Rwalk wqid []")
    assert accepted is not None
    assert accepted.server == "netrelay"
    assert differences.find(name, "the end of the session") is None
    assert differences.find("walk.of-no-names-clones-the-fid", "Rwalk wqid []") is None


def test_every_difference_is_about_a_check() -> None:
    names = {check.name for check in conform.CHECKS}
    assert {difference.check for difference in differences.DIFFERENCES} <= names


def test_checks_are_told_apart_by_name() -> None:
    names = [check.name for check in conform.CHECKS]
    assert len(names) == len(set(names))
    assert len(SUBJECTS) == len({name.partition(".")[0] for name in names})


def test_checks_are_selected_by_subject_and_by_name() -> None:
    walks = conform.select(Dialect.P2000, "walk")
    assert walks == conform.select(Dialect.P2000, "walk.*")
    assert {check.name.partition(".")[0] for check in walks} == {"walk"}
    assert not conform.select(Dialect.P2000, "linux")
    assert conform.select(Dialect.L, "linux")
    assert not conform.select(Dialect.P2000, "nothing.of-the-kind")
