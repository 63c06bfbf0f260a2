"""What every socket of packets has, whoever makes it (docs/tree.md 10).

Errors: OSError.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Final

from netrelay.reference.net import tuning as unicast
from netrelay.reference.net.address import of_socket
from netrelay.reference.net.packets.packet import IP_PKTINFO, SO_RXQ_OVFL, Packet, receive

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.reference.net.address import Address
    from netrelay.reference.net.tuning import Tuning

# What the original keeps for a reader; the host doubles it for its own records.
QUEUE: Final = 512 << 10
# What the host's record of a packet is counted as, where all that has arrived is taken at once.
_RECORD: Final = 256
# linux/sock_diag.h: words of SO_MEMINFO, and which of them counts what there was no room for.
_SO_MEMINFO: Final = 55
_MEMINFO_WORDS, _MEMINFO_LOST = 9, 8


def prepare(sock: socket.socket, tuning: Tuning) -> None:
    """Set all that a fresh socket needs."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, QUEUE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sock.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
    four, six = unicast.families(sock)
    if four:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    if six:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    tune(sock, tuning)


def tune(sock: socket.socket, tuning: Tuning) -> None:
    """Apply ttl and tos, ttl to multicasts too."""
    unicast.tune(sock, tuning)
    if tuning.hops is not None:
        four, six = unicast.families(sock)
        if four:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, tuning.hops)
        if six:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, tuning.hops)


def drain(
    sock: socket.socket,
    most: int = QUEUE,
    take: Callable[[socket.socket], Packet] = receive,
) -> list[Packet]:
    """All that has arrived, up to `most`; no more than the host keeps, though more is arriving."""
    packets: list[Packet] = []
    room = 2 * QUEUE
    while room > 0 and len(packets) < most:
        room -= _RECORD
        try:
            packets.append(take(sock))
        except BlockingIOError:
            break
        except OSError:  # ICMP spoke up meanwhile, once
            continue
        room -= len(packets[-1].data)
    return packets


def lost(sock: socket.socket) -> int:
    """How many packets there was no room for since the socket was made."""
    info = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4 * _MEMINFO_WORDS)
    words = struct.unpack(f"={len(info) // 4}I", info)
    return words[_MEMINFO_LOST] if len(words) > _MEMINFO_LOST else 0


def peer_of(sock: socket.socket) -> Address | None:
    """Whom the socket is connected to; none if that has no port."""
    try:
        return of_socket(sock.getpeername())
    except OSError:
        return None
