"""Who calls an announced conversation: datagrams sorted by their two ends (docs/tree.md 10).

A caller, once it has a conversation, has a socket of its own, which the host prefers. What the
announced socket had of it by then is handed over. Datagrams of callers without a conversation are
few at a time, as what is not yet wanted stays with the host.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from netrelay.reference.net.packets.packet import receive

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from netrelay.reference.net.address import Address
    from netrelay.reference.net.packets.packet import Packet

# Datagrams that wait outside the host: for a listen, and for the Treads of one caller.
HANDED: Final = 64


class Ends(NamedTuple):
    """What tells one caller from another; link-local addresses are those of an interface."""

    remote: Address
    local: Address
    interface: int


class Call(Protocol):
    """The conversation of a caller."""

    def hand(self, packet: Packet) -> None:
        """A datagram of its caller that came elsewhere."""


class Callers:
    """The callers of one announced conversation; `lost` counts a datagram without room."""

    def __init__(self, lost: Callable[[], None]) -> None:
        self.waiting: deque[Packet] = deque()
        self._calls: dict[Ends, Call] = {}
        self._lost = lost

    def take(self, sock: socket.socket) -> None:
        """Look through what the announced socket has, as far as there is room for it."""
        for _ in range(HANDED - len(self.waiting)):
            try:
                packet = receive(sock)
            except OSError:
                return
            self.offer(packet)

    def offer(self, packet: Packet) -> None:
        """Sort one datagram."""
        call = self._calls.get(ends_of(packet))
        if call is None and packet.remote.port and len(self.waiting) < HANDED:
            self.waiting.append(packet)
        elif call is None:  # port 0 is nobody's, and can't be answered
            self._lost()
        elif not packet.to_many:  # of the others its socket gets a copy
            call.hand(packet)

    def claim(self, ends: Ends, call: Call) -> list[Packet]:
        """The caller gets a conversation, and what waits of its datagrams."""
        self._calls[ends] = call
        mine = [packet for packet in self.waiting if ends_of(packet) == ends]
        self.waiting = deque(packet for packet in self.waiting if ends_of(packet) != ends)
        return mine

    def take_waiting(self) -> list[Packet]:
        """What waits for a listen will not be listened for."""
        waiting = list(self.waiting)
        self.waiting.clear()
        return waiting

    def forget(self, ends: Ends) -> None:
        """The caller's conversation is over: what it sends now is a call again."""
        self._calls.pop(ends, None)


def ends_of(packet: Packet) -> Ends:
    """The two ends of a datagram."""
    ip = packet.remote.ip
    by = packet.interface if ip is not None and ip.is_link_local else 0
    return Ends(packet.remote, packet.local, by)
