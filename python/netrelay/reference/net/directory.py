"""Reading directories: whole records, from a listing that was taken at offset 0 (read(5)).

The listing is kept for the fid so that it does not tear while conversations come and go. 9P2000
and .u read stat records at running offsets; .L reads entries whose offsets are cookies.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netrelay.reference.dirs import pack_dirents, pack_stat
from netrelay.reference.net.refusal import refusal
from netrelay.reference.net.tree import children, name_of, qid, seen
from netrelay.reference.net.walks import above
from netrelay.types import Dirent

if TYPE_CHECKING:
    from netrelay.reference.net.qids import Place
    from netrelay.reference.net.tree import Facts
    from netrelay.reference.net.walks import Position
    from netrelay.types import Dialect

_DT_DIR, _DT_REG = 4, 8


@dataclass(slots=True)
class Listing:
    """An open directory: what it held when it was last read from its begin.

    A union has what its members have, one after the other, names that several have as often.
    """

    _held: list[Place] = field(default_factory=list)
    _next: int = 0
    _offset: int = 0

    def read(
        self, position: Position, at: tuple[int, int], dialect: Dialect, facts: Facts
    ) -> bytes:
        """Whole stat records, at most `count` bytes of them.

        Errors: `bad offset in directory read` unless it goes on where the last read ended.
        """
        offset, count = at
        if offset == 0:
            self._held = _entries(position, facts)
            self._next = self._offset = 0
        elif offset != self._offset:
            raise refusal("BAD_DIRECTORY_OFFSET")
        data = b""
        for place in self._held[self._next :]:
            record = pack_stat(seen(place, facts), dialect)
            if len(data) + len(record) > count:
                break
            data += record
            self._next += 1
        self._offset += len(data)
        return data

    def read_entries(
        self, position: Position, root: Position, at: tuple[int, int], facts: Facts
    ) -> bytes:
        """Entries of 9P2000.L behind a cookie, `.` and `..` before all."""
        cookie, count = at
        if cookie == 0:
            self._held = _entries(position, facts)
        up = position if position == root else above(position, facts)
        named = [(".", position.place), ("..", up.place)]
        named += [(name_of(place, facts), place) for place in self._held]
        data = b""
        for index, (name, place) in enumerate(named[cookie:], start=cookie):
            found = facts.mounts.seen(place)
            kind = _DT_DIR if found.directory else _DT_REG
            entry = pack_dirents([Dirent(qid(found, facts), index + 1, kind, name)])
            if len(data) + len(entry) > count:
                break
            data += entry
        return data


def _entries(position: Position, facts: Facts) -> list[Place]:
    members = facts.mounts.on(position.place) or (position.place,)
    return [entry for member in members for entry in children(member, facts)]
