"""A client, a tree and both server sessions between them, step by step.

Hypothesis chooses the steps and shortens what fails to the fewest. After each of them both
sessions have said the same, and what a client may count on holds: no reply to nothing, no tag asked
twice, no more fids than allowed; and when the tree has answered everything, every
request has had its one reply.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from netrelay import messages as m
from netrelay.types import NOFID, NOTAG, Dialect, Qid
from tests.equivalence.session_twins import MAX_FIDS, MAX_REQUESTS, SessionTwins
from tests.strategies import ops
from tests.strategies.frames import damaged

if TYPE_CHECKING:
    from netrelay.core import Core


class SessionMachine(RuleBasedStateMachine):
    """The steps; a test gives it the cores."""

    twins: SessionTwins

    @initialize(dialect=st.sampled_from(Dialect), attached=st.booleans())
    def greet(self, dialect: Dialect, attached: bool) -> None:
        """A version, mostly a root too."""
        self.twins.request(NOTAG, m.Tversion(8192, dialect.value))
        if attached:
            self.twins.request(0, m.Tattach(0, NOFID, "glenda", ""))
            self.twins.answer(0, m.Rattach(Qid(0x80, 0, 0)))

    @precondition(lambda self: not self.twins.over)
    @rule(data=st.data(), tag=ops.tags)
    def ask(self, data: st.DataObject, tag: int) -> None:
        """A client's request."""
        self.twins.request(tag, data.draw(ops.requests(self.twins.dialect)))

    @precondition(lambda self: self.twins.asked and not self.twins.over)
    @rule(data=st.data(), tag=ops.tags)
    def flush(self, data: st.DataObject, tag: int) -> None:
        """A flush of something that waits."""
        oldtag = data.draw(st.sampled_from(sorted(self.twins.asked)))
        self.twins.request(tag, m.Tflush(oldtag))

    @precondition(lambda self: self.twins.asked)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        """The tree's answer, or one that does not fit."""
        tag = data.draw(st.sampled_from(sorted(self.twins.asked)))
        answer = data.draw(ops.answers(self.twins.asked[tag], self.twins.dialect))
        self.twins.answer(tag, answer)

    @precondition(lambda self: self.twins.asked)
    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        """The tree says no."""
        tag = data.draw(st.sampled_from(sorted(self.twins.asked)))
        self.twins.refuse(tag, "file does not exist", 2)

    @precondition(lambda self: self.twins.wanted_back)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        """The tree undoes what a flush wants back."""
        self.twins.withdraw(data.draw(st.sampled_from(sorted(self.twins.wanted_back))))

    @rule(tag=ops.tags)
    def withdraw_anything(self, tag: int) -> None:
        """The tree errs, or is lucky."""
        self.twins.withdraw(tag)

    @precondition(lambda self: not self.twins.over)
    @rule(tag=ops.tags, hello=ops.hellos, luck=st.integers(0, 5))
    def greet_again(self, tag: int, hello: m.Tversion, luck: int) -> None:
        """Now and then a version in mid-session."""
        if not luck:
            self.twins.request(tag, hello)

    @precondition(lambda self: not self.twins.over)
    @rule(data=st.data(), dialect=st.sampled_from(Dialect), luck=st.integers(0, 9))
    def garble(self, data: st.DataObject, dialect: Dialect, luck: int) -> None:
        """Seldom a frame that is not quite 9P."""
        if not luck:
            self.twins.raw(data.draw(damaged(dialect)))

    @invariant()
    def fids_are_bounded_and_in_order(self) -> None:
        """The promised ones count too, so there may be fewer."""
        numbers = [view.fid for view in self.twins.fids()]
        assert numbers == sorted(set(numbers))
        assert len(numbers) <= MAX_FIDS
        assert NOFID not in numbers

    @invariant()
    def asks_are_bounded(self) -> None:
        """Flushes are not among them."""
        assert len(self.twins.asked) <= MAX_REQUESTS
        assert not self.twins.wanted_back - self.twins.asked.keys()

    def teardown(self) -> None:
        """The tree answers all that is left; then nothing is owed to anyone."""
        for tag in sorted(self.twins.asked):
            self.twins.refuse(tag, "interrupted", 4)
        if not self.twins.over:
            assert not +self.twins.due


def test_sessions_stay_twins_through_any_history(rust: Core, python: Core) -> None:
    class Machine(SessionMachine):
        def __init__(self) -> None:
            super().__init__()
            self.twins = SessionTwins(rust, python)

    run_state_machine_as_test(Machine)


@pytest.mark.parametrize("oldtag", [0, 3])
def test_a_flush_of_nothing_is_answered_at_once(rust: Core, python: Core, oldtag: int) -> None:
    twins = SessionTwins(rust, python)
    twins.request(NOTAG, m.Tversion(8192, "9P2000"))
    twins.request(1, m.Tflush(oldtag))
    assert not +twins.due
