"""What the sessions of one gateway share: its stacks, its counters, its questions to Python.

It is also where the tree's facts come from (`tree.Facts`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netrelay.errors import UsageError
from netrelay.reference.net.guard import Guard
from netrelay.reference.net.mounts import Mounts, of_stacks
from netrelay.reference.net.questions import Questions
from netrelay.reference.net.stack import Stack
from netrelay.reference.net.tree import NETWORK

if TYPE_CHECKING:
    import asyncio

    from netrelay.reference.draining import Draining
    from netrelay.reference.net.conversation import Conversation, Retiring
    from netrelay.reference.net.qids import Place
    from netrelay.reference.net.slots import Slots
    from netrelay.types import GatewayConfig, NamespaceConfig

COUNTERS: Final = (
    "sessions", "conversations", "fids", "parked_bytes", "buffers", "closing", "accepted", "dials",
    "calls", "panics", "broken_sessions", "interpreter_entries", "bytes_up", "bytes_down",
    "dropped",
)  # fmt: skip


class Shared:
    """One gateway, as its sessions see it."""

    def __init__(self, config: GatewayConfig, loop: asyncio.AbstractEventLoop) -> None:
        self.config = config
        self.loop = loop
        self.counters = dict.fromkeys(COUNTERS, 0)
        self.closing: set[Retiring] = set()
        self.draining: set[Draining] = set()
        self.guard = Guard(config.allow_dial)
        # The ports of TCP that sessions come to.
        self.ports: list[int] = []
        self._stacks = [Stack(self, 0)]
        try:
            for number, each in enumerate(config.stacks, start=1):
                self._stacks.append(Stack(self, number, each))
        except BaseException:
            self.close()
            raise
        self.stacks = tuple(stack.name for stack in self._stacks)
        try:
            self.set_namespace(config.namespace or of_stacks(self.stacks))
        except BaseException:
            self.close()
            raise
        self.questions = Questions(
            loop, config.limits.upcalls, lambda: self.count("interpreter_entries", 1)
        )

    def count(self, name: str, change: int) -> None:
        """Bump a counter."""
        self.counters[name] += change

    def set_interfaces(self, stack: int, count: int) -> None:
        """How many interfaces `ipifc` lists. Errors: `UsageError` for no stack of that number."""
        if not 0 <= stack < len(self._stacks):
            raise UsageError(f"there is no stack {stack}")
        self._stacks[stack].interfaces = count

    def set_namespace(self, config: NamespaceConfig) -> None:
        """What is mounted where from now on. Errors: `UsageError`; then all stays as it was."""
        self.mounts = Mounts(config, len(self._stacks), len(self._stacks[0].ethers))

    def close(self) -> None:
        """No conversation is left and none is made any more."""
        for stack in self._stacks:
            stack.sockets.close()

    def stack(self, place: Place) -> Stack:
        """The stack that a place is in."""
        return self._stacks[place.stack]

    def slots(self, place: Place) -> Slots:
        """The conversation numbers of its protocol."""
        return self.stack(place).slots(place.protocol)

    def at(self, place: Place) -> Conversation | None:
        """The conversation that a place belongs to; none if the number is idle."""
        return self.stack(place).at(place)

    # facts

    @property
    def host_owner(self) -> str:
        """The user the gateway runs as."""
        return self.config.host_owner

    @property
    def started(self) -> int:
        """When it started."""
        return self.config.started

    def used(self, stack: int, protocol: int) -> int:
        """Numbers that were ever used."""
        return self._stacks[stack].used(protocol)

    def ethers(self, stack: int) -> int:
        """Interfaces that give their frames away."""
        return len(self._stacks[stack].ethers)

    def ndb_length(self, stack: int) -> int:
        """Bytes in ndb."""
        return len(self._stacks[stack].ndb)

    def ndb_vers(self, stack: int) -> int:
        """Changes of ndb."""
        return self._stacks[stack].ndb.vers

    def owner(self, place: Place) -> str:
        """Who owns a conversation."""
        conversation = self.at(place)
        return NETWORK if conversation is None else conversation.owner

    def mode(self, place: Place) -> int:
        """The permissions of its files."""
        conversation = self.at(place)
        return 0o660 if conversation is None else conversation.mode

    def busy(self, place: Place) -> bool:
        """Whether it is in use."""
        return self.at(place) is not None
