"""Which number of `ipifc` a link has, for the life of the gateway (docs/host.md 1).

A number is never another link's. A link that comes back under its name (a tunnel that was set up
anew) has the number that it had, so that hosts where links come and go do not use them up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netrelay.gateway.host.values import Link


class Numbers:
    """The numbers given out so far. While a link is there it is known by its index."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._numbers: dict[int, int] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._names)

    def update(self, links: Iterable[Link]) -> None:
        """Take notice of the links that there are now; loopbacks come last among new ones."""
        there = {link.index: link for link in links}
        self._numbers = {index: at for index, at in self._numbers.items() if index in there}
        for index, number in self._numbers.items():
            self._names[number] = there[index].name
        new = [link for index, link in there.items() if index not in self._numbers]
        for link in sorted(new, key=lambda link: (link.medium == "loopback", link.index)):
            self._numbers[link.index] = self._place(link.name)

    def number(self, index: int) -> int | None:
        """The number of a link; none of one that is not known."""
        return self._numbers.get(index)

    def index(self, number: int) -> int | None:
        """The link that has a number; none if it is gone, or there is no such number."""
        return next((index for index, at in self._numbers.items() if at == number), None)

    def named(self, name: str) -> int | None:
        """The link of that name."""
        return next((index for index, at in self._numbers.items() if self._names[at] == name), None)

    def _place(self, name: str) -> int:
        taken = set(self._numbers.values())
        for number, had in enumerate(self._names):
            if had == name and number not in taken:
                return number
        self._names.append(name)
        return len(self._names) - 1
