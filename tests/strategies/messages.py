"""Every message of every dialect, with the awkward values likelier than chance makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from hypothesis import strategies as st

from netrelay import messages as m
from netrelay.types import NONUNAME, Dialect, Dirent, Qid, Stat

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

NOT_L = (107, 112, 113, 114, 115, 124, 125, 126, 127)
BYTE_FIELDS = frozenset(("mode:Topen", "mode:Tcreate", "type:Tlock", "type:Tgetlock",
                         "type:Rgetlock", "status:Rlock"))  # fmt: skip
LONG_FIELDS = frozenset(
    [
        "offset",
        "request_mask",
        "valid:Rgetattr",
        "nlink",
        "rdev",
        "size",
        "blksize",
        "blocks",
        "atime_sec",
        "atime_nsec",
        "mtime_sec",
        "mtime_nsec",
        "ctime_sec",
        "ctime_nsec",
        "btime_sec",
        "btime_nsec",
        "gen",
        "data_version",
        "attr_size",
        "start",
        "length",
        "bfree",
        "bavail",
        "files",
        "ffree",
        "fsid",
    ]
)

dialects = st.sampled_from(Dialect)


def integers(size: int) -> SearchStrategy[int]:
    """Unsigned, of `size` bytes; the ends and small ones often."""
    top = (1 << 8 * size) - 1
    return st.one_of(st.integers(0, 3), st.just(top), st.integers(0, top))


strings = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
payloads = st.binary(max_size=40)
qids = st.builds(Qid, integers(1), integers(4), integers(8))


def stats(dialect: Dialect) -> SearchStrategy[Stat]:
    """Stat records as `dialect` can carry them."""
    tail = [st.just(""), *[st.just(NONUNAME)] * 3]
    if dialect is Dialect.U:
        tail = [strings, *[integers(4)] * 3]
    head = [integers(2), integers(4), qids, *[integers(4)] * 3, integers(8), *[strings] * 4]
    return st.builds(Stat, *head, *tail)


dirents = st.builds(Dirent, qids, integers(8), integers(1), strings)


def kinds(dialect: Dialect) -> list[type[m.Message]]:
    """The messages that the dialect has."""
    if dialect is Dialect.L:
        return [kind for number, kind in m.MESSAGES.items() if number not in NOT_L]
    return [kind for number, kind in m.MESSAGES.items() if number >= 100]


def of_kind(kind: type[m.Message], dialect: Dialect) -> SearchStrategy[m.Message]:
    """Messages of one kind."""
    hints = cast("dict[str, str]", kind.__annotations__)
    fields = {name: _field(kind.__name__, name, str(hints[name]), dialect) for name in kind._fields}
    return st.builds(kind, **fields)


def messages(dialect: Dialect) -> SearchStrategy[m.Message]:
    """Any message of the dialect."""
    return st.sampled_from(kinds(dialect)).flatmap(lambda kind: of_kind(kind, dialect))


def _field(kind: str, name: str, hint: str, dialect: Dialect) -> SearchStrategy[object]:
    match name:
        case "n_uname" if dialect is Dialect.P2000:
            return st.just(NONUNAME)
        case "errno" if dialect is not Dialect.U:
            return st.just(0)
        case "extension" if dialect is not Dialect.U:
            return st.just("")
        case "data":
            return payloads
        case "stat":
            return stats(dialect)
        case "wname":
            return st.lists(strings, max_size=16).map(tuple)
        case "wqid":
            return st.lists(qids, max_size=16).map(tuple)
        case "oldtag":
            return integers(2)
    if "str" in hint:
        return strings
    if "Qid" in hint:
        return qids
    if f"{name}:{kind}" in BYTE_FIELDS:
        return integers(1)
    long = (f"{name}:{kind}" in LONG_FIELDS or name in LONG_FIELDS) and kind != "Rwrite"
    return integers(8 if long else 4)
