"""Where a file is, apart from any name space: its tree, and its path from that tree's root.

A name space gives one file many names; mounts are by what is behind a name, as the original has
them by a directory's device and qid (chan.c). Paths here are clean: no empty name, no `.` or `..`.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from netrelay.errors import UsageError


class Order(enum.Enum):
    """Where a bind goes among what is there already; the values are bind(1)'s flags."""

    REPLACE = ""
    BEFORE = "b"
    AFTER = "a"


class Tree(NamedTuple):
    """A tree of files by the letter of its device and its number, as in `#I1`.

    `/` is the root's own, of directories to mount on; `I` is a stack, `M` a mounted session.
    """

    device: str
    number: int = 0

    def __str__(self) -> str:
        return f"#{self.device}" if self.device == ROOT_DEVICE else f"#{self.device}{self.number}"


class Spot(NamedTuple):
    """A file: a tree, and the names from its root."""

    tree: Tree
    names: tuple[str, ...] = ()

    def below(self, *names: str) -> Spot:
        """What these names lead to from it."""
        return Spot(self.tree, (*self.names, *names))

    def __str__(self) -> str:
        return "/".join((str(self.tree), *self.names))


class Member(NamedTuple):
    """One of the files that are mounted at a place; `create` lets files be made in it."""

    spot: Spot
    create: bool = False


ROOT_DEVICE: Final = "/"
STACK: Final = "I"
SESSION: Final = "M"
ROOT: Final = Spot(Tree(ROOT_DEVICE))


def names_of(path: str) -> tuple[str, ...]:
    """The names of a path from a root, `.` and `..` worked out as cleanname(2) does."""
    names: list[str] = []
    for name in path.split("/"):
        if name == "..":
            del names[-1:]
        elif name not in {"", "."}:
            names.append(name)
    return tuple(names)


def device_of(path: str) -> tuple[Spot, tuple[str, ...]]:
    """Where a path that begins with a device starts, and its names from there: `#I1/tcp`.

    An interface is a directory of the first stack. Errors: `UsageError`.
    """
    name, _, rest = path.removeprefix("#").partition("/")
    device, digits = name[:1], name[1:] or "0"
    number = int(digits) if digits.isascii() and digits.isdecimal() else None
    match device:
        case "I" if number is not None:
            return Spot(Tree(STACK, number)), names_of(rest)
        case "l" if number is not None:
            return Spot(Tree(STACK), (f"ether{number}",)), names_of(rest)
    raise UsageError(f"unknown device {path!r}: #I0 on are stacks, #l0 on interfaces")
