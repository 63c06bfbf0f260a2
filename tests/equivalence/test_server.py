"""Both server sessions do and say the same, whatever a client and a tree do to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from netrelay import messages as m
from netrelay.types import NOFID, NONUNAME, NOTAG, Dialect, Qid
from tests.equivalence.session_twins import SessionTwins
from tests.strategies import ops
from tests.strategies.frames import damaged

if TYPE_CHECKING:
    from netrelay.core import Core

STEPS = st.sampled_from(("request",) * 5 + ("answer",) * 4 + ("withdraw", "refuse", "hello", "any"))


def greeted(rust: Core, python: Core, dialect: Dialect) -> SessionTwins:
    """Sessions with a version and a root as fid 0."""
    twins = SessionTwins(rust, python)
    twins.request(NOTAG, m.Tversion(8192, dialect.value))
    twins.request(0, m.Tattach(0, NOFID, "glenda", ""))
    twins.answer(0, m.Rattach(Qid(0x80, 0, 0)))
    return twins


def step(data: st.DataObject, twins: SessionTwins) -> None:
    """Something happens."""
    waiting = sorted(twins.asked)
    match data.draw(STEPS):
        case "request":
            request = data.draw(ops.requests(twins.dialect))
            twins.request(data.draw(ops.tags), request)
        case "answer" if waiting:
            tag = data.draw(st.sampled_from(waiting))
            twins.answer(tag, data.draw(ops.answers(twins.asked[tag], twins.dialect)))
        case "refuse" if waiting:
            text = data.draw(st.sampled_from(("file does not exist", "", "x" * 9000)))
            twins.refuse(data.draw(st.sampled_from(waiting)), text, 2)
        case "withdraw" if twins.wanted_back:
            twins.withdraw(data.draw(st.sampled_from(sorted(twins.wanted_back))))
        case "withdraw":
            twins.withdraw(data.draw(ops.tags))
        case "hello" if data.draw(st.integers(0, 3)) == 0:
            twins.request(data.draw(ops.tags), data.draw(ops.hellos))
        case "any" if data.draw(st.integers(0, 3)) == 0:
            twins.raw(data.draw(damaged(data.draw(st.sampled_from(Dialect)))))
        case _:
            tag = data.draw(ops.tags)
            twins.answer(tag, data.draw(ops.answers(m.Tclunk(0), twins.dialect)))


@given(st.data(), st.sampled_from(Dialect))
def test_any_history_is_the_same_to_both(
    rust: Core, python: Core, data: st.DataObject, dialect: Dialect
) -> None:
    twins = greeted(rust, python, dialect)
    for _ in range(data.draw(st.integers(1, 40))):
        if twins.over:
            break
        step(data, twins)
        twins.fids()


@given(st.data())
def test_a_session_without_a_version_is_the_same_to_both(
    rust: Core, python: Core, data: st.DataObject
) -> None:
    twins = SessionTwins(rust, python)
    for _ in range(data.draw(st.integers(1, 6))):
        if twins.over:
            break
        step(data, twins)


@given(st.data(), st.sampled_from(Dialect))
def test_flushes_of_flushes_and_late_answers_end_in_the_same_order(
    rust: Core, python: Core, data: st.DataObject, dialect: Dialect
) -> None:
    twins = greeted(rust, python, dialect)
    twins.request(0, m.Twalk(0, 1, ("net",)))
    twins.request(1, m.Tclunk(0))
    for tag in range(2, data.draw(st.integers(3, 12))):
        twins.request(tag, m.Tflush(data.draw(st.integers(0, tag))))
    for tag in data.draw(st.permutations(sorted(twins.asked))):
        if tag in twins.wanted_back and data.draw(st.booleans()):
            twins.withdraw(tag)
        else:
            twins.answer(tag, data.draw(ops.answers(twins.asked[tag], dialect)))


@given(st.data())
def test_a_fid_in_the_making_is_made_or_forgotten_alike(
    rust: Core, python: Core, data: st.DataObject
) -> None:
    twins = greeted(rust, python, Dialect.P2000)
    none = st.just(NONUNAME)
    makers = st.one_of(
        st.builds(m.Twalk, st.just(0), st.integers(1, 2), st.just(("net",))),
        st.builds(m.Tattach, st.integers(1, 2), st.just(NOFID), st.just("bob"), st.just(""), none),
        st.builds(m.Tauth, st.integers(1, 2), st.just("bob"), st.just(""), none),
    )
    for _ in range(8):
        twins.request(1, data.draw(makers))
        if 1 not in twins.asked:
            twins.request(1, m.Tclunk(data.draw(st.integers(1, 2))))
        twins.request(2, m.Tflush(1))
        for tag in sorted(twins.asked):
            if data.draw(st.booleans()):
                twins.withdraw(tag)
            else:
                twins.answer(tag, data.draw(ops.answers(twins.asked[tag], Dialect.P2000)))
