"""The mount table by places: what is seen at a file instead of it (docs/namespaces.md).

Made once for a name space and never changed: another name space is another table. It only says
what is on what; `walks` says how names lead through it. A fid may be of a directory that another
name space had: it is empty now, and the root holds it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netrelay.errors import UsageError
from netrelay.reference.net import tree
from netrelay.reference.net.qids import MAX_CONVERSATIONS, ROOT, Kind, Place
from netrelay.types import ROOT_DEVICE, STACK_DEVICE, Member, NamespaceConfig, Spot, Tree

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROOT: Final = Tree(ROOT_DEVICE)


def of_stacks(names: Sequence[str]) -> NamespaceConfig:
    """What there is without a name space: a stack a directory."""
    tops = [(f"net.{name}" if name else "net",) for name in names]
    mounts = [(Spot(_ROOT, top), (Member(Spot(Tree(STACK_DEVICE, number))),))
              for number, top in enumerate(tops)]  # fmt: skip
    return NamespaceConfig(((), *tops), tuple(mounts))


class Mounts:
    """What is mounted where in one name space."""

    def __init__(self, config: NamespaceConfig, stacks: int, ethers: int) -> None:
        """Errors: `UsageError`, for a spot that no file can be at."""
        self._directories = config.directories
        self._numbers = {names: number for number, names in enumerate(config.directories)}
        self._stacks, self._ethers = stacks, ethers
        self._on = {
            self._place(spot): tuple(self._place(member.spot) for member in members)
            for spot, members in config.mounts
        }
        self._homes: dict[Place, Place] = {}
        for at, members in self._on.items():
            if at.kind is Kind.ROOT and members[0].kind is Kind.NET:
                self._homes.setdefault(members[0], at)

    def on(self, place: Place) -> tuple[Place, ...]:
        """What is mounted on a file, in the order of the union; nothing, or one at least."""
        return self._on.get(place, ())

    def seen(self, place: Place) -> Place:
        """What is seen at a file: what is mounted on it, of a union the first, or the file."""
        return self._on.get(place, (place,))[0]

    def home(self, net: Place) -> Place | None:
        """The directory of the root's own where a stack is seen, if there is one."""
        return self._homes.get(net)

    def below(self, directory: Place) -> list[Place]:
        """The directories in one of the root's own, in the order in which they were made."""
        above = self._names(directory)
        return [
            ROOT._replace(number=number)
            for number, names in enumerate(self._directories)
            if names and names[:-1] == above
        ]

    def above(self, directory: Place) -> Place:
        """The directory that holds one of the root's own; the root holds itself."""
        names = self._names(directory) or ()
        return ROOT._replace(number=self._numbers[names[:-1]])

    def name(self, directory: Place) -> str:
        """The name of one of the root's own directories."""
        names = self._names(directory)
        return "" if names is None else names[-1] if names else "/"

    def _names(self, directory: Place) -> tuple[str, ...] | None:
        known = directory.number < len(self._directories)
        return self._directories[directory.number] if known else None

    def _place(self, spot: Spot) -> Place:
        place: Place | None = None
        match spot.tree:
            case Tree(device="/") if spot.names in self._numbers:
                return ROOT._replace(number=self._numbers[spot.names])
            case Tree(device="I", number=stack) if stack < self._stacks:
                place = Place(Kind.NET, stack)
                for name in spot.names:
                    place = place and self._child(place, name)
        if place is None:
            raise UsageError(f"the name space has no file {spot}")
        return place

    def _child(self, place: Place, name: str) -> Place | None:
        """A file of a stack by its name; any conversation is taken to be there."""
        if place.kind is Kind.PROTOCOL and name.isascii() and name.isdecimal():
            number = int(name) if len(name) <= len(str(MAX_CONVERSATIONS)) else MAX_CONVERSATIONS
            canonical = number < MAX_CONVERSATIONS and str(number) == name
            return place._replace(kind=Kind.CONV, number=number) if canonical else None
        named = tree.named(place, self._ethers if place.stack == 0 else 0)
        return next((each for each in named if tree.own_name(each) == name), None)
