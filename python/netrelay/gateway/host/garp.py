"""Tells the neighbours at which medium address an address of ours is (garp of arp.c).

IPv4: an ARP request of the address for itself (RFC 5227). IPv6: a neighbour advertisement to all
nodes (RFC 4861, 7.2.6). Needs CAP_NET_RAW.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from netrelay.gateway.host.values import Ip, Link

_ETH_P_ARP: Final = 0x0806
_IPV4: Final = 0x0800
_EVERYBODY: Final = b"\xff" * 6
_ALL_NODES: Final = "ff02::1"
# Hardware, protocol, their lengths, operation; who asks; who is asked for.
_ARP: Final = struct.Struct("!HHBBH 6s4s 6s4s")
_REQUEST: Final = 1
# Type, code, checksum, flags, target; option 2 of length 1: our medium address.
_ADVERTISEMENT: Final = struct.Struct("!BBHI 16s BB6s")
_NA: Final = 136
_OVERRIDE: Final = 0x2000_0000
# Neighbours drop what a router has passed on.
_HOPS: Final = 255


def announce(link: Link, ip: Ip) -> None:
    """Send one. Errors: OSError."""
    mac = bytes.fromhex(link.address.replace(":", ""))
    if isinstance(ip, ipaddress.IPv4Address):
        _announce4(link, mac, ip)
    else:
        _announce6(link, mac, ip)


def arp_request(mac: bytes, ip: ipaddress.IPv4Address) -> bytes:
    """The frame."""
    ethernet = _EVERYBODY + mac + _ETH_P_ARP.to_bytes(2, "big")
    own = ip.packed
    return ethernet + _ARP.pack(1, _IPV4, 6, 4, _REQUEST, mac, own, b"\0" * 6, own)


def advertisement(mac: bytes, ip: ipaddress.IPv6Address) -> bytes:
    """The message; the kernel sums it up."""
    return _ADVERTISEMENT.pack(_NA, 0, 0, _OVERRIDE, ip.packed, 2, 1, mac)


def _announce4(link: Link, mac: bytes, ip: ipaddress.IPv4Address) -> None:
    # Protocol 0: it receives nothing.
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as sock:
        sock.bind((link.name, 0))
        sock.send(arp_request(mac, ip))


def _announce6(link: Link, mac: bytes, ip: ipaddress.IPv6Address) -> None:
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_INET6, kind, socket.IPPROTO_ICMPV6) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, _HOPS)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, link.index)
        sock.bind((str(ip), 0, 0, link.index))
        sock.sendto(advertisement(mac, ip), (_ALL_NODES, 0, 0, link.index))
