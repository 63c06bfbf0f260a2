"""From names to spots: a tree, and the path from that tree's root.

A name space gives one file many names; mounts are by what is behind a name, as the original has
them by a directory's device and qid (chan.c). Paths of spots are clean: no empty name, no `.` or
`..`.
"""

from __future__ import annotations

import enum
from typing import Final

from netrelay.errors import UsageError
from netrelay.types import ROOT_DEVICE, STACK_DEVICE, Spot, Tree


class Order(enum.Enum):
    """Where a bind goes among what is there already; the values are bind(1)'s flags."""

    REPLACE = ""
    BEFORE = "b"
    AFTER = "a"


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
            return Spot(Tree(STACK_DEVICE, number)), names_of(rest)
        case "l" if number is not None:
            return Spot(Tree(STACK_DEVICE), (f"ether{number}",)), names_of(rest)
    raise UsageError(f"unknown device {path!r}: #I0 on are stacks, #l0 on interfaces")
