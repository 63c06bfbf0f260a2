"""Changes in the kernel's tables (rtnetlink(7)), each one request or a few.

What to change has been decided; the kernel has the last word. Everything is of the network
namespace that the calling thread is in.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from netrelay.gateway.host.netlink import CREATE, EXCLUSIVE, REPLACE
from netrelay.gateway.host.reading import FAMILIES, MAIN
from netrelay.gateway.host.values import FOREVER, Hop, Kind, Route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netrelay.gateway.host.netlink import Message, Netlink
    from netrelay.gateway.host.values import Ip, Local

_SETLINK, _NEWADDR, _DELADDR = 19, 20, 21
_NEWROUTE, _DELROUTE, _NEWNEIGH, _DELNEIGH = 24, 25, 28, 29
_UP: Final = 0x1
_PERMANENT: Final = 0x80
_UNICAST: Final = 1
_SCOPE_LINK, _SCOPE_NOWHERE = 253, 255
# Address flags: not to be looked for first, and without a route for its network.
_NO_DAD, _NO_ROUTE = 0x02, 0x200
# Networks from this length on have no broadcast address (RFC 3021).
_NO_BROADCAST: Final = 31
_FORWARDING: Final = ("ipv4/ip_forward", "ipv6/conf/all/forwarding")
_SYS: Final = Path("/proc/sys/net")


def set_link(netlink: Netlink, index: int, *, up: bool | None = None, mtu: int = 0) -> None:
    """Set a link up or down, or its MTU. Errors: OSError."""
    request = ifinfmsg()
    request["index"] = index
    if up is not None:
        request["flags"], request["change"] = _UP if up else 0, _UP
    if mtu:
        request["attrs"] = [("IFLA_MTU", mtu)]
    netlink.change(request, _SETLINK)


def add_address(
    netlink: Netlink, local: Local, *, tentative: bool = False, on_link: bool = True
) -> None:
    """Have an address. Errors: OSError, EEXIST if it is there."""
    request = _address(local)
    attributes = request["attrs"]
    if isinstance(local.ip, ipaddress.IPv4Address):
        if local.prefix < _NO_BROADCAST and local.peer is None:
            attributes.append(("IFA_BROADCAST", str(local.network.broadcast_address)))
    else:
        flags = (0 if tentative else _NO_DAD) | (0 if on_link else _NO_ROUTE)
        attributes.append(("IFA_FLAGS", flags))
    if (local.valid_s, local.preferred_s) != (FOREVER, FOREVER):
        times = {"ifa_valid": local.valid_s, "ifa_preferred": local.preferred_s}
        attributes.append(("IFA_CACHEINFO", times))
    netlink.change(request, _NEWADDR, CREATE | EXCLUSIVE)


def delete_address(netlink: Netlink, local: Local) -> None:
    """Have it no more. Errors: OSError."""
    netlink.change(_address(local), _DELADDR)


def add_neighbour(netlink: Netlink, index: int, ip: Ip, address: str) -> None:
    """Know a neighbour for ever. Errors: OSError."""
    request = _neighbour(index, ip)
    request["state"] = _PERMANENT
    request["attrs"].append(("NDA_LLADDR", address))
    netlink.change(request, _NEWNEIGH, CREATE | REPLACE)


def delete_neighbour(netlink: Netlink, index: int, ip: Ip) -> None:
    """Forget one; nothing if it is not known. Errors: OSError."""
    with _absent(errno.ENOENT, errno.ENODEV):
        netlink.change(_neighbour(index, ip), _DELNEIGH)


def add_route(netlink: Netlink, route: Route, *, instead: bool = False) -> None:
    """Have a route, or `instead` of one with the same target and metric.

    Errors: OSError, EEXIST if there is one.
    """
    request = _route(route)
    request["type"] = _UNICAST
    request["scope"] = _SCOPE_LINK if route.of_interface else 0
    netlink.change(request, _NEWROUTE, CREATE | (REPLACE if instead else EXCLUSIVE))


def delete_route(netlink: Netlink, route: Route) -> None:
    """Have it no more; nothing if it is gone. Errors: OSError."""
    request = _route(route)
    request["scope"] = _SCOPE_NOWHERE
    with _absent(errno.ESRCH, errno.ENOENT, errno.ENODEV):
        netlink.change(request, _DELROUTE)


def set_forwarding(wanted: bool) -> None:
    """Forward packets, or do not, in both families. Errors: OSError."""
    for name in _FORWARDING:
        path = _SYS / name
        if path.exists():
            path.write_text(f"{wanted:d}\n", encoding="ascii")


@contextlib.contextmanager
def _absent(*numbers: int) -> Iterator[None]:
    """It is no error that what is to be removed is not there."""
    try:
        yield
    except OSError as err:
        if err.errno not in numbers:
            raise


def _address(local: Local) -> Message:
    request = ifaddrmsg()
    request["family"] = FAMILIES[local.ip.version]
    request["prefixlen"] = local.prefix
    request["index"] = local.index
    request["attrs"] = [
        ("IFA_LOCAL", str(local.ip)),
        ("IFA_ADDRESS", str(local.peer or local.ip)),
    ]
    return request


def _neighbour(index: int, ip: Ip) -> Message:
    request = ndmsg()
    request["family"] = FAMILIES[ip.version]
    request["ifindex"] = index
    request["attrs"] = [("NDA_DST", str(ip))]
    return request


def _route(route: Route) -> Message:
    """Of a route with several ways only its target is said: they go together."""
    request = rtmsg()
    request["family"] = FAMILIES[route.target.version]
    request["table"] = MAIN
    request["dst_len"] = route.target.prefixlen
    request["src_len"] = route.source.prefixlen
    request["proto"] = route.protocol
    attributes: list[tuple[str, object]] = [("RTA_TABLE", MAIN)]
    if route.target.prefixlen:
        attributes.append(("RTA_DST", str(route.target.network_address)))
    if route.source.prefixlen:
        attributes.append(("RTA_SRC", str(route.source.network_address)))
    if route.priority:
        attributes.append(("RTA_PRIORITY", route.priority))
    if len(route.hops) == 1 and route.kind is not Kind.NOWHERE:
        attributes += _hop(route.hops[0])
    request["attrs"] = attributes
    return request


def _hop(hop: Hop) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    if hop.gateway is not None:
        found.append(("RTA_GATEWAY", str(hop.gateway)))
    if hop.index is not None:
        found.append(("RTA_OIF", hop.index))
    return found
