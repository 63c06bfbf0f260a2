"""What ICMP says of the packets that a conversation has sent (docs/tree.md 10).

Linux keeps it in the socket's error queue (IP_RECVERR of ip(7)), with type and code, and besides
has the next call on the socket fail, once. Some of it is no advice: that a packet has to be
fragmented concerns the kernel alone.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from netrelay.reference.net.refusal import refusal

if TYPE_CHECKING:
    from netrelay.errors import NetError

# linux/in.h, linux/in6.h.
_IP_RECVERR: Final = 11
_IPV6_RECVERR: Final = 25
_QUEUED: Final = {(socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)}
# struct sock_extended_err of linux/errqueue.h up to the code; the address behind it is not asked.
_ERROR: Final = struct.Struct("=IBBB")
_FROM_ICMP, _FROM_ICMPV6 = 2, 3
# Room for the error, the addresses behind it, and what else comes beside a packet.
_BESIDE: Final = 512

_UNREACHABLE, _TIME_EXCEEDED = 3, 11
_UNREACHABLE_V6, _TIME_EXCEEDED_V6 = 1, 3
_FRAGMENTATION_NEEDED: Final = 4
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
    0: "NET_UNREACHABLE",
    1: "COMMUNICATION_PROHIBITED",
    3: "HOST_UNREACHABLE",
    4: "PORT_UNREACHABLE",
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


def take(sock: socket.socket) -> Queue:
    """Empty the error queue; the call that would have failed next does not, then."""
    names: list[str | None] = []
    while True:
        try:
            _, beside, _, _ = sock.recvmsg(0, _BESIDE, socket.MSG_ERRQUEUE)
        except OSError:
            advice = next(filter(None, names), None)
            return Queue(refusal(advice) if advice is not None else None, bool(names))
        for level, kind, value in beside:
            if (level, kind) in _QUEUED:
                _, origin, type_, code = _ERROR.unpack_from(value)
                if origin in {_FROM_ICMP, _FROM_ICMPV6}:
                    names.append(meaning(type_, code, six=origin == _FROM_ICMPV6))


def meaning(type_: int, code: int, *, six: bool) -> str | None:
    """What an ICMP message is called as advice, in the catalogue's names; none if it is none."""
    if six:
        if type_ == _UNREACHABLE_V6:
            return _CODES_V6.get(code, "HOST_UNREACHABLE")
        return "TTL_EXCEEDED" if type_ == _TIME_EXCEEDED_V6 else None
    if type_ == _UNREACHABLE and code != _FRAGMENTATION_NEEDED:
        return _CODES.get(code, "HOST_UNREACHABLE")
    return "TTL_EXCEEDED" if type_ == _TIME_EXCEEDED else None
