"""Requests in flight and the flushes that wait for them (flush(5)).

A flush of a request in flight is itself a request in flight, so flushes of flushes need no rule of
their own: answering a request releases the flushes that wait for it, in order of arrival, and
answering each of those releases the ones that wait for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netrelay.messages import Tflush

if TYPE_CHECKING:
    from netrelay.messages import Message
    from netrelay.reference.fids import Fid


@dataclass
class Request:
    """One request in flight, and the tags of the flushes that wait for it.

    `fid` is what its fid was when it came: by the time of the answer the number may be another's.
    """

    message: Message
    fid: Fid | None = None
    flushes: list[int] = field(default_factory=list)


class Tags:
    """All requests in flight of a session; `requests` counts those that are no flushes."""

    def __init__(self) -> None:
        self._flying: dict[int, Request] = {}
        self.requests = 0

    def __contains__(self, tag: int) -> bool:
        return tag in self._flying

    def begin(self, tag: int, message: Message, fid: Fid | None = None) -> None:
        """A request has come."""
        self._flying[tag] = Request(message, fid)
        self.requests += not isinstance(message, Tflush)

    def get(self, tag: int) -> Request | None:
        """The request in flight with this tag."""
        return self._flying.get(tag)

    def end(self, tag: int) -> list[int]:
        """The request, no flush, is over; the flushes to answer now, in order."""
        released = []
        self.requests -= 1
        waiting = self._flying.pop(tag).flushes[::-1]
        # A loop, as a peer may build a chain longer than the interpreter's stack.
        while waiting:
            flush = waiting.pop()
            released.append(flush)
            waiting += self._flying.pop(flush).flushes[::-1]
        return released

    def clear(self) -> None:
        """All are forgotten."""
        self._flying.clear()
        self.requests = 0
