"""Requests in flight and the flushes that wait for them (flush(5)).

A flush of a request in flight is itself a request in flight, so flushes of flushes need no rule of their
own: answering a request releases the flushes that wait for it, in order of arrival, and answering each of those
releases the ones that wait for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from netrelay.messages import Message


@dataclass
class Request:
    """One request in flight, and the tags of the flushes that wait for it."""

    message: Message
    flushes: list[int] = field(default_factory=list)


class Tags:
    """All requests in flight of a session."""

    def __init__(self) -> None:
        self._flying: dict[int, Request] = {}

    def __len__(self) -> int:
        return len(self._flying)

    def __contains__(self, tag: int) -> bool:
        return tag in self._flying

    def begin(self, tag: int, message: Message) -> None:
        """A request has come."""
        self._flying[tag] = Request(message)

    def get(self, tag: int) -> Request | None:
        """The request in flight with this tag."""
        return self._flying.get(tag)

    def end(self, tag: int) -> list[int]:
        """The request is over; the flushes to answer now, in order."""
        released = []
        for flush in self._flying.pop(tag).flushes:
            released.append(flush)
            released.extend(self.end(flush))
        return released

    def clear(self) -> None:
        """All are forgotten."""
        self._flying.clear()
