"""Our own gateways under the conformance suite: every check, in every dialect, on each core.

A difference that is not on the suite's list fails here by the name of its check.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from netrelay import conform
from netrelay.conform.differences import NETRELAY
from netrelay.conform.report import lines
from netrelay.types import Dialect

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.conform.claims import Check

    from .served import Served

CORES = ("python", "rust")


def cases() -> list[object]:
    """Every check on each core in each dialect that has it."""
    return [
        pytest.param(core, dialect, check, id=f"{core}-{dialect.value}-{check.name}")
        for core in CORES
        for dialect in Dialect
        for check in conform.select(dialect)
    ]


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("core", "dialect", "check"), cases())
def test_our_gateway(
    gateway_of: Callable[[str], Served], core: str, dialect: Dialect, check: Check
) -> None:
    subject = gateway_of(core).subject(dialect)
    outcome = asyncio.run(conform.run_one(subject, check))
    if outcome.result is conform.Result.NOT_OFFERED:
        pytest.skip(outcome.reason)
    assert outcome.result is not conform.Result.FAIL, "\n".join(lines(outcome))
    if outcome.result is conform.Result.ACCEPTED:
        assert outcome.reason.startswith("known of netrelay: "), "accepted of another server only"


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("difference", NETRELAY, ids=lambda difference: difference.check)
def test_our_differences_are_there(
    gateway_of: Callable[[str], Served], core: str, difference: conform.Difference
) -> None:
    """A difference that is mended leaves the list."""
    subject = gateway_of(core).subject(Dialect.P2000)
    (check,) = (check for check in conform.CHECKS if check.name == difference.check)
    outcome = asyncio.run(conform.run_one(subject, check))
    assert outcome.result is conform.Result.ACCEPTED
    assert outcome.reason == f"known of netrelay: {difference.reason}"


@pytest.mark.parametrize("core", CORES)
def test_a_run_leaves_nothing_behind(gateway_of: Callable[[str], Served], core: str) -> None:
    """What a check opened goes with its sessions: the gateway ends up with none of it."""
    served = gateway_of(core)
    subject = served.subject(Dialect.P2000)

    async def run() -> None:
        async for _ in conform.run(subject, conform.select(Dialect.P2000, "listen")):
            pass

    asyncio.run(run())
    served.calm()
