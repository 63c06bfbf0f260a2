"""How the fids of a session were reached, where their qids don't say (docs/namespaces.md 3).

A fid of an ordinary name space needs nothing here: what is seen there tells its position.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netrelay.reference.net.qids import place_of
from netrelay.reference.net.walks import Position, natural

if TYPE_CHECKING:
    from netrelay.reference.net.tree import Facts
    from netrelay.types import FidView


class Reached:
    """The positions of a session's fids, and of the roots of their attaches."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._known: dict[int, tuple[Position, Position]] = {}

    def where(self, view: FidView) -> tuple[Position, Position]:
        """The position of a fid and that of its attach's root."""
        known = self._known.get(view.fid)
        if known is not None:
            return known
        walked, root = place_of(view.walked), place_of(view.root)
        return natural(walked, self._facts), natural(root, self._facts)

    def note(self, fid: int, position: Position, root: Position) -> None:
        """A fid is at a position from now on."""
        self.forget(fid)
        if not (self._told(position) and self._told(root)):
            self._known[fid] = position, root

    def forget(self, fid: int) -> None:
        """A fid is clunked."""
        self._known.pop(fid, None)

    def clear(self) -> None:
        """All are."""
        self._known.clear()

    def _told(self, position: Position) -> bool:
        """Whether what is seen at a position tells the position."""
        seen = self._facts.mounts.seen(position.place)
        return position == natural(seen, self._facts)
