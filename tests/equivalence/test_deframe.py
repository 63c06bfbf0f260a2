"""Both deframers cut a stream at the same places, however it comes, and refuse the same sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from netrelay.types import Dialect
from tests.equivalence.outcomes import outcome
from tests.strategies.frames import cut, frames

if TYPE_CHECKING:
    from netrelay.core import Core, DeframerCore

SIZES = st.sampled_from((0, 3, 6, 7, 8, 63, 64, 65, 4096, (1 << 32) - 1))


def pulled(deframer: DeframerCore) -> list[object]:
    """Everything that is there, and what came last twice."""
    found: list[object] = []
    while isinstance(result := outcome(deframer.next_frame), bytes):
        found.append(result)
    return [*found, result, outcome(deframer.next_frame)]


@given(st.data(), st.sampled_from((7, 64, 8216)))
def test_a_stream_is_cut_alike_however_it_comes(
    rust: Core, python: Core, data: st.DataObject, msize: int
) -> None:
    whole = data.draw(st.lists(frames(Dialect.P2000), max_size=4))
    stream = b"".join(whole)
    if data.draw(st.booleans()):
        stream += data.draw(SIZES).to_bytes(4, "little") + data.draw(st.binary(max_size=70))
    pieces = data.draw(cut(stream))
    mine, theirs, at_once = rust.Deframer(msize), python.Deframer(msize), python.Deframer(msize)
    seen: list[object] = []
    for piece in pieces:
        mine.feed(piece)
        theirs.feed(piece)
        found = pulled(mine)
        assert found == pulled(theirs)
        seen += found[:-2]
    at_once.feed(stream)
    expected = pulled(at_once)
    assert [*seen, *pulled(mine)] == expected
