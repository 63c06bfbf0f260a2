"""One packet and its way: who sent it where, and how one is sent from an address of our choice.

The destination and the interface come beside the data (IP_PKTINFO of ip(7), IPV6_PKTINFO of
ipv6(7)), as a socket may have many addresses. Nothing here blocks, and nothing here knows what a
packet holds. Errors are OSError, BlockingIOError where there is nothing or no room.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from netrelay.reference.net.address import Address, of_socket, unmapped

if TYPE_CHECKING:
    from netrelay.reference.net.address import Ip

# linux/in.h and asm-generic/socket.h; Python 3.11 has no names for them.
IP_PKTINFO: Final = 8
SO_RXQ_OVFL: Final = 40
# struct in_pktinfo: interface, an address of it, the destination; struct in6_pktinfo.
_INFO4: Final = struct.Struct("=i4s4s")
_INFO6: Final = struct.Struct("=16sI")
_LOST: Final = struct.Struct("=I")
_NUMBER: Final = struct.Struct("=i")
_IP_TTL: Final = 2
_HOPS: Final = {(socket.IPPROTO_IP, _IP_TTL), (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)}
_TOS: Final = {(socket.IPPROTO_IP, socket.IP_TOS), (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)}
_BESIDE: Final = sum(
    map(socket.CMSG_SPACE, (_INFO4.size, _INFO6.size, _LOST.size, _NUMBER.size, _NUMBER.size))
)
# No IP packet is larger.
_LARGEST: Final = 65535


class Packet(NamedTuple):
    """A packet as it came.

    `here` is an address of the interface by which it came, to answer from; none where the host
    does not say. `lost` is how many the socket had no room for, as of its making.
    """

    data: bytes
    remote: Address
    local: Address
    interface: int
    here: Ip | None
    lost: int
    # Of its IP header, where the socket was asked to tell.
    hops: int = 0
    tos: int = 0

    @property
    def to_many(self) -> bool:
        """Whether it was a multicast or a broadcast."""
        return self.here != self.local.ip


def receive(sock: socket.socket) -> Packet:
    """The next packet, whole; its socket was made by `prepare`."""
    data, beside, _, name = sock.recvmsg(_LARGEST, _BESIDE)
    port = sock.getsockname()[1]
    local: Ip | None = None
    here: Ip | None = None
    interface = lost = hops = tos = 0
    for level, kind, value in beside:
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            interface, own, to = _INFO4.unpack(value)
            local, here = ipaddress.IPv4Address(to), ipaddress.IPv4Address(own)
        elif (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO) and local is None:
            to, interface = _INFO6.unpack(value)
            local = unmapped(ipaddress.IPv6Address(to))
            here = None if local.is_multicast else local
        elif (level, kind) == (socket.SOL_SOCKET, SO_RXQ_OVFL):
            (lost,) = _LOST.unpack(value)
        elif (level, kind) in _HOPS:
            (hops,) = _NUMBER.unpack(value)
        elif (level, kind) in _TOS:
            tos = value[0] if len(value) == 1 else _NUMBER.unpack(value)[0]
    ends = of_socket(name), Address(local, port)
    return Packet(data, *ends, interface, here, lost, hops, tos)


def send(
    sock: socket.socket, data: bytes, to: Address, source: Ip | None = None, interface: int = 0
) -> None:
    """Send one packet, from `source` if that is given, and by an interface unless it is 0."""
    beside: list[tuple[int, int, bytes]] = []
    match source:
        case ipaddress.IPv4Address():
            info = _INFO4.pack(interface, source.packed, bytes(4))
            beside = [(socket.IPPROTO_IP, IP_PKTINFO, info)]
        case ipaddress.IPv6Address():
            info = _INFO6.pack(source.packed, interface)
            beside = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, info)]
    sock.sendmsg([data], beside, socket.MSG_NOSIGNAL, name_of(sock, to))


def name_of(sock: socket.socket, address: Address, interface: int = 0) -> tuple[str | int, ...]:
    """What the socket calls an address; link-local ones are those of an interface."""
    ip = address.ip
    if sock.family == socket.AF_INET:
        if ip is not None and ip.version == 6:
            raise OSError(errno.ENETUNREACH, "another family")
        return str(ip or ipaddress.IPv4Address(0)), address.port
    host = f"::ffff:{ip}" if ip is not None and ip.version == 4 else str(ip or "::")
    return host, address.port, 0, interface
