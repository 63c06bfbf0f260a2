"""Walks through what is mounted on what (walk(5), docs/namespaces.md).

A position is the file *under* whatever is mounted there, as the original leaves a directory that
one changes to: what is mounted is looked up when the position is used. A file may be reached in
several ways, and `..` goes back the way that was come: each mounted tree that was entered is
remembered by where that was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netrelay.reference.net import tree
from netrelay.reference.net.qids import ROOT, Kind
from netrelay.reference.net.refusal import refusal

if TYPE_CHECKING:
    from netrelay.reference.net.qids import Place
    from netrelay.reference.net.tree import Facts


class Crossing(NamedTuple):
    """Where a mounted tree was entered: the position it is mounted on, and its top."""

    at: Position
    top: Place


class Position(NamedTuple):
    """A file as it was reached.

    Without a crossing it is in the root's own tree, or in a stack that was entered at its home.
    """

    place: Place
    crossing: Crossing | None = None


def natural(place: Place, facts: Facts) -> Position:
    """The position of a fid that nothing more is known of than what is seen there."""
    return Position(facts.mounts.home(place) or place)


def walk(
    position: Position, root: Position, names: tuple[str, ...], facts: Facts
) -> list[Position]:
    """The positions walked to; fewer than names when a later one is not there.

    Errors: that of the first name.
    """
    positions: list[Position] = []
    for name in names:
        try:
            position = step(position, root, name, facts)
        except OSError:
            if not positions:
                raise
            break
        positions.append(position)
    return positions


def step(position: Position, root: Position, name: str, facts: Facts) -> Position:
    """One name of a walk: in a union, of the first member that has it.

    Errors: `file does not exist`, `not a directory`.
    """
    members = facts.mounts.on(position.place) or (position.place,)
    if not members[0].directory:
        raise refusal("NOT_A_DIRECTORY")
    if name in ("", ".", "/"):
        return position
    if name == "..":
        return position if position == root else above(position, facts)
    for member in members:
        child = tree.child(member, name, facts)
        if child is not None:
            return Position(child, _crossing(position, member, facts))
    raise refusal("FILE_DOES_NOT_EXIST")


def above(position: Position, facts: Facts) -> Position:
    """The directory that a position was reached through; of the root, itself."""
    place, crossing = position
    over = tree.parent(place, facts)
    if crossing is not None:
        return crossing.at if over == crossing.top else Position(over, crossing)
    if place.kind is Kind.NET:
        # It is at home nowhere any more.
        return Position(ROOT)
    return natural(over, facts)


def attach(root: str, aname: str, facts: Facts) -> Position:
    """The subtree that aname names below the export's root, which `..` does not leave.

    Errors: `file does not exist`, `not a directory`.
    """
    start = Position(ROOT)
    top = _descend(start, start, root, facts)
    return _descend(top, top, aname, facts)


def _descend(position: Position, root: Position, path: str, facts: Facts) -> Position:
    for name in filter(None, path.split("/")):
        position = step(position, root, name, facts)
    return position


def _crossing(position: Position, member: Place, facts: Facts) -> Crossing | None:
    """How what is in a member was reached."""
    at_home = position.crossing is None and facts.mounts.home(member) == position.place
    if member == position.place or at_home:
        return position.crossing
    return Crossing(position, member)
