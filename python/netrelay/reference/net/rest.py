"""Linux's client asks for the rest after each short Rread, and this ends it (docs/tree.md 12).

read(2) on a 9P file there goes on until the buffer is full, 0 bytes come or an error does: on a
stream it would hang with bytes in hand. A Tread that can only be that question is answered at once
instead of waiting. Everything depends on whose question it is: 0 bytes are the end of the file to
whoever else asks for exactly the rest, as many libraries do. So the client must have shown itself
to be Linux's, and a descriptor that does not ask again is left alone.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Final

from netrelay import messages as m
from netrelay.reference.net.qids import Kind

# What Linux asks for when it looks a file up (P9_STATS_BASIC and GEN). Nobody else was seen to.
LOOKUP_MASK: Final = 0x17FF
# O_NONBLOCK and O_LARGEFILE as 9P2000.L has them.
_NONBLOCK, _LARGEFILE = 0o4000, 0o100000
_WAITING: Final = frozenset({Kind.DATA, Kind.LOG})


@dataclass(slots=True, eq=False)
class Rest:
    """What is left of an open file's last answered Tread, and what to say to who asks for it."""

    reply: m.Message
    _left: tuple[int, int] | None = None

    def answered(self, asked: m.Tread, reply: m.Message) -> None:
        """A Tread of the file has been answered."""
        count = len(reply.data) if isinstance(reply, m.Rread) else 0
        short = 0 < count < asked.count
        self._left = (asked.offset + count, asked.count - count) if short else None

    def asked(self, message: m.Tread) -> bool:
        """Whether a Tread, the next of the file, asks for what is left. It is left only once."""
        left, self._left = self._left, None
        return left == (message.offset, message.count)


def rest_of(kind: Kind, flags: int) -> Rest | None:
    """For a file that Linux's client opens with these flags, if its Treads wait and it asks again.

    Linux before 6.4 says O_LARGEFILE. There an error behind bytes is dropped, and who made the
    descriptor non-blocking after the open hears what such a read must say. Later ones would
    lose the bytes to the error.
    """
    if kind not in _WAITING or flags & _NONBLOCK:
        return None
    return Rest(m.Rlerror(errno.EAGAIN) if flags & _LARGEFILE else m.Rread(b""))
