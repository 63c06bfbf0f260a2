"""Calls of il on both cores: random writes, reads, flushes, commands and ends of both sides.

Whether il does what it should is in tests/gateway/test_il.py, and how it bears a link that loses
and reorders in tests/il.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.namespaces import namespace

from .gateway_twins import Twins, calm
from .il_driver import IlDriver

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.equivalence, pytest.mark.netns, pytest.mark.timeout(3600)]

# What leaves a call as it is, and what is refused.
COMMANDS = (
    b"ttl 7", b"tos 16", b"ignoreadvice", b"keepalive", b"keepalive 500", b"keepalive x",
    b"connect", b"connect 127.0.0.1!1", b"connect ::1!1", b"announce 7", b"announce ::1!7",
    b"announce 127.0.0.1!7777", b"bind 9", b"bind 240.0.0.1!5", b"headers", b"close", b"frob", b"",
)  # fmt: skip
sides = st.integers(0, 1)
tags = st.lists(st.integers(0, 6), min_size=1, max_size=3, unique=True)
# All that a plan writes fits what may wait to be read: what does not is sent again by a clock.
sizes = st.sampled_from((0, 1, 30, 2500))

operation = st.one_of(
    st.tuples(st.just("il_call")),
    st.tuples(st.just("il_write"), sides, sizes),
    st.tuples(st.just("il_write"), sides, sizes),
    st.tuples(st.just("il_park"), sides, tags, st.sampled_from((0, 1, 20, 4096))),
    st.tuples(st.just("il_park"), sides, tags, st.just(4096)),
    st.tuples(st.just("il_ctl"), sides, st.sampled_from(COMMANDS)),
    st.tuples(st.just("il_look"), sides, st.sampled_from(("local", "remote", "status", "ctl"))),
    st.tuples(st.just("il_flush"), st.integers(0, 6)),
    st.tuples(st.just("il_end"), sides, st.booleans()),
)
plans = st.lists(operation, max_size=20).map(lambda several: [("il_call",), *several])


@pytest.fixture(scope="module")
def networks() -> Iterator[tuple[str, str]]:
    """A network for each gateway, with loopback alone."""
    with namespace() as one, namespace() as other:
        for each in (one, other):
            each.ip("link set lo up")
        yield one.path, other.path


@given(plan=plans)
def test_both_gateways_answer_alike(
    networks: tuple[str, str], plan: list[tuple[object, ...]]
) -> None:
    twins = Twins(networks=networks)
    try:
        driver = IlDriver(twins)
        driver.begin()
        for operation in plan:
            driver.do(operation)
        twins.sessions_anew()
        for twin in twins.both:
            calm(twin)
    finally:
        twins.close()
