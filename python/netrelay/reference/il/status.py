"""What a conversation says of itself: a line of `status`, and the counters of `stats`."""

from __future__ import annotations

import enum
from typing import Final, NamedTuple


class State(enum.Enum):
    """Where a conversation is; the value is the word in `status`.

    `LISTEN` is for whoever takes calls: no `Conversation` is ever in it.
    """

    CLOSED = "Closed"
    SYNCER = "Syncer"
    SYNCEE = "Syncee"
    ESTABLISHED = "Established"
    LISTEN = "Listen"
    CLOSING = "Closing"


class Status(NamedTuple):
    """What `status` tells. Bytes, milliseconds, bytes a millisecond, and counts."""

    state: State = State.CLOSED
    qin: int = 0
    qout: int = 0
    delay: int = 0
    rate: int = 0
    deviation: int = 0
    unacked: int = 0
    rexmits: int = 0
    queries: int = 0
    longest: int = 0

    def line(self) -> str:
        """The line, with its newline."""
        words = ("del", "Br", "md", "una", "rex", "rxq", "max")
        rest = " ".join(f"{word} {number:05}" for word, number in zip(words, self[3:], strict=True))
        return f"{self.state.value} qin {self.qin} qout {self.qout} {rest}\n"


# In the order of `stats`; the odd one out is the original's.
COUNTERS: Final = (
    "InMsgs",
    "OutMsgs",
    "CsumErrs",
    "HlenErr",
    "LenErrs",
    "OutOfOrder",
    "Retrans",
    "DupMsg",
    "DupBytes",
    "DroppedMsgs",
)
