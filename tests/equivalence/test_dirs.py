"""Both cores pack and unpack stat records and directory entries alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from netrelay.types import Dialect, Dirent, Stat
from tests.equivalence.outcomes import alike
from tests.strategies.messages import dialects, dirents, stats

if TYPE_CHECKING:
    from netrelay.core import Core


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """The bytes with a few changed and some cut off or put behind."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(0, 3)) if data else 0):
        changed[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(changed[: draw(st.integers(0, len(data)))]) + draw(st.binary(max_size=4))


@given(st.data(), dialects, dialects)
def test_a_stat_record_is_packed_alike(
    rust: Core, python: Core, data: st.DataObject, spoken: Dialect, meant: Dialect
) -> None:
    record = data.draw(stats(meant))
    alike(rust, python, lambda core: core.pack_stat(record, spoken))


@given(st.data(), dialects)
def test_a_number_too_large_for_a_stat_record_is_refused_by_both(
    rust: Core, python: Core, data: st.DataObject, dialect: Dialect
) -> None:
    record = data.draw(stats(dialect))
    field = data.draw(st.sampled_from([name for name in Stat._fields if _is_number(record, name)]))
    wrong = Stat(**{**record._asdict(), field: data.draw(st.sampled_from((-1, 1 << 64)))})
    result = alike(rust, python, lambda core: core.pack_stat(wrong, dialect))
    assert result == "UsageError"


def _is_number(record: Stat, name: str) -> bool:
    return isinstance(getattr(record, name), int)


@given(st.data(), dialects, dialects)
def test_a_directory_read_is_unpacked_alike(
    rust: Core, python: Core, data: st.DataObject, spoken: Dialect, meant: Dialect
) -> None:
    records = data.draw(st.lists(stats(meant), max_size=3))
    whole = b"".join(python.pack_stat(each, meant) for each in records)
    read = data.draw(st.one_of(st.just(whole), damaged(whole)))
    result = alike(rust, python, lambda core: core.unpack_stats(read, spoken))
    if read == whole and spoken is meant:
        assert result == records


@given(st.data())
def test_an_rreaddir_is_packed_and_unpacked_alike(
    rust: Core, python: Core, data: st.DataObject
) -> None:
    entries: list[Dirent] = data.draw(st.lists(dirents, max_size=4))
    whole = alike(rust, python, lambda core: core.pack_dirents(entries))
    assert isinstance(whole, bytes)
    assert alike(rust, python, lambda core: core.unpack_dirents(whole)) == entries
    broken = data.draw(damaged(whole))
    alike(rust, python, lambda core: core.unpack_dirents(broken))
