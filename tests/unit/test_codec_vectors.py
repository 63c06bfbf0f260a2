"""Both cores read and write what the world wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netrelay.types import Dialect
from tests.vectors import Example, Recording, examples, recordings

if TYPE_CHECKING:
    from netrelay.core import Core

GOOGLE = "9P2000.L.Google"


@pytest.mark.parametrize("recording", recordings(), ids=lambda each: each.name)
def test_a_recorded_frame_decodes_encodes_to_itself_and_its_text_parses_back(
    core: Core, recording: Recording
) -> None:
    dialect = Dialect.P2000
    for each in recording.frames:
        if each.frame[4] == 7 and dialect is Dialect.P2000:
            # diod answers an unknown version with Rlerror before any dialect is agreed.
            assert recording.name == "gohugelgupf-diod-9p2000L-all"
            dialect = Dialect.L
        tag, message = core.decode(each.frame, dialect)
        frame = core.encode(tag, message, dialect)
        assert frame == each.frame or _old_fsync(each.frame, frame), each.number
        assert core.from_text(core.to_text(tag, message)) == (tag, message), each.number
        if each.frame[4] == 101:
            if recording.version.startswith(GOOGLE):
                return
            dialect = recording.dialect


def _old_fsync(recorded: bytes, ours: bytes) -> bool:
    """Tfsync of old clients has no datasync; we always send it."""
    return recorded[4] == 50 and len(recorded) == 11 and ours[7:] == recorded[7:] + bytes(4)


@pytest.mark.parametrize("example", examples(), ids=lambda each: each.name)
def test_a_frame_from_the_manual_has_its_text_and_its_bytes(core: Core, example: Example) -> None:
    tag, message = core.decode(example.frame, Dialect.P2000)
    assert core.to_text(tag, message) == example.text
    assert core.encode(*core.from_text(example.text), Dialect.P2000) == example.frame
