"""Recorded clients against our server session, with the recorded replies as the tree's answers.

What the session sends must be what the recorded server sent, but for these, each checked below:

- iounit: ours is msize - 24, theirs what they like;
- where both refuse, the words: the session refuses in its own;
- `9P2000.L.Google`: not our dialect, so the session ends with the version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from netrelay import messages as m
from netrelay.types import Ask, Dialect, Send, Withdraw
from tests.vectors import Recording, recordings

if TYPE_CHECKING:
    from netrelay.core import Core, ServerCore

OPENED = (m.Ropen, m.Rcreate, m.Rlopen, m.Rlcreate)
ERRORS = (m.Rerror, m.Rlerror)


class Replay:
    """One session fed with a recording's requests."""

    def __init__(self, session: ServerCore) -> None:
        self.session = session
        self.asked: dict[int, m.Message] = {}
        self.withdrawn: set[int] = set()
        self.sent: dict[int, list[bytes]] = {}

    def pull(self) -> None:
        """Take every event that waits."""
        while (event := self.session.next_event()) is not None:
            match event:
                case Send(frame):
                    self.sent.setdefault(int.from_bytes(frame[5:7], "little"), []).append(frame)
                case Ask(tag, message, _):
                    self.asked[tag] = message
                case Withdraw(tag):
                    self.withdrawn.add(tag)

    def reply(self, tag: int, message: m.Message) -> None:
        """What the recorded server said."""
        if tag in self.asked:
            del self.asked[tag]
            self.session.answer(tag, message)
        elif isinstance(message, m.Rflush) and self.withdrawn:
            old = self.withdrawn.pop()
            if self.asked.pop(old, None) is not None:
                self.session.withdraw(old)
        self.pull()


class Outcome(NamedTuple):
    """A reply as far as servers must agree on it."""

    tag: int
    message: m.Message | str


@pytest.mark.parametrize("recording", recordings(), ids=lambda each: each.name)
def test_the_session_sends_what_the_recorded_server_sent(core: Core, recording: Recording) -> None:
    if not recording.msize:
        return
    replay = Replay(
        core.ServerSession(max_msize=recording.msize, versions=("9P2000", recording.version))
    )
    dialect = Dialect.P2000
    for each in recording.frames:
        tag = int.from_bytes(each.frame[5:7], "little")
        if each.from_client:
            replay.session.feed(each.frame)
            replay.pull()
            continue
        if each.frame[4] == 101:
            dialect = recording.dialect
            if recording.version.startswith("9P2000.L.Google"):
                return
        replay.reply(tag, core.decode(each.frame, dialect)[1])
        ours = replay.sent.get(tag, [b""]).pop(0)
        assert ours, (each.number, each.frame)
        assert _outcome(core, ours, dialect) == _outcome(core, each.frame, dialect), each.number


def _outcome(core: Core, frame: bytes, dialect: Dialect) -> Outcome:
    tag, message = core.decode(frame, dialect)
    if isinstance(message, ERRORS):
        return Outcome(tag, "refused")
    if isinstance(message, OPENED):
        return Outcome(tag, message._replace(iounit=0))
    return Outcome(tag, message)
