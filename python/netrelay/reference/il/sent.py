"""Messages on their way: those that are not yet acknowledged, and what was asked about them."""

from __future__ import annotations

from typing import Final

from netrelay.reference.il.packet import HEADER, IP_HEADER, after, ahead

WINDOW: Final = 20
# Queries told apart, from 1; the original calls the first one 2.
_QUERIES: Final = 8


class Sent:
    """Unacknowledged messages, at most `WINDOW`; `oldest` is `next` if there are none."""

    def __init__(self, first: int) -> None:
        self.oldest = self.next = first
        # Bytes under way, headers included, IP's too.
        self.size = 0
        self._messages: list[bytes] = []
        # By query, the newest message that had been sent when it was made; removed once answered.
        self._asked: dict[int, int] = {}
        self._query = 1

    def __len__(self) -> int:
        return len(self._messages)

    def push(self, message: bytes) -> tuple[int, int]:
        """Takes a message and gives its id and its bytes, headers included."""
        number, size = self.next, _size(message)
        self._messages.append(message)
        self.size += size
        self.next = (number + 1) % (1 << 32)
        return number, size

    def acknowledge(self, ack: int) -> bool:
        """Forgets every message up to `ack`; false if that is none, or one that was never sent."""
        done = ahead(ack + 1, self.oldest)
        if not 0 < done <= len(self._messages):
            return False
        self.size -= sum(map(_size, self._messages[:done]))
        del self._messages[:done]
        self.oldest = (ack + 1) % (1 << 32)
        return True

    def covers(self, ack: int) -> bool:
        """Whether `ack` is what a live peer's close can say.

        That is not less than it said before, and at most that a close of ours came.
        """
        return ahead(ack, self.oldest - 1) <= len(self._messages) + 1

    def message(self, number: int) -> bytes | None:
        """That message, if it is still held."""
        place = ahead(number, self.oldest)
        return self._messages[place] if place < len(self._messages) else None

    def clear(self) -> None:
        """They will not be acknowledged."""
        self._messages.clear()
        self.oldest = self.next
        self.size = 0

    def ask_anew(self) -> int:
        """The number of a query that goes with the oldest message, sent again now.

        What answers earlier queries can't know of it, and must not have it sent once more.
        """
        self._asked.clear()
        return self.ask()

    def ask(self) -> int:
        """The number of a query that is made now."""
        self._query = self._query + 1 if self._query < _QUERIES else 1
        self._asked[self._query] = (self.next - 1) % (1 << 32)
        return self._query

    def answered(self, query: int, ack: int) -> bool:
        """A query is answered: whether the other side lacks something that was sent before it.

        Only the first answer counts, or a link that doubles packets would double retransmissions
        for ever. An answer without a number was not asked for, or is an old implementation's.
        """
        numbered = 1 <= query <= _QUERIES
        newest = self._asked.pop(query, None) if numbered else self.next - 1
        return newest is not None and after(newest, ack)


def _size(message: bytes) -> int:
    return IP_HEADER + HEADER + len(message)
