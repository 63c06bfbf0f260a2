"""One end of a conversation as both cores show it: packets are bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netrelay.reference.il import packet as il
from netrelay.reference.il.conversation import Conversation

if TYPE_CHECKING:
    from typing import Self


class Il(Conversation):
    """A conversation that does its own decoding."""

    @classmethod
    def accept(cls, now: int, sync: bytes, start: int) -> Self | None:
        """Answer a call; nothing if the packet is none."""
        try:
            packet = il.decode(sync)
        except il.Flaw:
            return None
        return cls.answer(now, packet, start)

    @staticmethod
    def refuse(data: bytes) -> bytes | None:
        """What a packet gets that no conversation is there for: a close, if anything."""
        try:
            answer = il.refuse(il.decode(data))
        except il.Flaw:
            return None
        return None if answer is None else answer.encoded()

    def handle_packet(self, now: int, data: bytes) -> None:
        """What IP delivered, without IP's header; flawed packets are counted."""
        try:
            packet = il.decode(data)
        except il.Flaw as flaw:
            self.flawed(flaw)
        else:
            self.take(now, packet)
