"""Messages that came: sorted, once each, bounded, until they are read.

What comes ahead of its turn is held up to the window; what is in order waits to be read. A message
that arrives while `MAX_UNREAD` bytes wait is dropped, as IL has no flow control; the sender sends
it again.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import Final

from netrelay.reference.il.packet import HEADER, ahead
from netrelay.reference.il.sent import WINDOW

MAX_UNREAD: Final = 64 << 10


class Placed(enum.Enum):
    """What became of a message that is not in order now."""

    DUPLICATE = "it came before"
    OUTSIDE = "it is too far ahead"
    EARLY = "one before it is missing"


class Received:
    """The receiving half of a conversation; `last` is the last message that came in order."""

    def __init__(self) -> None:
        self.last = 0
        # Bytes that wait to be read, without headers.
        self.size = 0
        self._ready: deque[bytes] = deque()
        self._ahead: dict[int, bytes] = {}
        # Something was not taken for lack of room.
        self._stalled = False
        # Nobody will read: messages are acknowledged and forgotten.
        self._deaf = False

    def admits(self) -> bool:
        """Whether there is room for another message; if not, word is owed once there is."""
        full = self._cost() >= MAX_UNREAD
        self._stalled |= full
        return not full

    def relieved(self) -> bool:
        """Whether that word is due: so much was read that it is worth it."""
        relieved = self._stalled and self._cost() <= MAX_UNREAD // 2
        self._stalled &= not relieved
        return relieved

    def _cost(self) -> int:
        """With the headers: a message without bytes takes room too."""
        return self.size + len(self._ready) * HEADER

    def place(self, number: int, message: bytes) -> int | Placed:
        """Takes a message; gives how many are in order now that were not, or what it is instead."""
        behind = ahead(number, self.last)
        if behind == 0 or behind >= 1 << 31 or number in self._ahead:
            return Placed.DUPLICATE
        if behind > WINDOW:
            return Placed.OUTSIDE
        self._ahead[number] = message
        count = 0
        while (following := (self.last + 1) % (1 << 32)) in self._ahead:
            message = self._ahead.pop(following)
            self.last = following
            count += 1
            if not self._deaf:
                self.size += len(message)
                self._ready.append(message)
        return count or Placed.EARLY

    def pop(self) -> bytes | None:
        """The next message to read."""
        if not self._ready:
            return None
        message = self._ready.popleft()
        self.size -= len(message)
        return message

    def cut(self) -> None:
        """What has not come in order will not come."""
        self._ahead.clear()

    def deafen(self) -> None:
        """Nobody reads any more."""
        self._deaf = True
        self._ready.clear()
        self.size = 0
