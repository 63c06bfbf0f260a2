"""Packet sockets, and what the kernel tells of an interface (packet(7), rtnetlink(7)).

Errors: OSError; EPERM without CAP_NET_RAW, ENODEV of an interface that is not there.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netrelay.reference.net.ether.frames import Tag

if TYPE_CHECKING:
    from collections.abc import Iterator

# Bytes of the longest frame: the kernel may hand over several of TCP as one.
_LARGEST: Final = (64 << 10) + 64
# What is kept for a reader; the kernel doubles it for its own records.
_QUEUE: Final = 4 << 20
# asm-generic/socket.h, linux/if_packet.h and linux/if_ether.h; Python 3.11 has no names for them.
SOL_PACKET: Final = 263
_SO_RCVBUFFORCE: Final = 33
_ADD_MEMBERSHIP, _DROP_MEMBERSHIP, _AUXDATA = 1, 2, 8
_MULTICAST, _PROMISCUOUS = 0, 1
_ETH_P_ALL: Final = 3
_TAG_VALID, _TAG_TYPE_VALID = 1 << 4, 1 << 6
_VLAN: Final = 0x8100
# struct packet_mreq, tpacket_auxdata.
_MEMBERSHIP: Final = struct.Struct("=IHH8s")
_TOLD: Final = struct.Struct("=IIIHHHH")
# linux/netlink.h, linux/rtnetlink.h and linux/if_link.h.
_ERROR, _GET_LINK, _REQUEST = 2, 18, 1
_ADDRESS, _NAME, _COUNTERS, _PROMISCUITY, _CARRIER = 1, 3, 23, 30, 33
_HEAD: Final = struct.Struct("=IHHII")
_INFO: Final = struct.Struct("=BxHiII")
_ATTRIBUTE: Final = struct.Struct("=HH")
_ANSWER: Final = 64 << 10
# linux/sockios.h and linux/ethtool.h: struct ethtool_cmd has 44 bytes.
_SIOCGIFNAME, _SIOCETHTOOL, _GET_SETTINGS = 0x8910, 0x8946, 1
_SETTINGS: Final = struct.Struct("=I8xH14xH14x")
_SPEED_UNKNOWN: Final = {0xFFFF, 0xFFFF_FFFF}


@dataclass(frozen=True, slots=True)
class Link:
    """An interface as it is now; `hardware` is what linux/if_arp.h numbers."""

    index: int = 0
    hardware: int = 0
    mac: bytes = bytes(6)
    carrier: bool = False
    promiscuous: bool = False
    # The words of struct rtnl_link_stats64.
    counters: tuple[int, ...] = (0,) * 15


def opened(index: int) -> socket.socket:
    """A socket at the interface of that number, which receives nothing yet."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        sock.setblocking(False)
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _QUEUE)
        except PermissionError:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _QUEUE)
        sock.setsockopt(SOL_PACKET, _AUXDATA, 1)
        _bind(sock, index, 0)
    except OSError:
        sock.close()
        raise
    return sock


def receive_all(sock: socket.socket, index: int) -> None:
    """Have it receive what its filter lets through."""
    _bind(sock, index, _ETH_P_ALL)


def be_promiscuous(sock: socket.socket, index: int) -> None:
    """Have the interface hand over frames for other stations while the socket lives."""
    _set_membership(sock, _ADD_MEMBERSHIP, index, _PROMISCUOUS)


def join(sock: socket.socket, index: int, group: bytes) -> None:
    """Have the interface hand over frames for a group while the socket lives."""
    _set_membership(sock, _ADD_MEMBERSHIP, index, _MULTICAST, group)


def leave(sock: socket.socket, index: int, group: bytes) -> None:
    """Take that back."""
    _set_membership(sock, _DROP_MEMBERSHIP, index, _MULTICAST, group)


def mac(sock: socket.socket) -> bytes:
    """The address of the socket's interface as it is now."""
    address: bytes = sock.getsockname()[4]
    return address


def receive(sock: socket.socket) -> tuple[bytes, Tag | None]:
    """The next frame and the tag that was taken off it. Errors: BlockingIOError too."""
    data, beside, _, _ = sock.recvmsg(_LARGEST, socket.CMSG_SPACE(_TOLD.size))
    tag = None
    for level, kind, told in beside:
        if (level, kind) == (SOL_PACKET, _AUXDATA):
            status, *_, control, protocol = _TOLD.unpack(told[: _TOLD.size])
            if status & _TAG_VALID:
                tag = Tag(protocol if status & _TAG_TYPE_VALID else _VLAN, control)
    return data, tag


def link(which: str | int) -> Link:
    """An interface by name or number."""
    body = _INFO.pack(0, 0, which if isinstance(which, int) else 0, 0, 0)
    if isinstance(which, str):
        name = which.encode() + b"\0"
        body += _ATTRIBUTE.pack(_ATTRIBUTE.size + len(name), _NAME) + name
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.setblocking(False)
        padded = body + bytes(-len(body) % 4)
        sock.send(_HEAD.pack(_HEAD.size + len(padded), _GET_LINK, _REQUEST, 0, 0) + padded)
        answer = sock.recv(_ANSWER)
    kind, body = _HEAD.unpack_from(answer)[1], answer[_HEAD.size :]
    if kind == _ERROR:
        number = -struct.unpack_from("=i", body)[0]
        raise OSError(number, os.strerror(number))
    _, hardware, index, _, _ = _INFO.unpack_from(body)
    told = dict(_attributes(body[_INFO.size :]))
    counters = told.get(_COUNTERS, b"")
    address = told.get(_ADDRESS, b"")
    return Link(
        index,
        hardware,
        address if len(address) == len(bytes(6)) else bytes(6),
        told.get(_CARRIER) == b"\1",
        any(told.get(_PROMISCUITY, b"")),
        struct.unpack_from(f"={len(counters) // 8}Q", counters),
    )


def speed(sock: socket.socket, index: int) -> int:
    """Megabits per second of an interface; 0 where it tells none."""
    try:
        named = fcntl.ioctl(sock, _SIOCGIFNAME, struct.pack("=16si20x", b"", index))
        asked = array.array("B", _SETTINGS.pack(_GET_SETTINGS, 0, 0))
        address, _ = asked.buffer_info()
        fcntl.ioctl(sock, _SIOCETHTOOL, struct.pack("@16sP16x", named[:16], address))
    except OSError:
        return 0
    _, low, high = _SETTINGS.unpack(asked.tobytes())
    mbps: int = low | high << 16
    return 0 if mbps in _SPEED_UNKNOWN else mbps


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        size, kind = _ATTRIBUTE.unpack_from(data)
        yield kind, data[_ATTRIBUTE.size : size]
        data = data[-(-max(size, _ATTRIBUTE.size) // 4) * 4 :]


def _bind(sock: socket.socket, index: int, protocol: int) -> None:
    try:
        name = socket.if_indextoname(index)
    except OSError:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV)) from None
    sock.bind((name, protocol))


def _set_membership(
    sock: socket.socket, how: int, index: int, kind: int, address: bytes = bytes(6)
) -> None:
    wanted = _MEMBERSHIP.pack(index, kind, len(address), address)
    sock.setsockopt(SOL_PACKET, how, wanted)
