"""Raw sockets of IL, each with a filter that lets its own packets through (raw(7), socket(7)).

The filter is the kernel's, so a conversation's packets are sorted before anybody is woken. A packet
that came between the making of a socket and its filter is still another's: conversations look at
ports themselves. Errors: OSError; EPERM without CAP_NET_RAW.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netrelay.stacks import StackSockets

PROTOCOL: Final = 40
# Room for a window of messages; the host cuts it to net.core.rmem_max.
QUEUE: Final = 2 << 20
_LARGEST: Final = 65_535
_IP_HEADER, _HEADER = 20, 18
_SYNC, _QUERY = 0, 4
# linux/filter.h, asm-generic/socket.h, linux/in.h.
_INSTRUCTION: Final = struct.Struct("=HBBI")
_PROGRAM: Final = struct.Struct("@HP")
_SO_ATTACH_FILTER: Final = 26
_IP_RECVERR: Final = 11
_IP_PKTINFO: Final = 8
# Of struct in_pktinfo the address to send from.
_SOURCE: Final = struct.Struct("=i4s4s")
# X is the length of IP's header; what is loaded is behind it.
_SKIP_IP: Final = (0xB1, 0, 0, 0)
_BYTE, _HALF, _WORD = 0x50, 0x48, 0x40
_IF_EQUAL, _RETURN = 0x15, 0x06
_ALL: Final = (_RETURN, 0, 0, 0xFFFF_FFFF)
_NOTHING: Final = (_RETURN, 0, 0, 0)
# Where in IL's header.
_TYPE, _SRC, _DST, _ACK = 4, 6, 8, 14

_Code = tuple[int, int, int, int]


class Datagram(NamedTuple):
    """What IP delivered, without its header."""

    source: IPv4Address
    destination: IPv4Address
    packet: bytes


class Ends(NamedTuple):
    """What tells one conversation of a port from another."""

    remote: IPv4Address
    remote_port: int
    local: IPv4Address


class Header(NamedTuple):
    """As much of a packet as tells whose it is; it may still be flawed."""

    kind: int
    src: int
    dst: int
    ack: int


def connected(
    sockets: StackSockets,
    local: IPv4Address | None,
    port: int,
    remote: IPv4Address,
    remote_port: int,
) -> socket.socket:
    """A socket for one conversation."""
    program = (
        _SKIP_IP,
        (_HALF, 0, 0, _DST),
        (_IF_EQUAL, 0, 3, port),
        (_HALF, 0, 0, _SRC),
        (_IF_EQUAL, 0, 1, remote_port),
        _ALL,
        _NOTHING,
    )
    sock = _raw(sockets, local, program)
    try:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        sock.connect((str(remote), 0))
    except OSError:
        sock.close()
        raise
    return sock


def announced(sockets: StackSockets, local: IPv4Address | None, port: int) -> socket.socket:
    """A socket for what no conversation's own socket gets.

    That is calls to its port and to ports that nobody has, and questions about conversations of it
    that are no more. What flows in conversations is not among it, as each has a socket of its own.
    """
    program = (
        _SKIP_IP,
        (_BYTE, 0, 0, _TYPE),
        (_IF_EQUAL, 3, 0, _SYNC),
        (_IF_EQUAL, 0, 5, _QUERY),
        (_HALF, 0, 0, _DST),
        (_IF_EQUAL, 2, 3, port),
        (_WORD, 0, 0, _ACK),
        (_IF_EQUAL, 0, 1, 0),
        _ALL,
        _NOTHING,
    )
    return _raw(sockets, local, program)


def check_local(sockets: StackSockets, local: IPv4Address | None) -> None:
    """Whether a local address can be had."""
    _raw(sockets, local, (_NOTHING,)).close()


def receive(sock: socket.socket) -> Datagram | None:
    """The next packet; nothing if it is none. Errors: BlockingIOError, or what ICMP had to say."""
    data = sock.recv(_LARGEST)
    if len(data) < _IP_HEADER:
        return None
    source, destination = IPv4Address(data[12:16]), IPv4Address(data[16:20])
    return Datagram(source, destination, data[4 * (data[0] & 15) :])


def header_of(packet: bytes) -> Header | None:
    """The begin of a packet; nothing if it is too short."""
    if len(packet) < _HEADER:
        return None
    kind, src, dst, ack = struct.unpack_from(">4xBxHH4xI", packet)
    return Header(kind, src, dst, ack)


def answer(sock: socket.socket, asked: Datagram, packet: bytes) -> None:
    """Send a packet back to where one came from; lost if there is no room for it."""
    source = _SOURCE.pack(0, asked.destination.packed, b"\0" * 4)
    beside = [(socket.IPPROTO_IP, _IP_PKTINFO, source)]
    sock.sendmsg([packet], beside, socket.MSG_DONTWAIT, (str(asked.source), 0))


def local_of(sock: socket.socket) -> IPv4Address:
    """The address from which a connected socket sends."""
    return IPv4Address(sock.getsockname()[0])


def clear_errors(sock: socket.socket) -> None:
    """Forget what ICMP has said, so that it is told once."""
    while True:
        try:
            sock.recvmsg(0, 512, socket.MSG_ERRQUEUE)
        except OSError:
            return


def _raw(
    sockets: StackSockets, local: IPv4Address | None, program: Sequence[_Code]
) -> socket.socket:
    sock = sockets.make(socket.AF_INET, socket.SOCK_RAW, PROTOCOL)
    try:
        code = ctypes.create_string_buffer(b"".join(_INSTRUCTION.pack(*step) for step in program))
        attached = _PROGRAM.pack(len(program), ctypes.addressof(code))
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, attached)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, QUEUE)
        if local is not None:
            sock.bind((str(local), 0))
    except OSError:
        sock.close()
        raise
    return sock
