"""What ICMP says of the packets that a conversation has sent (docs/tree.md 10).

Linux keeps it in the socket's error queue (IP_RECVERR of ip(7)), with type and code, and besides
has the next call on the socket fail, once. Some of it is no advice: that a packet has to be
fragmented concerns the kernel alone.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from netrelay.errors import CATALOGUE, NetError
from netrelay.reference.net.address import of_socket, print_ip
from netrelay.reference.net.refusal import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.reference.net.address import Ip

# linux/in.h, linux/in6.h.
_IP_RECVERR: Final = 11
_IPV6_RECVERR: Final = 25
_QUEUED: Final = {(socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)}
# struct sock_extended_err of linux/errqueue.h, and the address of who speaks behind it.
_ERROR: Final = struct.Struct("=IBBB9x")
_SPEAKER4: Final = struct.Struct("=4x4s")
_SPEAKER6: Final = struct.Struct("=8x16s")
_FROM_ICMP, _FROM_ICMPV6 = 2, 3
# What a protocol may want to see of its packet.
_QUOTED: Final = 64
# Room for the error, the addresses behind it, and what else comes beside a packet.
_BESIDE: Final = 512

_CODES: Final = {
    0: "NET_UNREACHABLE",
    1: "HOST_UNREACHABLE",
    2: "PROTOCOL_UNREACHABLE",
    3: "PORT_UNREACHABLE",
    5: "SOURCE_ROUTE_FAILED",
    6: "NETWORK_UNKNOWN",
    7: "HOST_UNKNOWN",
    8: "HOST_ISOLATED",
    9: "NETWORK_PROHIBITED",
    10: "HOST_PROHIBITED",
    11: "NETWORK_UNREACHABLE_FOR_TOS",
    12: "HOST_UNREACHABLE_FOR_TOS",
    13: "COMMUNICATION_PROHIBITED",
    14: "PRECEDENCE_VIOLATION",
    15: "PRECEDENCE_CUTOFF",
}
_CODES_V6: Final = {
    0: "NO_ROUTE_TO_DESTINATION",
    1: "DESTINATION_PROHIBITED",
    2: "BEYOND_SCOPE",
    3: "ADDRESS_UNREACHABLE",
    4: "PORT_UNREACHABLE",
    5: "SOURCE_FAILED_POLICY",
    6: "ROUTE_REJECTED",
}


class Queue(NamedTuple):
    """What was in an error queue: the first advice, and whether ICMP had said anything at all."""

    advice: NetError | None
    told: bool


def ask_for(sock: socket.socket) -> None:
    """Have the host keep what ICMP says. Errors: OSError."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)


def take(sock: socket.socket, mine: Callable[[bytes, Ip | None], bool]) -> Queue:
    """Empty the error queue; the call that would have failed next does not, then.

    Advice is what is about packets that are `mine`, which is asked with the begin of what ICMP has
    quoted behind the IP header, and with its destination.
    """
    said: list[NetError | None] = []
    while True:
        try:
            quoted, beside, _, name = sock.recvmsg(_QUOTED, _BESIDE, socket.MSG_ERRQUEUE)
        except OSError:
            return Queue(next(filter(None, said), None), bool(said))
        to = of_socket(name).ip if name else None
        for level, kind, value in beside:
            if (level, kind) in _QUEUED:
                _, origin, type_, code = _ERROR.unpack_from(value)
                speaker = value[_ERROR.size :]
                advice = None
                if origin == _FROM_ICMP:
                    advice = meaning(type_, code, _SPEAKER4.unpack_from(speaker)[0])
                elif origin == _FROM_ICMPV6:
                    advice = meaning_v6(type_, code, _SPEAKER6.unpack_from(speaker)[0])
                else:
                    continue
                said.append(advice if mine(quoted, to) else None)


def meaning(type_: int, code: int, speaker: bytes) -> NetError | None:
    """What an ICMP message is called as advice; none if it is none."""
    match type_, code:
        case (3, 4):  # that a packet has to be fragmented
            return None
        case (3, _):
            return refusal(_CODES.get(code, "HOST_UNREACHABLE"))
        case (11, 0):
            return _at("TTL_EXCEEDED", ipaddress.IPv4Address(speaker))
    return None


def meaning_v6(type_: int, code: int, speaker: bytes) -> NetError | None:
    """The same of ICMPv6."""
    match type_, code:
        case (1, _):
            return refusal(_CODES_V6.get(code, "UNKNOWN_CODE"))
        case (3, 0):
            return _at("TTL_EXCEEDED", ipaddress.IPv6Address(speaker))
        case (3, 1):
            return _at("FRAG_TIME_EXCEEDED", ipaddress.IPv6Address(speaker))
    return None


def _at(name: str, speaker: Ip) -> NetError:
    text, number = CATALOGUE[name]
    return NetError(f"{text} at {print_ip(speaker)}", number)
