"""The fids of one session: numbers that the client chose for places in the tree.

A fid remembers where it was walked to and, once open, what it became: an open of `clone` turns it
into the `ctl` of a conversation, yet a clone of the fid is `clone` again. A number is taken from
the moment a request asks for it, so that two requests in flight can't both get it.
"""

from __future__ import annotations

from dataclasses import dataclass

from netrelay.types import FidView, Qid


@dataclass
class Fid:
    """One fid. `opening` while a request that would open it is in flight."""

    walked: Qid
    root: Qid
    uname: str
    open: tuple[Qid, int] | None = None
    opening: bool = False


class Fids:
    """All fids of a session, at most `limit` with those that are promised."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: dict[int, Fid] = {}
        self._promised: set[int] = set()

    def get(self, number: int) -> Fid | None:
        """The fid, unless it is unknown or only promised."""
        return self._known.get(number)

    def taken(self, number: int) -> bool:
        """Whether the number is in use or promised."""
        return number in self._known or number in self._promised

    def full(self) -> bool:
        """Whether there is no room for another."""
        return len(self._known) + len(self._promised) >= self._limit

    def promise(self, number: int) -> None:
        """A request in flight will make it."""
        self._promised.add(number)

    def forget(self, number: int) -> None:
        """The request did not make it."""
        self._promised.discard(number)

    def put(self, number: int, fid: Fid) -> None:
        """It exists."""
        self._promised.discard(number)
        self._known[number] = fid

    def remove(self, number: int) -> None:
        """It is gone."""
        self._known.pop(number, None)

    def clear(self) -> None:
        """All are gone."""
        self._known.clear()
        self._promised.clear()

    def view(self, number: int) -> FidView | None:
        """What the tree is told of a fid."""
        fid = self._known.get(number)
        if fid is None:
            return None
        return FidView(number, fid.walked, fid.open, fid.root, fid.uname)

    def views(self) -> tuple[FidView, ...]:
        """All of them, by number."""
        views = (self.view(number) for number in sorted(self._known))
        return tuple(view for view in views if view is not None)
