"""One stack: conversation numbers, what all sessions share, the facts that the tree asks for.

Numbers are the lowest free ones; a number that was used once stays in the listing for ever, idle
and the network's (ip(3)). The host's questions to Python wait here too.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Final

from netrelay.reference.draining import Draining
from netrelay.reference.net.guard import Guard
from netrelay.reference.net.log import Log
from netrelay.reference.net.refusal import refusal
from netrelay.reference.net.tcp.closing import Closing
from netrelay.reference.net.tcp.conversation import Conversation
from netrelay.reference.net.tree import NETWORK
from netrelay.types import Upcall

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Callable

    from netrelay.errors import NetError
    from netrelay.reference.net.address import Address, Ip
    from netrelay.reference.net.tcp.outbound import Outbound
    from netrelay.reference.net.watch import Watch
    from netrelay.types import GatewayConfig

_NDB_MOST: Final = 32 << 10
COUNTERS: Final = (
    "sessions", "conversations", "fids", "parked_bytes", "buffers", "closing", "accepted", "dials",
    "calls", "panics", "broken_sessions", "interpreter_entries", "bytes_up", "bytes_down",
)  # fmt: skip


class Stack:
    """What the sessions of one gateway have in common."""

    def __init__(self, config: GatewayConfig, loop: asyncio.AbstractEventLoop) -> None:
        self.config = config
        self.loop = loop
        self.log = Log()
        self.counters = dict.fromkeys(COUNTERS, 0)
        self.closing: set[Closing] = set()
        self.draining: set[Draining] = set()
        self.upcall_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.upcalls: deque[Upcall] = deque()
        self.room_for_upcalls: list[Callable[[], None]] = []
        self._verdicts: dict[int, Callable[[list[bytes] | None, NetError | None], None]] = {}
        self._last_upcall = 0
        self._guard = Guard(config.allow_dial)
        self._slots: list[Conversation | None] = []
        self._ndb = config.ndb[:_NDB_MOST]
        self._ndb_vers = 0

    # facts

    @property
    def host_owner(self) -> str:
        """The user the gateway runs as."""
        return self.config.host_owner

    @property
    def started(self) -> int:
        """When it started."""
        return self.config.started

    @property
    def conversations(self) -> int:
        """Numbers that were ever used."""
        return len(self._slots)

    @property
    def ndb_length(self) -> int:
        """Bytes in ndb."""
        return len(self._ndb)

    @property
    def ndb_vers(self) -> int:
        """Changes of ndb."""
        return self._ndb_vers

    def owner(self, number: int) -> str:
        """Who owns a conversation."""
        conversation = self.at(number)
        return NETWORK if conversation is None else conversation.owner

    def mode(self, number: int) -> int:
        """The permissions of its files."""
        conversation = self.at(number)
        return 0o660 if conversation is None else conversation.mode

    def busy(self, number: int) -> bool:
        """Whether it is in use."""
        return self.at(number) is not None

    # conversations

    def at(self, number: int) -> Conversation | None:
        """The conversation of that number; none if it is idle."""
        return self._slots[number] if number < len(self._slots) else None

    def clone(self, owner: str) -> Conversation:
        """The lowest free number for `owner`. Errors: `no free devices`."""
        self.check_free()
        if None not in self._slots:
            self._slots.append(None)
        return self.use(self._slots.index(None), owner)

    def use(self, number: int, owner: str) -> Conversation:
        """The conversation of a number, which becomes `owner`'s if it is idle; one open more."""
        conversation = self._slots[number]
        if conversation is None:
            conversation = self._slots[number] = Conversation(self, number, owner)
            self.count("conversations", 1)
        conversation.opens += 1
        return conversation

    def give_back(self, conversation: Conversation) -> None:
        """One open less; the last one ends the conversation."""
        conversation.opens -= 1
        if not conversation.opens:
            self._slots[conversation.number] = None
            self.count("conversations", -1)
            conversation.release()

    def check_free(self) -> None:
        """Errors: `no free devices`."""
        if self.counters["conversations"] >= self.config.limits.conversations:
            raise refusal("NO_FREE_DEVICES")

    def called(self, announced: Conversation, sock: socket.socket) -> Conversation:
        """The conversation of a call."""
        conversation = self.clone(announced.owner)
        self.count("calls", 1)
        conversation.accept(sock)
        return conversation

    def retire(self, watch: Watch, outbound: Outbound) -> None:
        """Close a connection in the background."""
        self.count("closing", 1)
        closing = Closing(watch, outbound, self.config.limits.linger_s, self._retired)
        if not closing.gone:
            self.closing.add(closing)

    def _retired(self, closing: Closing) -> None:
        self.closing.discard(closing)
        self.count("closing", -1)

    def check_dial(self, ip: Ip) -> None:
        """Errors: `permission denied`."""
        self._guard.check(ip)

    def note(self, number: int, event: str, address: Address) -> None:
        """Tell the log."""
        self.log.note(f"tcp {number} {event} {address}\n", address)

    def ended(self, number: int, address: Address) -> None:
        """Tell the log that a conversation is over."""
        self.log.note(f"tcp {number} hangup\n", address)

    def count(self, name: str, change: int) -> None:
        """Bump a counter."""
        self.counters[name] += change

    # ndb

    def read_ndb(self, offset: int, count: int) -> bytes:
        """The text from `offset` on."""
        return self._ndb[offset : offset + count]

    def write_ndb(self, offset: int, data: bytes) -> None:
        """Put `data` at `offset` and end the text behind it. Errors: `i/o error`."""
        if offset > len(self._ndb) or offset + len(data) > _NDB_MOST:
            raise refusal("IO")
        self._ndb = self._ndb[:offset] + data
        self._ndb_vers += 1

    def empty_ndb(self) -> None:
        """OTRUNC."""
        self._ndb = b""
        self._ndb_vers += 1

    # questions

    @property
    def upcalls_full(self) -> bool:
        """Whether no more questions fit."""
        return len(self.upcalls) >= self.config.limits.upcalls

    def ask(
        self,
        kind: str,
        user: str,
        query: bytes,
        verdict: Callable[[list[bytes] | None, NetError | None], None],
    ) -> int:
        """Put a question to Python; its id."""
        self._last_upcall += 1
        self._verdicts[self._last_upcall] = verdict
        self.upcalls.append(Upcall(self._last_upcall, kind, user, query))
        self.count("interpreter_entries", 1)
        os.eventfd_write(self.upcall_fd, 1)
        return self._last_upcall

    def forget(self, question: int) -> None:
        """Nobody wants to know any more."""
        self._verdicts.pop(question, None)

    def answer(self, question: int, replies: list[bytes] | None, why: NetError | None) -> None:
        """The verdict; one on a question that is forgotten is nobody's."""
        verdict = self._verdicts.pop(question, None)
        if verdict is not None:
            verdict(replies, why)

    def take_upcalls(self) -> list[Upcall]:
        """Hand out the questions that wait; whoever waits for room goes on."""
        taken = list(self.upcalls)
        self.upcalls.clear()
        waiting, self.room_for_upcalls = self.room_for_upcalls, []
        for go_on in waiting:
            self.loop.call_soon(go_on)
        return taken
