"""Raw sockets, each with a program of the kernel's packet filter (raw(7), socket(7)).

So the kernel keeps the packets of conversations apart. One that came between the making of a socket
and its filter is still another's: conversations look themselves, too. Errors: OSError; EPERM
without CAP_NET_RAW.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import TYPE_CHECKING, Final

from netrelay.reference.net.address import Address
from netrelay.reference.net.packets.packet import name_of
from netrelay.reference.net.packets.sockets import prepare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netrelay.reference.net.address import Ip
    from netrelay.reference.net.packets.packet import Packet
    from netrelay.reference.net.sockets import Sockets
    from netrelay.reference.net.tuning import Tuning

# One instruction: what it does, by how many to skip if it is so and if not, and its number.
Step = tuple[int, int, int, int]

# linux/filter.h. What is loaded is that far behind X (`behind_ip`).
BYTE, HALF, WORD = 0x50, 0x48, 0x40
IF_EQUAL, IF_AT_LEAST, IF_ANY_OF = 0x15, 0x35, 0x45
# All of the packet's bytes, and what is loaded less X.
LENGTH: Final[Step] = (0x80, 0, 0, 0)
LESS_X: Final[Step] = (0x1C, 0, 0, 0)
ALL: Final[Step] = (0x06, 0, 0, 0xFFFF_FFFF)
NOTHING: Final[Step] = (0x06, 0, 0, 0)

_INSTRUCTION: Final = struct.Struct("=HBBI")
_HEADER6: Final = struct.Struct(">IHBB16s16s")
# linux/in.h; Python 3.11 has no name for it.
_IP_RECVTTL: Final = 12
_PROGRAM: Final = struct.Struct("@HP")
# asm-generic/socket.h; Python has no name for it.
_SO_ATTACH_FILTER: Final = 26


def raw(
    sockets: Sockets,
    kind: tuple[socket.AddressFamily, int],
    ip: Ip | None,
    program: Sequence[Step],
    tuning: Tuning,
) -> socket.socket:
    """A socket for packets of a family and an IP protocol that the program returns a length for.

    It is for those to `ip` alone, if that is given, and sends from there.
    """
    family, protocol = kind
    sock = sockets.make(family, socket.SOCK_RAW, protocol)
    try:
        attach(sock, program)
        prepare(sock, tuning)
        if ip is not None:
            sock.bind(name_of(sock, Address(ip, 0)))
    except OSError:
        sock.close()
        raise
    return sock


def behind_ip(family: socket.AddressFamily) -> Step:
    """X is where a packet goes on behind its IP header, which a socket of IPv6 is not handed."""
    return (0xB1, 0, 0, 0) if family == socket.AF_INET else (0x01, 0, 0, 0)


def ask_for_header(sock: socket.socket) -> None:
    """Have the host tell beside a packet what was in its IP header."""
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)


def header6(packet: Packet, protocol: int, size: int) -> bytes:
    """The header of a packet of IPv6 with so many bytes behind it, of what the host has told."""
    source, destination = packet.remote.ip, packet.local.ip
    return _HEADER6.pack(
        6 << 28 | packet.tos << 20,
        size,
        protocol,
        packet.hops,
        source.packed if source is not None else bytes(16),
        destination.packed if destination is not None else bytes(16),
    )


def unheaded(packet: bytes, family: socket.AddressFamily) -> bytes:
    """What a raw socket of that family was handed, without the IP header."""
    return packet[4 * (packet[0] & 15) :] if family == socket.AF_INET else packet


def attach(sock: socket.socket, program: Sequence[Step]) -> None:
    """Let only those packets through that the program returns a length for."""
    code = ctypes.create_string_buffer(b"".join(_INSTRUCTION.pack(*step) for step in program))
    attached = _PROGRAM.pack(len(program), ctypes.addressof(code))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, attached)
