"""The transcripts (tests/transcripts/README.md), replayed by both cores."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netrelay import messages as m
from netrelay.errors import DecodeError, FrameError, UsageError
from netrelay.types import Ask, Dialect, Event, Reset, Send, Withdraw

if TYPE_CHECKING:
    from netrelay.core import Core

HOME = Path(__file__).parents[1] / "transcripts"
TRANSCRIPTS = sorted(HOME.glob("*.9p"))


class Replay:
    """A session and the line that it is at."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.session = core.ServerSession()
        self.dialect = Dialect.P2000
        self.over = False
        self.group: list[str] | None = None

    def line(self, line: str) -> None:
        """Do or expect what one line says."""
        mark, _, rest = line.partition(" ")
        match mark:
            case ">":
                self.nothing_left()
                self.feed(rest)
            case "!":
                self.nothing_left()
                self.act(rest)
            case "{":
                self.group = []
            case "}":
                assert self.group is not None
                sent = [self.sent() for _ in self.group]
                assert sorted(sent) == sorted(self.group)
                self.group = None
            case "<" if self.group is not None:
                self.group.append(rest)
            case "<":
                assert self.sent() == rest
            case "?":
                self.expect(rest)
            case _:
                raise AssertionError(f"not a line of a transcript: {line}")

    def nothing_left(self) -> None:
        """No event may be waiting."""
        if not self.over:
            assert self.session.next_event() is None

    def feed(self, what: str) -> None:
        """A request, or bytes in hex."""
        if what.startswith("bytes "):
            self.session.feed(bytes.fromhex(what.removeprefix("bytes ")))
        else:
            self.session.feed(self.core.encode(*self.core.from_text(what), self.dialect))

    def act(self, what: str) -> None:
        """The tree's part."""
        if what.startswith("misuse "):
            with pytest.raises(UsageError):
                self.act(what.removeprefix("misuse "))
            return
        word, _, rest = what.partition(" ")
        match word:
            case "refuse":
                tag, quoted, number = _three(rest)
                self.session.refuse(tag, quoted, number)
            case "withdraw":
                self.session.withdraw(int(rest))
            case _:
                self.session.answer(*self.core.from_text(what))

    def sent(self) -> str:
        """The text of the next event, which must be a frame to send."""
        event = self.event()
        assert isinstance(event, Send), event
        tag, message = self.core.decode(event.frame, self._spoken(event.frame))
        if isinstance(message, m.Rversion):
            version = message.version
            self.dialect = Dialect.P2000 if version == "unknown" else Dialect.of(version)
        return self.core.to_text(tag, message)

    def expect(self, what: str) -> None:
        """An event that sends nothing."""
        word, _, rest = what.partition(" ")
        if word == "over":
            with pytest.raises((FrameError, DecodeError)) as caught:
                self.session.next_event()
            assert str(caught.value) == ast.literal_eval(rest)
            self.over = True
            return
        event = self.event()
        match word, event:
            case "ask", Ask(tag, message, _):
                number, _, text = rest.partition(" ")
                assert tag == int(number)
                assert not text or self.core.to_text(tag, message) == text
            case "withdraw", Withdraw(tag):
                assert tag == int(rest)
            case "reset", Reset():
                pass
            case _:
                raise AssertionError(f"{what!r} expected, not {event}")

    def event(self) -> Event:
        """The next event, which must be there."""
        event = self.session.next_event()
        assert event is not None
        return event

    def _spoken(self, frame: bytes) -> Dialect:
        """An Rversion is the same in all of them, so it may be read before it counts."""
        return Dialect.P2000 if frame[4] == m.TYPES[m.Rversion] else self.dialect


def _three(words: str) -> tuple[int, str, int]:
    tag, _, rest = words.partition(" ")
    quoted, _, number = rest.rpartition(" ")
    return int(tag), str(ast.literal_eval(quoted)), int(number)


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_a_transcript_is_what_happens(core: Core, path: Path) -> None:
    replay = Replay(core)
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line and not line.startswith("#"):
            try:
                replay.line(line)
            except AssertionError as err:
                raise AssertionError(f"{path.name}:{number}: {line}") from err
    replay.nothing_left()


def test_there_are_transcripts() -> None:
    assert len(TRANSCRIPTS) >= 16
