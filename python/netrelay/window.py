"""How many Treads and Twrites a stream keeps outstanding (docs/protocol.md, section 6).

Throughput over a session is bytes outstanding a round trip, so a busy stream wants a wide window;
an idle one wants a single small request, as each takes a place among the session's requests. The
read window learns from the size of replies: it doubles while they are large and falls back when
they are small. The twin of the Rust importer's `window.rs`, for those who pump in Python: the
reference and the client's streams. Pure arithmetic: no clock, no socket.
"""

from __future__ import annotations

from netrelay.types import WINDOW

# Requests above which everyone makes do with one, and asks only if somebody waits for the answer:
# gateways of ours take 4096 of a session.
CROWDED = 2048
# Requests above which the rest of those 4096 is kept for what must not be refused.
FULL = 3840
# Twrites of one stream outstanding: keystrokes must not use up a session's requests.
TWRITES = 64
# Fewest bytes asked for by a Tread of a wide window, and what still counts as conversation.
_LEAST_COUNT = 128 << 10
_SMALL = 16 << 10
_INTERACTIVE = 2
# Bytes outstanding in Twrites of a whole session, and the share of a fid below them. The gateway
# refuses what comes above 64 MiB (docs/tree.md, section 5).
_SHARES = ((32 << 20, WINDOW), (48 << 20, 256 << 10), (62 << 20, 16 << 10))


class ReadWindow:
    """The Treads of one data fid; `iounit` is the most that one may ask for."""

    def __init__(self, iounit: int, *, windowed: bool) -> None:
        self._iounit = iounit
        self._windowed = windowed
        self._typical = 0
        self.wanted = 1

    def replied(self, size: int) -> None:
        """Learn from a reply of `size` bytes."""
        if not self._windowed:
            return
        if size < min(_SMALL, self._iounit // 2):
            self.wanted = max(self.wanted // 2, _INTERACTIVE)
            return
        self._typical += size // 4 - self._typical // 4
        share = max(self._typical * 2, _LEAST_COUNT)
        self.wanted = min(self.wanted * 2, max(4, min(32, WINDOW // share)))

    def count(self) -> int:
        """Bytes that the next Tread asks for."""
        return min(self._iounit, WINDOW // self.wanted)


def write_room(outstanding: int, session: int, *, iounit: int, windowed: bool) -> int:
    """How many bytes the next Twrite of a fid may carry, 0 for none yet.

    `outstanding` counts the fid's unanswered bytes and `session` those of all its fids.
    """
    if not windowed:
        return 0 if outstanding else iounit
    share = next((share for bound, share in _SHARES if session < bound), 0)
    room = min(max(share - outstanding, 0), iounit)
    # A window that is nearly full would be topped up by slivers: wait until half of a bulk Twrite
    # fits, unless nothing is outstanding that would bring a reply.
    return 0 if outstanding and room < min(share // 32, iounit) else room
