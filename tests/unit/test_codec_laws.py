"""What holds for any message and any bytes, on each core by itself."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from netrelay.errors import DecodeError, FrameError, UsageError
from netrelay.types import Dialect
from tests.strategies.frames import cut, damaged, frames
from tests.strategies.messages import dialects, dirents, integers, messages, stats

if TYPE_CHECKING:
    from netrelay.core import Core


@given(st.data(), dialects, integers(2))
def test_decode_undoes_encode_and_text_parses_back(
    core: Core, data: st.DataObject, dialect: Dialect, tag: int
) -> None:
    message = data.draw(messages(dialect))
    assert core.decode(core.encode(tag, message, dialect), dialect) == (tag, message)
    assert core.from_text(core.to_text(tag, message)) == (tag, message)


@given(st.data(), dialects)
def test_any_frame_is_a_message_or_a_decode_error(
    core: Core, data: st.DataObject, dialect: Dialect
) -> None:
    frame = data.draw(damaged(dialect))
    with contextlib.suppress(DecodeError):
        tag, message = core.decode(frame, dialect)
        again = core.decode(core.encode(tag, message, dialect), dialect)
        assert again == (tag, message)


@given(st.data(), st.lists(st.deferred(lambda: frames(Dialect.U)), max_size=4))
def test_a_stream_gives_the_same_frames_however_it_is_cut(
    core: Core, data: st.DataObject, whole: list[bytes]
) -> None:
    deframer, found = core.Deframer(1 << 20), []
    for piece in data.draw(cut(b"".join(whole))):
        deframer.feed(piece)
        while (frame := deframer.next_frame()) is not None:
            found.append(bytes(frame))
    assert found == whole


@given(st.binary(max_size=60))
def test_any_bytes_are_frames_or_a_frame_error(core: Core, stream: bytes) -> None:
    deframer = core.Deframer(32)
    deframer.feed(stream)
    with contextlib.suppress(FrameError):
        while deframer.next_frame() is not None:
            pass


@given(st.text(max_size=60))
def test_any_text_is_a_message_or_a_usage_error(core: Core, text: str) -> None:
    with contextlib.suppress(UsageError):
        core.from_text(text)


@given(st.data(), dialects)
def test_directories_unpack_to_what_was_packed(
    core: Core, data: st.DataObject, dialect: Dialect
) -> None:
    records = data.draw(st.lists(stats(dialect), max_size=4))
    packed = b"".join(core.pack_stat(each, dialect) for each in records)
    assert core.unpack_stats(packed, dialect) == records
    entries = data.draw(st.lists(dirents, max_size=4))
    assert core.unpack_dirents(core.pack_dirents(entries)) == entries
