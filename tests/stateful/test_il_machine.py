"""Both cores' ends of an IL conversation are told the same and say the same, whatever it is.

Packets are mostly of the conversation and near what it expects, so that every state is reached,
and sometimes garbage; a world with a real other end is that of `tests/simulation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.equivalence.outcomes import alike, outcome
from tests.unit.il_packets import CALLED, CALLER, START, SYNC, THEIRS, packet

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.core import Core
    from netrelay.il.machine import IlCore

WRAPPING = 0xFFFF_FFFE
starts = st.sampled_from((START, WRAPPING))
kinds = st.one_of(st.integers(0, 6), st.integers(0, 7), st.sampled_from((1, 2)))
specs = st.one_of(st.integers(0, 9), st.just(255))
bodies = st.one_of(
    st.binary(max_size=20),
    st.integers(0, 65_517).map(bytes),
    st.sampled_from((b"", bytes(8192), bytes(65_497))),
)
near = st.one_of(st.integers(-2, 6), st.integers(-30, 60), st.integers(0, (1 << 32) - 1))
pauses = st.one_of(
    st.just(0), st.integers(0, 300), st.integers(0, 40_000), st.sampled_from((100, 10_000, 300_000))
)


class IlMachine(RuleBasedStateMachine):
    """The steps; a test gives it the cores."""

    cores: tuple[Core, Core]

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.start = START
        # How far the conversation has come, as far as is known from outside.
        self.sent = self.said = 0

    @initialize(start=starts, how=st.sampled_from(("connect", "connect_fast", "accept")))
    def begin(self, start: int, how: str) -> None:
        """A call, or the answer to one."""
        self.start = start
        made = []
        for core in self.cores:
            if how == "accept":
                il = core.Il.accept(self.now, packet(SYNC, THEIRS, 0), start)
                assert il is not None
            else:
                il = getattr(core.Il, how)(self.now, CALLER, CALLED, start)
            made.append(il)
        self.mine, self.theirs = made

    @rule()
    def confirm(self) -> None:
        """The handshake goes on as it should."""
        kind = SYNC if self.word() == "Syncer" else 3
        self._take(packet(kind, THEIRS, self.start))

    @rule(kind=kinds, spec=specs, id_=near, ack=near, body=bodies)
    def hear(self, kind: int, spec: int, id_: int, ack: int, body: bytes) -> None:
        """A packet that is sound, and may even make sense."""
        number = THEIRS + self.said + id_
        self._take(packet(kind, number, self.start + self.sent + ack, body, spec=spec))

    @rule(body=bodies, count=st.integers(1, 25))
    def hear_messages(self, body: bytes, count: int) -> None:
        """Messages in order, which acknowledge what was sent."""
        for _ in range(count):
            self.said += 1
            self._take(packet(1, THEIRS + self.said, self.start + self.sent, body))

    @rule(spec=specs, behind=st.integers(0, 3))
    def hear_state(self, spec: int, behind: int) -> None:
        """An answer to a query."""
        self._take(packet(5, THEIRS + self.said + 1, self.start + self.sent - behind, spec=spec))

    @rule(raw=st.binary(max_size=60))
    def hear_garbage(self, raw: bytes) -> None:
        """Bytes."""
        self._take(raw)

    @rule(data=st.data(), kind=kinds, body=st.binary(max_size=20))
    def hear_damaged(self, data: st.DataObject, kind: int, body: bytes) -> None:
        """A packet cut short, or with a byte changed."""
        raw = packet(kind, THEIRS + 1, self.start, body)
        place = data.draw(st.integers(0, len(raw) - 1))
        if data.draw(st.booleans()):
            self._take(raw[:place])
        else:
            byte = data.draw(st.integers(0, 255))
            self._take(raw[:place] + bytes([byte]) + raw[place + 1 :])

    @rule(body=bodies, count=st.integers(1, 22))
    def send(self, body: bytes, count: int) -> None:
        """Messages, perhaps more than may be under way."""
        for _ in range(count):
            if self._both(lambda il: il.send(self.now, body)) is True:
                self.sent += 1

    @precondition(lambda self: self.now > 0)
    @rule(luck=st.integers(0, 9))
    def close(self, luck: int) -> None:
        """Seldom, or nothing would come of the rest."""
        if not luck:
            self._both(lambda il: il.close(self.now))

    @rule(luck=st.integers(0, 9))
    def advise(self, luck: int) -> None:
        """Seldom, a word of the host."""
        if not luck:
            self._both(lambda il: il.advise("no route"))

    @rule(pause=pauses)
    def let_time_pass(self, pause: int) -> None:
        """To some moment, due or not."""
        self.now += pause
        self._both(lambda il: il.handle_timeout(self.now))

    @rule()
    def come_back_when_told(self) -> None:
        """To the moment that it asked for."""
        due = self._both(lambda il: il.poll_timeout())
        if isinstance(due, int):
            self.now = max(self.now, due)
            self._both(lambda il: il.handle_timeout(self.now))
            after = self._both(lambda il: il.poll_timeout())
            assert after is None or (isinstance(after, int) and after > self.now)

    @rule()
    def fetch_packets(self) -> None:
        """All that is to be sent, in both the same bytes."""
        while self._both(lambda il: il.poll_transmit()) is not None:
            pass

    @rule(count=st.integers(1, 100))
    def fetch_events(self, count: int) -> None:
        """Some of what has happened."""
        while count and self._both(lambda il: il.poll_event()) is not None:
            count -= 1

    @invariant()
    def they_say_the_same(self) -> None:
        """Of everything that can be asked."""
        if hasattr(self, "mine"):
            for ask in (
                lambda il: il.status(),
                lambda il: il.stats(),
                lambda il: il.room(),
                lambda il: il.poll_timeout(),
            ):
                self._both(ask)

    def word(self) -> str:
        """The state's."""
        return str(self._both(lambda il: il.state()))

    def teardown(self) -> None:
        """It ends within its time, whatever happened."""
        if hasattr(self, "mine"):
            self.fetch_packets()
            for _ in range(100):
                self.come_back_when_told()
            assert self.word() == "Closed"
            self.fetch_packets()
            self.fetch_events(1 << 20)

    def _take(self, raw: bytes) -> None:
        self._both(lambda il: il.handle_packet(self.now, raw))
        assert outcome(lambda: self.cores[0].Il.refuse(raw)) == outcome(
            lambda: self.cores[1].Il.refuse(raw)
        )

    def _both(self, call: Callable[[IlCore], object]) -> object:
        return alike(self.mine, self.theirs, call)


def test_both_cores_say_the_same_through_any_history(rust: Core, python: Core) -> None:
    class Machine(IlMachine):
        cores = (rust, python)

    run_state_machine_as_test(Machine)
