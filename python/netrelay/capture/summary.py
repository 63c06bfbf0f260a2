"""A frame in one line: who to whom, and what kind of packet.

dpkt takes frames apart. Whatever bytes come there is a line: what can't be taken apart is told by
the layer below it.
"""

from __future__ import annotations

import socket
import struct
from typing import Final

import dpkt

_BROKEN: Final = (
    dpkt.Error,
    struct.error,
    IndexError,
    ValueError,
    TypeError,
    AttributeError,
    OSError,
)
_TCP_FLAGS: Final = (
    (dpkt.tcp.TH_SYN, "S"), (dpkt.tcp.TH_FIN, "F"), (dpkt.tcp.TH_RST, "R"),
    (dpkt.tcp.TH_PUSH, "P"), (dpkt.tcp.TH_ACK, "."),
)  # fmt: skip
_ARP: Final = {1: "who-has", 2: "is-at"}
_ICMP: Final = {
    0: "echo reply", 3: "unreachable", 4: "source quench", 5: "redirect", 8: "echo request",
    11: "time exceeded", 12: "parameter problem",
}  # fmt: skip
_ICMP6: Final = {
    1: "unreachable", 2: "packet too big", 3: "time exceeded", 4: "parameter problem",
    128: "echo request", 129: "echo reply", 133: "router solicitation",
    134: "router advertisement", 135: "neighbour solicitation", 136: "neighbour advertisement",
}  # fmt: skip
_PROTOCOLS: Final = {2: "igmp", 40: "il", 47: "gre", 50: "esp", 51: "ah"}
# dpkt's own names for what a port carries would guess; the port itself is true.
_QUIET_LAYERS: Final = (dpkt.ip.IP, dpkt.ip6.IP6)


def line(frame: bytes) -> str:
    """What an Ethernet frame is, without a newline; never raises."""
    try:
        ether = dpkt.ethernet.Ethernet(frame)
    except _BROKEN:
        return f"{len(frame)} bytes: no Ethernet frame"
    payload = ether.data
    if isinstance(payload, _QUIET_LAYERS):
        return _ip(payload)
    if isinstance(payload, dpkt.arp.ARP):
        return _arp(payload)
    return f"{_mac(ether.src)} > {_mac(ether.dst)} type 0x{ether.type:04x} length {len(frame)}"


def _ip(packet: dpkt.ip.IP | dpkt.ip6.IP6) -> str:
    family = socket.AF_INET if isinstance(packet, dpkt.ip.IP) else socket.AF_INET6
    try:
        source, target = (socket.inet_ntop(family, end) for end in (packet.src, packet.dst))
    except _BROKEN:
        return "a packet without addresses"
    inner = packet.data
    if isinstance(inner, dpkt.tcp.TCP | dpkt.udp.UDP):
        ends = f"{source}!{inner.sport} > {target}!{inner.dport}"
        if isinstance(inner, dpkt.udp.UDP):
            return f"{ends} udp length {len(inner.data)}"
        flags = "".join(letter for bit, letter in _TCP_FLAGS if inner.flags & bit)
        numbers = f"seq {inner.seq} ack {inner.ack} win {inner.win}"
        return f"{ends} tcp [{flags}] {numbers} length {len(inner.data)}"
    ends = f"{source} > {target}"
    if isinstance(inner, dpkt.icmp.ICMP):
        return f"{ends} icmp {_ICMP.get(inner.type, f'type {inner.type}')} code {inner.code}"
    if isinstance(inner, dpkt.icmp6.ICMP6):
        return f"{ends} icmpv6 {_ICMP6.get(inner.type, f'type {inner.type}')} code {inner.code}"
    number = packet.p
    return f"{ends} {_PROTOCOLS.get(number, f'protocol {number}')} length {len(bytes(packet))}"


def _arp(packet: dpkt.arp.ARP) -> str:
    try:
        asked, asker = (socket.inet_ntoa(end) for end in (packet.tpa, packet.spa))
    except _BROKEN:
        return "arp of no IPv4 address"
    if packet.op == dpkt.arp.ARP_OP_REPLY:
        return f"arp {asker} is-at {_mac(packet.sha)}"
    return f"arp {_ARP.get(packet.op, f'op {packet.op}')} {asked} tell {asker}"


def _mac(address: bytes) -> str:
    return address.hex(":")
