"""Both codecs say the same of every frame: the same message, or the same refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st

from netrelay import messages as m
from netrelay.types import Dialect, Qid, Stat
from tests.equivalence.outcomes import alike
from tests.strategies.frames import damaged, frames
from tests.strategies.messages import dialects, integers, messages
from tests.vectors import Recording, recordings

if TYPE_CHECKING:
    from netrelay.core import Core

RECORDED = recordings()
WRONG_INTEGERS = st.sampled_from((-1, 1 << 8, 1 << 16, 1 << 32, 1 << 64))
WRONG_STRINGS = st.sampled_from(("nul\0", "x" * 65536, "\ud800"))


@given(st.data(), dialects)
def test_a_legal_frame_is_the_same_message_to_both(
    rust: Core, python: Core, data: st.DataObject, dialect: Dialect
) -> None:
    frame = data.draw(frames(dialect))
    assert rust.decode(frame, dialect) == python.decode(frame, dialect)


@given(st.data(), dialects)
def test_a_message_is_the_same_frame_to_both(
    rust: Core, python: Core, data: st.DataObject, dialect: Dialect
) -> None:
    tag, message = data.draw(integers(2)), data.draw(messages(dialect))
    frame = python.encode(tag, message, dialect)
    assert rust.encode(tag, message, dialect) == frame


@given(st.data(), dialects, dialects)
def test_a_message_of_another_dialect_is_encoded_alike(
    rust: Core, python: Core, data: st.DataObject, spoken: Dialect, meant: Dialect
) -> None:
    message = data.draw(messages(meant))
    alike(rust, python, lambda core: core.encode(1, message, spoken))


@given(st.data(), dialects, dialects)
def test_a_damaged_frame_is_refused_alike(
    rust: Core, python: Core, data: st.DataObject, spoken: Dialect, meant: Dialect
) -> None:
    frame = data.draw(damaged(meant))
    alike(rust, python, lambda core: core.decode(frame, spoken))


@given(st.binary(max_size=60), dialects, st.booleans())
@example(b"", Dialect.P2000, False)
@example(bytes(7), Dialect.P2000, False)
@example(bytes((8, 0, 0, 0, 120, 0, 0)), Dialect.P2000, False)
def test_garbage_is_refused_alike(
    rust: Core, python: Core, body: bytes, dialect: Dialect, sized: bool
) -> None:
    frame = (len(body) + 4).to_bytes(4, "little") + body if sized else body
    alike(rust, python, lambda core: core.decode(frame, dialect))


@given(st.data(), st.sampled_from(RECORDED), dialects)
def test_a_recorded_frame_with_a_changed_byte_is_read_alike(
    rust: Core, python: Core, data: st.DataObject, recording: Recording, dialect: Dialect
) -> None:
    each = data.draw(st.sampled_from(recording.frames))
    frame = bytearray(each.frame)
    frame[data.draw(st.integers(4, len(frame) - 1))] = data.draw(st.integers(0, 255))
    alike(rust, python, lambda core: core.decode(bytes(frame), dialect))


@given(st.data(), dialects)
def test_a_value_that_its_field_cannot_hold_is_refused_by_both(
    rust: Core, python: Core, data: st.DataObject, dialect: Dialect
) -> None:
    message = data.draw(messages(dialect))
    wrong = _wrong(data, message, dialect)
    alike(rust, python, lambda core: core.encode(1, wrong, dialect))


def _wrong(data: st.DataObject, message: m.Message, dialect: Dialect) -> m.Message:
    fields = message._asdict()
    if dialect is not Dialect.U:
        # A string that is not sent is not looked at.
        fields.pop("extension", None)
    if fields:
        name = data.draw(st.sampled_from(sorted(fields)))
        fields[name] = _wrong_value(data, fields[name])
    return type(message)(**fields)


def _wrong_value(data: st.DataObject, value: object) -> object:
    match value:
        case int():
            return data.draw(WRONG_INTEGERS)
        case str():
            return data.draw(WRONG_STRINGS)
        case Qid():
            return value._replace(type=256)
        case Stat():
            return value._replace(name="nul\0")
        case (str(), *_):
            return data.draw(st.sampled_from((("x",) * 17, ("nul\0",))))
        case tuple():
            return (Qid(0, 0, 0),) * 17
    return value
