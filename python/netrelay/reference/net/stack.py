"""One stack: the numbers of its conversations, its ndb and its log (docs/tree.md 1).

Nothing of it is ever seen in another one. What all stacks share is in `shared`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, cast

from netrelay.reference.net.esp.conversation import EspConversation
from netrelay.reference.net.ether.interface import Interface
from netrelay.reference.net.ether.slot import Slot
from netrelay.reference.net.gre.conversation import GreConversation
from netrelay.reference.net.icmp.conversation import IcmpConversation, Icmpv6Conversation
from netrelay.reference.net.il.conversation import IlConversation
from netrelay.reference.net.il.stats import Totals
from netrelay.reference.net.ipmux.conversation import IpmuxConversation
from netrelay.reference.net.log import Log
from netrelay.reference.net.ndb import Ndb
from netrelay.reference.net.protocol import (
    BY_NUMBER,
    ESP,
    ETHERS,
    GRE,
    ICMP,
    ICMPV6,
    IL,
    IPIFC,
    IPMUX,
    PROTOCOLS,
    TCP,
    UDP,
    Makes,
    Protocol,
)
from netrelay.reference.net.qids import Kind, Place
from netrelay.reference.net.refusal import refusal
from netrelay.reference.net.slots import Slots
from netrelay.reference.net.sockets import Sockets
from netrelay.reference.net.tcp.conversation import TcpConversation
from netrelay.reference.net.udp.conversation import UdpConversation

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Hashable

    from netrelay.reference.net.address import Address, Ip
    from netrelay.reference.net.conversation import Conversation, Kin, Retiring
    from netrelay.reference.net.shared import Shared
    from netrelay.types import Limits, StackConfig

_CONVERSATIONS: Final[dict[int, type[Conversation]]] = {
    TCP.number: TcpConversation,
    UDP.number: UdpConversation,
    ICMP.number: IcmpConversation,
    ICMPV6.number: Icmpv6Conversation,
    GRE.number: GreConversation,
    IPMUX.number: IpmuxConversation,
    ESP.number: EspConversation,
    IL.number: IlConversation,
    **{each.number: Slot for each in ETHERS},
}


class Stack:
    """What the conversations of one stack have in common."""

    def __init__(self, shared: Shared, number: int, config: StackConfig | None = None) -> None:
        self.name = config.name if config is not None else ""
        self.sockets = Sockets(config)
        self.log = Log()
        self.ndb = Ndb(shared.config.ndb)
        self.il_totals = Totals()
        # Only the process's own stack gives frames away.
        self.ethers = [] if number else [Interface(name) for name in shared.config.ethers]
        self._shared = shared
        self._number = number
        there = (*PROTOCOLS, *ETHERS[: len(self.ethers)])
        self._slots = {
            each.number: self._slots_of(each) for each in there if each.makes is not Makes.HOST
        }
        self._taken: dict[int, set[Hashable]] = {each.number: set() for each in there}
        self._tallies: dict[int, Counter[str]] = {each.number: Counter() for each in there}
        # How many the host has, ever had; Python tells.
        self.interfaces = 0

    def slots(self, protocol: int) -> Slots:
        """The conversation numbers of a protocol."""
        return self._slots[protocol]

    def used(self, protocol: int) -> int:
        """Numbers that its listing has."""
        return self.interfaces if protocol == IPIFC.number else self._slots[protocol].used

    def at(self, place: Place) -> Conversation | None:
        """The conversation that a place belongs to; none if the number is idle."""
        slots = self._slots.get(place.protocol)
        return slots.at(place.number) if slots is not None else None

    def stats(self, protocol: int) -> str:
        """The text of a protocol's stats."""
        if protocol >= ETHERS[0].number:
            return self.ether(protocol).stats
        most = self._slots[protocol].most
        return _CONVERSATIONS[protocol].stats(self, most)

    def idle(self, protocol: int) -> str:
        """The text of status of an idle number."""
        return _CONVERSATIONS[protocol].IDLE

    # what a conversation asks

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The gateway's loop."""
        return self._shared.loop

    @property
    def limits(self) -> Limits:
        """The gateway's bounds."""
        return self._shared.config.limits

    @property
    def ports(self) -> list[int]:
        """The ports of TCP that sessions come to."""
        return self._shared.ports

    def ether(self, protocol: int) -> Interface:
        """The interface that a protocol is."""
        return self.ethers[protocol - ETHERS[0].number]

    def check_dial(self, ip: Ip) -> None:
        """Errors: `permission denied`."""
        self._shared.guard.check(ip)

    def note(self, conversation: Conversation, event: str, address: Address) -> None:
        """Tell the log."""
        self._log(conversation, f"{event} {address}", address)

    def ended(self, conversation: Conversation, address: Address) -> None:
        """Tell the log that a conversation is over."""
        self._log(conversation, "hangup", address)

    def check_free(self, announced: Conversation) -> None:
        """Errors: `no free devices`."""
        self._slots[announced.place.protocol].check_free()

    def called(self, announced: Kin) -> Kin:
        """The conversation of a call."""
        conversation = self._slots[announced.place.protocol].clone(announced.owner)
        self.count("calls", 1)
        # A protocol has one class.
        return cast("Kin", conversation)

    def check_grant(self, name: str) -> None:
        """Errors: `permission denied`."""
        if name not in self._shared.config.grant:
            raise refusal("PERMISSION_DENIED")

    def taken(self, protocol: int) -> set[Hashable]:
        """What conversations of a protocol have each for itself."""
        return self._taken[protocol]

    def tally(self, protocol: int) -> Counter[str]:
        """What conversations of a protocol have counted together."""
        return self._tallies[protocol]

    def retire(self, close: Callable[[float, Callable[[Retiring], None]], Retiring]) -> None:
        """Close a connection in the background."""
        self.count("closing", 1)
        closing = close(self.limits.linger_s, self._retired)
        if not closing.gone:
            self._shared.closing.add(closing)

    def count(self, name: str, change: int) -> None:
        """Bump a counter."""
        self._shared.count(name, change)

    def _retired(self, closing: Retiring) -> None:
        self._shared.closing.discard(closing)
        self.count("closing", -1)

    def _log(self, conversation: Conversation, event: str, address: Address) -> None:
        place = conversation.place
        self.log.note(BY_NUMBER[place.protocol].name, f"{place.number} {event}", address)

    def _slots_of(self, protocol: Protocol) -> Slots:
        conversation = _CONVERSATIONS[protocol.number]

        def make(number: int, owner: str) -> Conversation:
            place = Place(Kind.CTL, self._number, protocol.number, number)
            return conversation(self, place, owner)

        return Slots(protocol.most(self._shared.config.limits), make, self.count)
