"""The text of ndb(6), as far as cs needs it: entries of `attr=value` tuples.

An entry is a line that is not indented and the indented lines behind it. Looking up returns
whole entries, the line that matched first. Inheritance between networks is not done here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TUPLE = re.compile(r'([^\s=#]+)(?:=("[^"\n]*"|[^\s#]*))?')

Tuple = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Database:
    """The parsed entries; each is a tuple of lines, each line a tuple of pairs."""

    entries: tuple[tuple[tuple[Tuple, ...], ...], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Database:
        """Read ndb text; what is no tuple is passed over, as ndb(2) does."""
        entries: list[list[tuple[Tuple, ...]]] = []
        for raw in text.splitlines():
            line = raw.partition("#")[0]
            pairs = tuple((attr, value.strip('"')) for attr, value in _TUPLE.findall(line))
            if not pairs:
                continue
            if line[:1].isspace() and entries:
                entries[-1].append(pairs)
            else:
                entries.append([pairs])
        return cls(tuple(tuple(entry) for entry in entries))

    def search(self, wanted: list[Tuple]) -> list[tuple[Tuple, ...]] | None:
        """The lines of the first entry that has every wanted pair (`*` is any value)."""
        for entry in self.entries:
            pairs = [pair for line in entry for pair in line]
            if all(any(_matches(pair, want) for pair in pairs) for want in wanted):
                first = next(
                    at for at, line in enumerate(entry) if any(_matches(p, wanted[0]) for p in line)
                )
                return [*entry[first:], *entry[:first]]
        return None

    def values(self, attr: str) -> list[str]:
        """Every value of an attribute, for metanames such as `$auth`."""
        pairs = (pair for entry in self.entries for line in entry for pair in line)
        return [value for name, value in pairs if name == attr and value]


def _matches(pair: Tuple, want: Tuple) -> bool:
    return pair[0] == want[0] and want[1] in ("*", pair[1])
