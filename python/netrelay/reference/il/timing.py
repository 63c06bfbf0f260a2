"""How long to wait for an answer, learned from how long answers took.

The original's arithmetic, integer for integer: a fixed delay in eighths of a millisecond, learned
from small packets; a rate in eighths of a byte a millisecond, learned from large ones; and how far
the guess was off, in quarters of a millisecond. One message at a time is timed, and never by the
answer to a query, which may be about a later copy.
"""

from __future__ import annotations

from typing import Final

from netrelay.reference.il.packet import HEADER, IP_HEADER, after

TICK: Final = 50
ACK_DELAY: Final = 2 * TICK
MAX_TIMEOUT: Final = 30_000

# A time beyond this, in milliseconds, measures something else.
_LONGEST: Final = 120_000
# Bytes of a message and its acknowledgement together below which their length does not tell.
_SMALL: Final = 256
# One millisecond, or one byte a millisecond.
_LEAST: Final = 8


class Timing:
    """What is known of a path: at first a megabit link across a country on a great day."""

    def __init__(self) -> None:
        self._delay = 50 << 3
        self._rate = 100 << 3
        self._deviation = 50 << 2
        self.longest = 0
        # The id, since when and the bytes of the message that is timed.
        self._timed: tuple[int, int, int] | None = None

    def sending(self, now: int, number: int, size: int) -> None:
        """A message of that many bytes, headers included, is being sent."""
        if self._timed is None:
            self._timed = (number, now, size)

    def acknowledged(self, now: int, ack: int, size: int) -> None:
        """Every message up to `ack` has arrived, says a packet of that many bytes."""
        timed = self.passed(ack)
        if timed is None:
            return
        number, since, sent = timed
        if number == ack and 0 <= now - since <= _LONGEST:
            # What carried the answer had to be sent too.
            self._learn(now - since, sent + size + IP_HEADER + HEADER)

    def passed(self, ack: int) -> tuple[int, int, int] | None:
        """The same, but says it because it was asked: the watch is stopped and not read."""
        timed = self._timed
        if timed is None or after(timed[0], ack):
            return None
        self._timed = None
        return timed

    def _learn(self, elapsed: int, size: int) -> None:
        delay = self._delay >> 3
        if size < _SMALL:
            self._delay = max(self._delay - delay + elapsed, _LEAST)
        elif elapsed > delay:
            rate = size // (elapsed - delay)
            self._rate = max(self._rate - (self._rate >> 3) + rate, _LEAST)
        guess = size // (self._rate >> 3) + (self._delay >> 3)
        self._deviation += abs(elapsed - guess) - (self._deviation >> 2)
        self.longest = max(self.longest, elapsed)

    def timeout(self, size: int, backoff: int) -> int:
        """How long to wait with that many bytes under way, after `backoff` waits in vain."""
        wait = (self._delay >> 3) + size // (self._rate >> 3) + (self._deviation >> 1) + ACK_DELAY
        for _ in range(backoff):
            wait += wait >> 1
            if wait > MAX_TIMEOUT:
                break
        return min(wait, MAX_TIMEOUT)

    def learned(self) -> tuple[int, int, int]:
        """Delay in milliseconds, rate in bytes a millisecond, deviation in milliseconds."""
        return self._delay >> 3, self._rate >> 3, self._deviation >> 2
