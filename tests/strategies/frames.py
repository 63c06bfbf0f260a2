"""Byte strings that are nearly 9P: whole frames, cut, changed and made up."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from netrelay.reference.codec import encode
from netrelay.types import Dialect
from tests.strategies.messages import integers, messages


@st.composite
def frames(draw: DrawFn, dialect: Dialect) -> bytes:
    """A legal frame."""
    return encode(draw(integers(2)), draw(messages(dialect)), dialect)


@st.composite
def damaged(draw: DrawFn, dialect: Dialect) -> bytes:
    """A frame whose size is right and whose body may be anything."""
    frame = bytearray(draw(frames(dialect)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(4, len(frame) - 1))
        frame[at] = draw(st.integers(0, 255))
    body = bytes(frame[4 : draw(st.integers(7, len(frame)))]) + draw(st.binary(max_size=3))
    return (len(body) + 4).to_bytes(4, "little") + body


@st.composite
def cut(draw: DrawFn, stream: bytes) -> list[bytes]:
    """The same bytes in pieces."""
    places = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    ends = [*places, len(stream)]
    return [stream[a:b] for a, b in zip([0, *places], ends, strict=True)]
