"""Whatever a link does short of being cut, every message arrives once, in order and unchanged.

And when it is cut, both ends find out in time. Each law is tried with every pairing of the two
cores, on a clock that is only moved: docs/il.md says what the numbers are.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netrelay.types import IlClosed
from tests.simulation.link import Faults, Pair

if TYPE_CHECKING:
    from netrelay.core import Core

LONGEST = 65_497
HOUR = 3_600_000
# Nothing was heard for so long: whoever is there is not.
DEATH = 300_000

Cores = tuple["Core", "Core"]

faults = st.builds(
    lambda loss, double, quickest, more: Faults(loss, double, quickest, quickest + more),
    st.sampled_from((0.0, 0.05, 0.2, 0.4)),
    st.sampled_from((0.0, 0.1, 0.5)),
    st.integers(0, 300),
    st.sampled_from((0, 1, 20, 400)),
)
seeds = st.integers(0, 1 << 32)
sizes = st.one_of(
    st.integers(0, 40), st.integers(0, 40), st.sampled_from((8216, LONGEST - 1, LONGEST))
)


@pytest.fixture(params=["rust-rust", "rust-python", "python-rust", "python-python"])
def cores(request: pytest.FixtureRequest, python: Core) -> Cores:
    """Who calls and who answers."""
    rust = request.getfixturevalue("rust") if "rust" in request.param else python
    caller, answers = request.param.split("-")
    return (rust if caller == "rust" else python), (rust if answers == "rust" else python)


def messages(count: int, length: int) -> deque[bytes]:
    """So many, no two alike where there is room for a number."""
    return deque(
        (number.to_bytes(4, "big") * (length // 4 + 1))[: max(0, length - number % 3)]
        for number in range(count)
    )


@given(
    faults=faults,
    seed=seeds,
    up=st.integers(0, 70),
    down=st.integers(0, 70),
    length=sizes,
    sleeps=st.sampled_from((0, 0, 0, 700, 30_000)),
)
# Every answer to a query had the oldest message sent once more, until it was given up.
@example(faults=Faults(0.0, 0.5, 3, 4), seed=0, up=30, down=62, length=LONGEST - 1, sleeps=0)
def test_every_message_arrives_once_in_order_and_unchanged(
    *, cores: Cores, faults: Faults, seed: int, up: int, down: int, length: int, sleeps: int
) -> None:
    pair = Pair(cores, faults, seed)
    pair.run(pair.established, HOUR)
    (one, other), said = pair.ends, (messages(up, length), messages(down, length))
    one.to_send, other.to_send = deque(said[0]), deque(said[1])
    one.reads_from = other.reads_from = pair.now + sleeps
    pair.run(lambda: len(other.heard) >= up and len(one.heard) >= down, HOUR)
    # What is still under way must not be taken for news.
    pair.run(lambda: all(" una 00000 " in end.il.status() for end in pair.ends), HOUR)
    assert other.heard == list(said[0])
    assert one.heard == list(said[1])
    assert not one.over
    assert not other.over


@given(faults=faults, seed=seeds, count=st.integers(0, 30), length=sizes, both=st.booleans())
# The one that was called heard queries only, and did not take them for a confirmation.
@example(faults=Faults(0.4, 0.0, 46, 446), seed=173, count=0, length=0, both=False)
def test_what_was_sent_before_a_close_arrives_and_both_ends_end(
    *, cores: Cores, faults: Faults, seed: int, count: int, length: int, both: bool
) -> None:
    pair = Pair(cores, faults, seed)
    pair.run(pair.established, HOUR)
    one, other = pair.ends
    said = messages(count, length)
    one.to_send, one.closes, other.closes = deque(said), True, both
    pair.run(lambda: one.over and other.over, HOUR)
    assert one.closed == other.closed == IlClosed(None)
    if not both:
        assert other.heard == list(said)
    pair.run(lambda: [end.il.state() for end in pair.ends] == ["Closed"] * 2, HOUR)
    assert [end.il.poll_timeout() for end in pair.ends] == [None, None]


@given(faults=faults, seed=seeds, count=st.integers(0, 40), when=st.integers(0, 20_000))
def test_a_cut_is_found_out_by_both_ends_within_five_minutes(
    cores: Cores, faults: Faults, seed: int, count: int, when: int
) -> None:
    pair = Pair(cores, faults, seed)
    pair.run(pair.established, HOUR)
    for end in pair.ends:
        end.to_send = messages(count, 100)
    pair.run(lambda: True, HOUR)
    until = pair.now + when
    while pair.now < until:
        assert pair.step()
    for link in pair.links:
        link.cut = True
    pair.run(lambda: all(end.over for end in pair.ends), DEATH)
    assert {end.closed for end in pair.ends} == {IlClosed("connection timed out")}
    assert not pair.step()


@pytest.mark.parametrize("place", [0, 1])
def test_a_cut_of_one_direction_takes_ten_minutes_at_most(cores: Cores, place: int) -> None:
    """The end that hears nothing asks until it gives up; the other hears nothing from then on."""
    pair = Pair(cores)
    pair.run(pair.established, HOUR)
    pair.links[place].cut = True
    pair.run(lambda: all(end.over for end in pair.ends), 2 * DEATH)


def test_a_call_into_nothing_is_given_up(cores: Cores) -> None:
    pair = Pair(cores)
    pair.links[0].cut = True
    begun = pair.now
    pair.run(lambda: pair.ends[0].over, DEATH)
    assert pair.ends[0].closed == IlClosed("connection timed out")
    # 250 ms twice, then half as long again each time, rounded down, and at last 30 s five times.
    assert pair.now - begun == 214_539
    assert len(pair.links[0].seen) == 18


def test_a_caller_that_vanishes_in_the_handshake_is_given_up(cores: Cores) -> None:
    pair = Pair(cores)
    pair.links[1].cut = True
    while len(pair.ends) < 2:
        assert pair.step()
    pair.links[0].cut = True
    pair.run(lambda: pair.ends[1].over, DEATH)
    assert pair.ends[1].closed == IlClosed("connection timed out")


def test_a_reader_that_sleeps_for_an_hour_loses_nothing_and_keeps_the_conversation(
    cores: Cores,
) -> None:
    pair = Pair(cores)
    pair.run(pair.established, HOUR)
    one, other = pair.ends
    said = messages(60, 8192)
    woken = other.reads_from = pair.now + HOUR
    one.to_send = deque(said)
    pair.run(lambda: len(other.heard) > 0, HOUR)
    assert pair.now == woken
    # A few packets a minute from each end, and not one a round trip.
    assert all(len(link.seen) < 500 for link in pair.links)
    pair.run(lambda: len(other.heard) == len(said), HOUR)
    assert other.heard == list(said)
    # The sender is told that there is room, and does not wait for its timer.
    assert pair.now - woken < 1000


@settings(max_examples=10)
@given(seed=seeds, length=st.sampled_from((0, 1, 1000)))
def test_a_long_conversation_on_a_bad_link(cores: Cores, seed: int, length: int) -> None:
    pair = Pair(cores, Faults(loss=0.2, double=0.2, quickest=5, slowest=60), seed)
    pair.run(pair.established, HOUR)
    said = messages(1000, length)
    pair.ends[0].to_send = deque(said)
    pair.run(lambda: len(pair.ends[1].heard) == len(said), 10 * HOUR)
    assert pair.ends[1].heard == list(said)
