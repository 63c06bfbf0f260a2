"""The 52 bytes before a datagram where `headers` is on (udp(3), docs/tree.md 10).

They are the original's struct Udphdr: three addresses and two ports, the addresses all of IPv6 and
those of IPv4 in IPv6 dress.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from netrelay.reference.net.address import Address, unmapped

if TYPE_CHECKING:
    from netrelay.reference.net.address import Ip
    from netrelay.reference.net.packets.packet import Packet

_PREFIX: Final = struct.Struct(">16s16s16sHH")
SIZE: Final = _PREFIX.size


class Written(NamedTuple):
    """A datagram as a client wrote it: where to, from which address if it can be had, and what."""

    ip: Ip
    port: int
    sources: list[Ip]
    data: bytes

    @property
    def to(self) -> Address:
        """Where to."""
        return Address(self.ip, self.port)


def pack(packet: Packet, here: Ip | None) -> bytes:
    """What a Tread gets of a datagram; `here` is an address of the interface it came by."""
    ends = (packet.remote.ip, packet.local.ip, here)
    ports = (packet.remote.port, packet.local.port)
    return _PREFIX.pack(*map(_dressed, ends), *ports) + packet.data


def unpack(data: bytes) -> Written | None:
    """What a Twrite asks to send; none if it is too short to be anything."""
    if len(data) < SIZE:
        return None
    to, first, second, port, _ = _PREFIX.unpack_from(data)
    ip = _undressed(to)
    sources = [each for each in map(_undressed, (first, second)) if _may_be_source(each, ip)]
    return Written(ip, port, sources, data[SIZE:])


def _may_be_source(ip: Ip, to: Ip) -> bool:
    """Whether it is worth asking the host to send from it."""
    return ip.version == to.version and not ip.is_unspecified and not ip.is_multicast


def _dressed(ip: Ip | None) -> bytes:
    match ip:
        case ipaddress.IPv4Address():
            return ipaddress.IPv6Address(f"::ffff:{ip}").packed
        case ipaddress.IPv6Address():
            return ip.packed
    return bytes(16)


def _undressed(packed: bytes) -> Ip:
    return unmapped(ipaddress.IPv6Address(packed))
