"""Whole packets of ICMP as clients read and write them: an IP header and the message (docs/raw.md).

Of a header that is written nothing is used. One that is read is made of what the host tells beside
the message, and so it has no options and was never in fragments.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netrelay.reference.net.packets.raw import header6

if TYPE_CHECKING:
    from netrelay.reference.net.address import Ip
    from netrelay.reference.net.packets.packet import Packet

# The message's own: type, code, checksum, id.
_MESSAGE: Final = struct.Struct(">BBHH")
# Of the shortest message, which ends with a sequence number.
MESSAGE_SIZE: Final = 8
_HEADER4: Final = struct.Struct(">BBHHHBBH4s4s")
_HEADER6_SIZE: Final = 40


@dataclass(frozen=True, slots=True)
class Version:
    """What differs between ICMP and ICMPv6."""

    family: socket.AddressFamily
    # IP's number for it.
    protocol: int
    # The types of an echo request and its reply.
    request: int
    reply: int
    # Bytes of the IP header.
    header: int
    # Types that are never taken: what the host answers itself, and advice.
    never: tuple[int, ...]


V4: Final = Version(socket.AF_INET, socket.IPPROTO_ICMP, 8, 0, _HEADER4.size, (3, 8, 11))
V6: Final = Version(
    socket.AF_INET6, socket.IPPROTO_ICMPV6, 128, 129, _HEADER6_SIZE,
    (1, 3, 128, 133, 134, 135, 136, 137),
)  # fmt: skip


def number_of(message: bytes) -> int:
    """The id of a message that is not too short."""
    return int(_MESSAGE.unpack_from(message)[3])


def numbered(message: bytes, number: int, version: Version) -> bytes:
    """A message with that id; its checksum is right in IPv4, and the host's business in IPv6."""
    type_, code, _, _ = _MESSAGE.unpack_from(message)
    rest = message[_MESSAGE.size :]
    unsummed = _MESSAGE.pack(type_, code, 0, number) + rest
    if version is V6:
        return unsummed
    return _MESSAGE.pack(type_, code, checksum(unsummed), number) + rest


def whole(packet: Packet, message: bytes, version: Version) -> bytes:
    """What a Tread gets of a packet."""
    if version is V6:
        return header6(packet, version.protocol, len(message)) + message
    source, destination = _packed(packet.remote.ip), _packed(packet.local.ip)
    size = _HEADER4.size + len(message)
    fields = (0x45, packet.tos, size, 0, 0, packet.hops, version.protocol)
    unsummed = _HEADER4.pack(*fields, 0, source, destination)
    return _HEADER4.pack(*fields, checksum(unsummed), source, destination) + message


def checksum(data: bytes) -> int:
    """The Internet's (RFC 1071); 0 of what has its right checksum in it."""
    even = data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(even) // 2}H", even))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _packed(ip: Ip | None) -> bytes:
    return ip.packed if ip is not None else bytes(4)
