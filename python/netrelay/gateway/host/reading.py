"""Reads the kernel's tables into plain values (rtnetlink(7), proc(5)).

Everything is of the network namespace that the calling thread is in.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from netrelay.gateway.host.netlink import attributes
from netrelay.gateway.host.values import (
    FOREVER,
    Counters,
    Discovery,
    Group,
    Hop,
    Ip,
    Kind,
    Link,
    Local,
    Neighbour,
    Network,
    Route,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netrelay.gateway.host.netlink import Message, Netlink

MAIN: Final = 254
LOCAL: Final = 255
FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}

_GETLINK, _GETADDR, _GETROUTE, _GETNEIGH = 18, 22, 26, 30
# Not /proc/net, which is the process's first thread's.
_PROC: Final = Path("/proc/thread-self/net")
# ARPHRD_ETHER and ARPHRD_LOOPBACK; all else is `pkt`.
_MEDIA: Final = {1: "ether", 772: "loopback"}
_UP, _IFF_LOOPBACK = 0x1, 0x8
_NO_STATS: Final = 8
_MANAGED, _OTHER = 0x40, 0x80
# Neighbours: still asked for, and known in one way or another.
_INCOMPLETE: Final = 0x01
_KNOWN: Final = 0x02 | 0x04 | 0x08 | 0x10 | 0x80
_CLONED: Final = 0x200
_KINDS: Final = {
    1: Kind.UNICAST, 2: Kind.LOCAL, 3: Kind.BROADCAST, 4: Kind.LOCAL, 5: Kind.MULTICAST,
}  # fmt: skip

_OF_LINKS: Final = frozenset({"IFLA_IFNAME", "IFLA_ADDRESS", "IFLA_MTU"})
_OF_LINK: Final = _OF_LINKS | {"IFLA_STATS64", "IFLA_AF_SPEC"}
_OF_ADDRESS: Final = frozenset({"IFA_ADDRESS", "IFA_LOCAL", "IFA_BROADCAST", "IFA_CACHEINFO"})
_OF_NEIGHBOUR: Final = frozenset({"NDA_DST", "NDA_LLADDR"})
_OF_ROUTE: Final = frozenset({
    "RTA_DST", "RTA_SRC", "RTA_OIF", "RTA_GATEWAY", "RTA_VIA", "RTA_MULTIPATH", "RTA_PRIORITY",
})  # fmt: skip


def links(netlink: Netlink) -> list[Link]:
    """Every link, without its counters and its routers. Errors: OSError."""
    request = ifinfmsg()
    request["attrs"] = [("IFLA_EXT_MASK", _NO_STATS)]
    return [_link(each, _OF_LINKS) for each in netlink.dump(request, _GETLINK)]


def link(netlink: Netlink, index: int) -> Link | None:
    """One link with all of it; none if it is gone. Errors: OSError."""
    request = ifinfmsg()
    request["index"] = index
    try:
        return _link(netlink.one(request, _GETLINK), _OF_LINK)
    except OSError as err:
        if err.errno != errno.ENODEV:
            raise
        return None


def addresses(netlink: Netlink, index: int = 0) -> list[Local]:
    """The addresses of one link, or of all. Errors: OSError."""
    request = ifaddrmsg()
    request["index"] = index
    try:
        found = [_local(each) for each in netlink.dump(request, _GETADDR)]
    except OSError as err:
        if err.errno != errno.ENODEV:
            raise
        return []
    return [one for one in found if index in {0, one.index}]


def neighbours(netlink: Netlink) -> Iterator[Neighbour]:
    """Who is known, or being asked for. Errors: OSError."""
    for each in netlink.dump(ndmsg(), _GETNEIGH):
        found = attributes(each, _OF_NEIGHBOUR)
        known = bool(each["state"] & _KNOWN)
        if "NDA_DST" in found and (known or each["state"] & _INCOMPLETE):
            yield Neighbour(
                each["ifindex"],
                ipaddress.ip_address(found["NDA_DST"]),
                found.get("NDA_LLADDR") or "",
                known,
            )


def routes(netlink: Netlink, version: int, table: int = MAIN) -> Iterator[Route]:
    """A routing table of a family. Errors: OSError."""
    request = rtmsg()
    request["family"] = FAMILIES[version]
    request["table"] = table
    try:
        for each in netlink.dump(request, _GETROUTE):
            # Kernels that do not filter, and those without IPv6, give more than is asked for.
            asked_for = (each["family"], each["table"]) == (FAMILIES[version], table)
            if asked_for and not each["flags"] & _CLONED:
                yield _route(each, version)
    except OSError as err:
        # A kernel without IPv6, or with a table that nothing was ever put into.
        if err.errno not in {errno.ENOENT, errno.EOPNOTSUPP, errno.EAFNOSUPPORT}:
            raise


def way(netlink: Netlink, ip: Ip) -> int | None:
    """The link by which packets to an address leave; none without a route. Errors: OSError."""
    request = rtmsg()
    request["family"] = FAMILIES[ip.version]
    request["dst_len"] = ip.max_prefixlen
    request["attrs"] = [("RTA_DST", str(ip))]
    try:
        found = attributes(netlink.one(request, _GETROUTE), _OF_ROUTE)
    except OSError as err:
        if err.errno not in {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL}:
            raise
        return None
    index = found.get("RTA_OIF")
    return index if isinstance(index, int) else None


def groups() -> list[Group]:
    """The multicast groups that were joined."""
    return [*_groups4(_text("igmp")), *_groups6(_text("igmp6"))]


def snmp() -> str:
    """/proc/net/snmp. Errors: OSError."""
    return (_PROC / "snmp").read_text(encoding="ascii")


def _text(name: str) -> str:
    """A file that is not there without its family."""
    try:
        return (_PROC / name).read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return ""


def _link(message: Message, wanted: frozenset[str]) -> Link:
    found = attributes(message, wanted)
    counted = found.get("IFLA_STATS64") or {}
    return Link(
        index=message["index"],
        name=found["IFLA_IFNAME"],
        medium=_MEDIA.get(message["ifi_type"], "pkt"),
        address=found.get("IFLA_ADDRESS") or "",
        up=bool(message["flags"] & _UP),
        mtu=found.get("IFLA_MTU", 0),
        counters=Counters(
            counted.get("rx_packets", 0),
            counted.get("tx_packets", 0),
            counted.get("rx_errors", 0),
            counted.get("tx_errors", 0),
        ),
        discovery=_discovery(found.get("IFLA_AF_SPEC"), message["flags"]),
    )


def _discovery(families: Message, link_flags: int) -> Discovery:
    six: Message = families.get_attr("AF_INET6") if families else None
    conf = six.get_attr("IFLA_INET6_CONF") if six else None
    if not conf or conf["disable_ipv6"] or link_flags & _IFF_LOOPBACK:
        return Discovery()
    flags = six.get_attr("IFLA_INET6_FLAGS") or 0
    times = six.get_attr("IFLA_INET6_CACHEINFO") or {}
    # A router listens to other routers only if it is told to (accept_ra 2).
    listens = conf["accept_ra"] > (1 if conf["forwarding"] else 0)
    return Discovery(
        listens,
        bool(flags & _MANAGED),
        bool(flags & _OTHER),
        times.get("reachable_time", 0),
        times.get("retrans_time", 0),
        conf["hop_limit"],
    )


def _local(message: Message) -> Local:
    found = attributes(message, _OF_ADDRESS)
    far = ipaddress.ip_address(found.get("IFA_ADDRESS") or found["IFA_LOCAL"])
    near = ipaddress.ip_address(found.get("IFA_LOCAL") or found["IFA_ADDRESS"])
    broadcast = found.get("IFA_BROADCAST")
    times = found.get("IFA_CACHEINFO") or {}
    return Local(
        message["index"],
        near,
        message["prefixlen"],
        far if far != near else None,
        ipaddress.ip_address(broadcast) if broadcast else None,
        times.get("ifa_valid", FOREVER),
        times.get("ifa_preferred", FOREVER),
    )


def _route(message: Message, version: int) -> Route:
    found = attributes(message, _OF_ROUTE)
    kind = _KINDS.get(message["type"], Kind.NOWHERE)
    return Route(
        _network(found.get("RTA_DST"), message["dst_len"], version),
        _network(found.get("RTA_SRC"), message["src_len"], version),
        # IPv6 gives even what leads nowhere a link: the loopback.
        () if kind is Kind.NOWHERE else tuple(_hops(found)),
        kind,
        message["proto"],
        found.get("RTA_PRIORITY", 0),
    )


def _network(address: str | None, prefix: int, version: int) -> Network:
    if version == 4:  # noqa: PLR2004 (of the Internet Protocol)
        return ipaddress.IPv4Network((address or 0, prefix), strict=False)
    return ipaddress.IPv6Network((address or 0, prefix), strict=False)


def _hops(found: dict[str, Any]) -> Iterator[Hop]:
    several = found.get("RTA_MULTIPATH")
    if several:
        for each in several:
            yield Hop(_gateway(attributes(each, _OF_ROUTE)), each["oif"])
    elif "RTA_OIF" in found or "RTA_GATEWAY" in found:
        yield Hop(_gateway(found), found.get("RTA_OIF"))


def _gateway(found: dict[str, Any]) -> Ip | None:
    other_family = found.get("RTA_VIA")
    text = other_family["addr"] if other_family else found.get("RTA_GATEWAY")
    return ipaddress.ip_address(text) if text else None


def _groups4(text: str) -> Iterator[Group]:
    """/proc/net/igmp: a line a link, and below it a group a line, in the machine's byte order."""
    index = 0
    for line in text.splitlines()[1:]:
        first = line.split()[0]
        if not line[0].isspace():
            index = int(first)
        else:
            number = socket.ntohl(int(first, 16))
            yield Group(index, ipaddress.IPv4Address(number))


def _groups6(text: str) -> Iterator[Group]:
    """/proc/net/igmp6: a line a group."""
    for line in text.splitlines():
        index, _, group, *_ = line.split()
        yield Group(int(index), ipaddress.IPv6Address(int(group, 16)))
