"""The mount table, and how names are looked up through it (bind(2), chan.c).

A table is never changed: `bound` and `unmounted` give another. So whoever walks through one may go
on with it, and a name space changes for everybody at once by changing which table is meant.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from netrelay.errors import UsageError
from netrelay.namespace.places import ROOT, Order
from netrelay.types import Member

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netrelay.types import Spot

NOTHING: Final[Mapping[Spot, tuple[Member, ...]]] = MappingProxyType({})


class Known(Protocol):
    """What can be told of the trees without asking anybody."""

    def there(self, spot: Spot) -> bool:
        """Whether there is such a file. What only a server knows is taken to be there."""

    def directory(self, spot: Spot) -> bool | None:
        """Whether it is a directory; None where only a server knows."""


class Found(NamedTuple):
    """What a name leads to: the file mounted upon, and what is mounted there, if anything is."""

    under: Spot
    members: tuple[Member, ...]

    @property
    def spot(self) -> Spot:
        """The file itself: of a union, its first member's."""
        return self.members[0].spot if self.members else self.under


class Table:
    """What is mounted where."""

    def __init__(self, mounts: Mapping[Spot, tuple[Member, ...]] = NOTHING) -> None:
        self.mounts: Mapping[Spot, tuple[Member, ...]] = MappingProxyType(dict(mounts))

    def find(self, names: tuple[str, ...], known: Known, *, start: Spot = ROOT) -> Found | None:
        """What names from `start` lead to; nothing where a name is not there.

        In a union the first member that has the next name is taken, and the others are forgotten.
        """
        found = self.at(start)
        for name in names:
            choices = [member.spot for member in found.members] or [found.under]
            below = (spot.below(name) for spot in choices if known.directory(spot) is not False)
            spot = next((spot for spot in below if known.there(spot)), None)
            if spot is None:
                return None
            found = self.at(spot)
        return found

    def bound(
        self, new: Found, old: Spot, order: Order, known: Known, *, create: bool = False
    ) -> Table:
        """The table with `new` on `old`.

        Errors: `UsageError` `inconsistent mount`, when one is a directory and the other is not,
        when files are joined to a union, or when a true union is to be created in.
        """
        kinds = {known.directory(new.spot), known.directory(old)}
        if {True, False} <= kinds or (False in kinds and order is not Order.REPLACE):
            raise UsageError("inconsistent mount")
        if create and new.members and (len(new.members) > 1 or not new.members[0].create):
            raise UsageError("inconsistent mount")
        # A union is copied as it is; only its first may be created in.
        added = (Member(new.spot, create), *(Member(each.spot) for each in new.members[1:]))
        before = self.mounts.get(old, (Member(old),))
        members = {
            Order.REPLACE: added,
            Order.BEFORE: (*added, *before),
            Order.AFTER: (*before, *added),
        }
        return Table({**self.mounts, old: members[order]})

    def unmounted(self, old: Spot, new: Spot | None = None) -> Table:
        """The table without `new` on `old`, or with nothing on it.

        Errors: `UsageError` `not mounted`, `not in union`.
        """
        mounts = dict(self.mounts)
        if old not in mounts:
            raise UsageError("not mounted")
        members = mounts.pop(old)
        if new is not None:
            spots = [member.spot for member in members]
            if new not in spots:
                raise UsageError("not in union")
            at = spots.index(new)
            left = members[:at] + members[at + 1 :]
            if left:
                mounts[old] = left
        return Table(mounts)

    def at(self, spot: Spot) -> Found:
        """A file and what is mounted on it."""
        return Found(spot, self.mounts.get(spot, ()))
