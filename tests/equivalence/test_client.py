"""Both client sessions send and say the same, whatever a program and a server do to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from netrelay import messages as m
from netrelay.types import NOTAG, Dialect, Flushed, Ready, Reply, Retry
from tests.equivalence.outcomes import alike, outcome
from tests.strategies import ops
from tests.strategies.frames import damaged
from tests.strategies.messages import kinds, of_kind

if TYPE_CHECKING:
    from netrelay.core import Core

STEPS = st.sampled_from(("request",) * 4 + ("flush",) * 3 + ("reply",) * 6 + ("wrong", "any"))
VERSIONS = st.sampled_from(("9P2000", "9P2000.netrelay", "9P2000.u", "9P2000.L"))
NO_REQUESTS: list[m.Message] = [m.Tversion(4096, ""), m.Tflush(0), m.Rclunk()]


class ClientTwins:
    """One client session of each core, and what a server knows of them."""

    def __init__(self, rust: Core, python: Core, version: str) -> None:
        self.encode, self.decode = python.encode, python.decode
        self.mine = rust.ClientSession(msize=8192, version=version)
        self.theirs = python.ClientSession(msize=8192, version=version)
        self.dialect = Dialect.P2000
        self.waiting: dict[int, m.Message] = {}
        self.ready = self.over = False
        assert isinstance(alike(self.mine, self.theirs, lambda each: each.hello()), bytes)

    def request(self, message: m.Message) -> None:
        """The program asks."""
        match alike(self.mine, self.theirs, lambda each: each.request(message)):
            case (int(tag), bytes(frame)):
                assert frame == self.encode(tag, message, self.dialect)
                assert tag not in self.waiting
                self.waiting[tag] = message

    def flush(self, tag: int) -> None:
        """The program takes a request back."""
        match alike(self.mine, self.theirs, lambda each: each.flush(tag)):
            case bytes(frame):
                own, flush = self.decode(frame, self.dialect)
                assert flush == m.Tflush(tag)
                assert own not in self.waiting
                self.waiting[own] = flush

    def reply(self, tag: int, message: m.Message) -> None:
        """The server answers."""
        self.feed(self.encode(tag, message, self.dialect))
        self.waiting.pop(tag, None)

    def feed(self, frame: bytes) -> None:
        """One frame of the server's, and all that comes of it."""
        self.mine.feed(frame)
        self.theirs.feed(frame)
        while not self.over:
            event = alike(self.mine, self.theirs, lambda each: each.next_event())
            match event:
                case None:
                    return
                case Ready(dialect, _, _):
                    self.dialect, self.ready = dialect, True
                case Flushed(tag, _):
                    self.waiting.pop(tag, None)
                case Reply() | Retry():
                    pass
                case _:
                    self.over = True
                    for session in (self.mine, self.theirs):
                        assert outcome(session.next_event) == event


def step(data: st.DataObject, twins: ClientTwins) -> None:
    """Something happens."""
    waiting = sorted(twins.waiting)
    match data.draw(STEPS):
        case "request":
            twins.request(data.draw(ops.requests(twins.dialect)))
        case "flush":
            tags = st.sampled_from(waiting) if waiting else ops.tags
            twins.flush(data.draw(tags))
        case "reply" if waiting:
            tag = data.draw(st.sampled_from(waiting))
            kind = m.MESSAGES[m.TYPES[type(twins.waiting[tag])] + 1]
            kind = kind if kind in kinds(twins.dialect) else m.Rflush
            twins.reply(tag, data.draw(of_kind(kind, twins.dialect)))
        case "wrong" if data.draw(st.integers(0, 3)) == 0:
            message = data.draw(ops.answers(m.Tclunk(0), twins.dialect))
            twins.reply(data.draw(ops.tags), message)
        case "any" if data.draw(st.integers(0, 3)) == 0:
            twins.feed(data.draw(damaged(data.draw(st.sampled_from(Dialect)))))
        case _:
            twins.request(data.draw(st.sampled_from(NO_REQUESTS)))


@given(st.data(), VERSIONS, st.sampled_from((4096, 8192)))
def test_any_history_is_the_same_to_both(
    rust: Core, python: Core, data: st.DataObject, version: str, msize: int
) -> None:
    twins = ClientTwins(rust, python, version)
    twins.reply(NOTAG, m.Rversion(msize, version))
    assert twins.ready
    for _ in range(data.draw(st.integers(1, 40))):
        if twins.over:
            break
        step(data, twins)


@given(st.data(), VERSIONS)
def test_any_greeting_is_the_same_to_both(
    rust: Core, python: Core, data: st.DataObject, version: str
) -> None:
    twins = ClientTwins(rust, python, version)
    msizes = st.sampled_from((0, 4095, 4096, 8192, 8193, (1 << 32) - 1))
    versions = st.sampled_from(("unknown", version, "9P2000", "9P2000.L", "", "9P2000.x"))
    greetings = st.one_of(
        st.builds(m.Rversion, msizes, versions),
        st.builds(m.Rversion, msizes, st.just("unknown")),
        ops.answers(m.Tclunk(0), Dialect.P2000),
    )
    for _ in range(3):
        if not twins.over and not twins.ready:
            twins.request(m.Tclunk(0))
            twins.reply(data.draw(ops.tags), data.draw(greetings))
