"""The conversation numbers of one protocol of one stack.

A new conversation gets the lowest free number; a number that was used once stays in the listing
for ever, idle and the network's (ip(3)).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netrelay.reference.net.refusal import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.reference.net.conversation import Conversation


class Slots:
    """Who has which number; `make` makes the conversation of a number and an owner."""

    def __init__(
        self,
        most: int,
        make: Callable[[int, str], Conversation],
        count: Callable[[str, int], None],
    ) -> None:
        self.most = most
        self._make = make
        self._count = count
        self._taken: list[Conversation | None] = []
        self._in_use = 0

    @property
    def used(self) -> int:
        """Numbers that were ever used."""
        return len(self._taken)

    def at(self, number: int) -> Conversation | None:
        """The conversation of that number; none if it is idle."""
        return self._taken[number] if number < len(self._taken) else None

    def check_free(self) -> None:
        """Errors: `no free devices`."""
        if self._in_use >= self.most:
            raise refusal("NO_FREE_DEVICES")

    def clone(self, owner: str) -> Conversation:
        """The lowest free number for `owner`. Errors: `no free devices`."""
        self.check_free()
        if None not in self._taken:
            self._taken.append(None)
        return self.use(self._taken.index(None), owner)

    def use(self, number: int, owner: str) -> Conversation:
        """The conversation of a number, which becomes `owner`'s if it is idle; one open more."""
        conversation = self._taken[number]
        if conversation is None:
            conversation = self._taken[number] = self._make(number, owner)
            self._in_use += 1
            self._count("conversations", 1)
        conversation.opens += 1
        return conversation

    def give_back(self, conversation: Conversation) -> None:
        """One open less; the last one ends the conversation."""
        conversation.opens -= 1
        if not conversation.opens:
            self._taken[conversation.place.number] = None
            self._in_use -= 1
            self._count("conversations", -1)
            conversation.release()
