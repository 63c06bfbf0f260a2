"""The protocols that are served, as a table: a row is all that the tree knows of one.

Listings, walks and opens follow from it, so that a protocol that is not implemented is not there.
What its conversations do is in a package of its own, which `stack` puts to the row.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netrelay.reference.net.qids import Kind
from netrelay.types import MAX_ETHERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.types import Limits


class Makes(enum.Enum):
    """What a conversation of a protocol is."""

    # Bytes each way: a conversation of ours, on a socket.
    STREAM = enum.auto()
    # Messages, each read and written whole: the same.
    PACKETS = enum.auto()
    # None: the directories are what the host has, and Python is asked about them.
    HOST = enum.auto()
    # Frames, each read and written whole: the slots of an interface.
    FRAMES = enum.auto()


@dataclass(frozen=True, slots=True)
class Protocol:
    """One directory of `/net`; files are in the order of their listing."""

    number: int
    name: str
    makes: Makes
    # Behind the conversations; before the slots of an interface.
    files: tuple[Kind, ...]
    conversation_files: tuple[Kind, ...]
    # Most conversations at a time, of one stack.
    most: Callable[[Limits], int] = lambda limits: limits.conversations


_SLOTS: Final = 8
_USUAL: Final = (Kind.CLONE, Kind.STATS)
_OF_CONVERSATION: Final = (
    Kind.CTL, Kind.DATA, Kind.ERR, Kind.LISTEN, Kind.LOCAL, Kind.REMOTE, Kind.STATUS,
)  # fmt: skip

TCP: Final = Protocol(0, "tcp", Makes.STREAM, _USUAL, _OF_CONVERSATION)
UDP: Final = Protocol(1, "udp", Makes.PACKETS, _USUAL, _OF_CONVERSATION)
IPIFC: Final = Protocol(2, "ipifc", Makes.HOST, _USUAL, (*_OF_CONVERSATION, Kind.SNOOP))
ICMP: Final = Protocol(3, "icmp", Makes.PACKETS, _USUAL, _OF_CONVERSATION)
ICMPV6: Final = Protocol(4, "icmpv6", Makes.PACKETS, _USUAL, _OF_CONVERSATION)
GRE: Final = Protocol(5, "gre", Makes.PACKETS, _USUAL, _OF_CONVERSATION)
IPMUX: Final = Protocol(6, "ipmux", Makes.PACKETS, _USUAL, _OF_CONVERSATION)
ESP: Final = Protocol(7, "esp", Makes.PACKETS, _USUAL, _OF_CONVERSATION)
IL: Final = Protocol(8, "il", Makes.PACKETS, _USUAL, _OF_CONVERSATION)

# Of the interfaces that give their frames away, in their order; a slot's stats and ifstats are the
# directory's.
ETHERS: Final = tuple(
    Protocol(
        64 + number,
        f"ether{number}",
        Makes.FRAMES,
        (Kind.CLONE, Kind.ADDR, Kind.STATS, Kind.IFSTATS),
        (Kind.DATA, Kind.CTL, Kind.STATS, Kind.TYPE, Kind.IFSTATS),
        lambda _: _SLOTS,
    )
    for number in range(MAX_ETHERS)
)

# Those that every stack has, in the order of a listing; interfaces come behind them.
PROTOCOLS: Final = (TCP, UDP, IPIFC, ICMP, ICMPV6, GRE, IPMUX, ESP, IL)
BY_NUMBER: Final = {protocol.number: protocol for protocol in (*PROTOCOLS, *ETHERS)}
