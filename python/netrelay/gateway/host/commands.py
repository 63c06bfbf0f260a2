"""Carries out the commands written to arp, iproute and an interface's ctl.

What the original decides is decided here (which link, what is so already, what is silently
nothing); the kernel decides the rest, and its refusals are put into the original's words.
"""

from __future__ import annotations

import errno
import ipaddress
from typing import TYPE_CHECKING, Final

from netrelay.errors import NetError
from netrelay.gateway.host import arp, changing, control, garp, reading, routes
from netrelay.gateway.host.formats import parse_ip
from netrelay.gateway.host.nearest import holder, nearest
from netrelay.gateway.host.refusal import of_kernel, refusal
from netrelay.gateway.host.values import Hop, Local, Route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netrelay.gateway.host.netlink import Netlink
    from netrelay.gateway.host.numbers import Numbers
    from netrelay.gateway.host.values import Ip, Link, Network

# What a route has that nobody gave one (rtnetlink(7), IP6_RT_PRIO_USER).
_METRICS: Final = {4: 0, 6: 1024}
_OF_ROUTES: Final = {
    errno.ENETUNREACH: "INTERFACE_NOT_FOUND",
    errno.EHOSTUNREACH: "INTERFACE_NOT_FOUND",
    errno.ENODEV: "INTERFACE_NOT_FOUND",
    errno.ENETDOWN: "INTERFACE_NOT_BOUND",
}
_OF_INTERFACES: Final = {errno.ENODEV: "INTERFACE_NOT_BOUND"}


def change_neighbours(netlink: Netlink, command: arp.Command) -> None:
    """Carry out a command of arp. Errors: `NetError`."""
    try:
        match command:
            case arp.Flush():
                _forget(netlink, None)
            case arp.Delete(ip):
                _forget(netlink, ip)
            case arp.Add(ip, address, interface):
                index = _link_of_neighbour(netlink, ip, interface)
                changing.add_neighbour(netlink, index, ip, address)
            case arp.Announce(ip):
                _announce(netlink, ip)
    except OSError as err:
        raise _refused(err) from None


def _forget(netlink: Netlink, ip: Ip | None) -> None:
    for each in list(reading.neighbours(netlink)):
        if ip in {None, each.ip}:
            changing.delete_neighbour(netlink, each.index, each.ip)


def _link_of_neighbour(netlink: Netlink, ip: Ip, interface: Ip | None) -> int:
    """The link that has the interface's address, else the one of the route to the neighbour."""
    local = reading.addresses(netlink)
    if interface is None:
        index = reading.way(netlink, ip)
    else:
        held = holder(local, interface)
        index = held.index if held is not None else None
    if index is None:
        raise refusal("NO_INTERFACE")
    if nearest([one for one in local if one.index == index], ip) is None:
        raise refusal("DESTINATION_UNREACHABLE")
    return index


def _announce(netlink: Netlink, ip: Ip) -> None:
    """Only an address of ours on a link with medium addresses is announced; else it is nothing."""
    held = holder(reading.addresses(netlink), ip)
    link = reading.link(netlink, held.index) if held is not None else None
    if held is None or link is None:
        raise refusal("NO_INTERFACE")
    if held.ip == ip and link.medium == arp.MEDIUM:
        garp.announce(link, ip)


def change_routes(
    netlink: Netlink, numbers: Numbers, command: routes.Change, protocol: int
) -> None:
    """Carry out a command of iproute; `protocol` is that of a route without a tag.

    Errors: `NetError`.
    """
    try:
        match command:
            case routes.Flush(protocols):
                for each in [*_gateways(netlink)]:
                    if protocols is None or each.protocol in protocols:
                        changing.delete_route(netlink, each)
            case routes.Add(way):
                index = _link_of_route(netlink, numbers, way)
                if way.gateway is None and index is None:
                    raise refusal("INTERFACE_NOT_FOUND")
                _add_route(netlink, _route(way, index, protocol))
            case routes.Delete(way):
                _delete_route(netlink, way, _link_of_route(netlink, numbers, way))
    except OSError as err:
        raise _refused(err, _OF_ROUTES) from None


def _gateways(netlink: Netlink) -> Iterator[Route]:
    """The routes that are not of an interface: those are flushed."""
    for version in reading.FAMILIES:
        for each in reading.routes(netlink, version):
            if not each.of_interface:
                yield each


def _add_route(netlink: Netlink, route: Route) -> None:
    """Instead of one with the same target, unless that is an interface's own: that stays."""
    try:
        changing.add_route(netlink, route)
    except OSError as err:
        if err.errno != errno.EEXIST:
            raise
    else:
        return
    there = reading.routes(netlink, route.target.version)
    metric = _METRICS[route.target.version]
    same = [each for each in there if each.priority == metric
            and (each.target, each.source) == (route.target, route.source)]  # fmt: skip
    if not any(each.of_interface for each in same):
        changing.add_route(netlink, route, instead=True)


def _delete_route(netlink: Netlink, way: routes.Way, index: int | None) -> None:
    """The first one that fits. One with a gateway the kernel finds itself."""
    if way.gateway is not None:
        changing.delete_route(netlink, _route(way, index, 0))
        return
    for each in reading.routes(netlink, way.target.version):
        if _fits(each, way, index):
            changing.delete_route(netlink, each)
            return


def _fits(route: Route, way: routes.Way, index: int | None) -> bool:
    return (
        (route.target, route.source) == (way.target, way.source or _any(way.target))
        and route.of_interface == way.of_interface
        and way.protocol in {None, route.protocol}
        and (index is None or any(hop.index == index for hop in route.hops))
    )


def _route(way: routes.Way, index: int | None, protocol: int) -> Route:
    return Route(
        way.target,
        way.source or _any(way.target),
        (Hop(way.gateway, index),),
        protocol=protocol if way.protocol is None else way.protocol,
    )


def _any(target: Network) -> Network:
    return ipaddress.ip_network((type(target.network_address)(0), 0))


def _link_of_route(netlink: Netlink, numbers: Numbers, way: routes.Way) -> int | None:
    """The link that a route's interface means: a number, a device or an address."""
    word = way.interface
    if word is None:
        return None
    if word.isascii() and word.isdecimal():
        index = numbers.index(int(word))
    else:
        index = numbers.named(word)
        if index is None:
            held = holder(reading.addresses(netlink), parse_ip(word))
            index = held.index if held is not None else None
    if index is None:
        raise refusal("INTERFACE_NOT_FOUND")
    return index


def change_interface(netlink: Netlink, index: int | None, command: control.Command) -> None:
    """Carry out a command of an interface's ctl; it has no index if its link is gone.

    Errors: `NetError`.
    """
    try:
        link = reading.link(netlink, index) if index is not None else None
        if link is None:
            raise refusal("INTERFACE_NOT_BOUND")
        _change(netlink, link, command)
    except OSError as err:
        raise _refused(err, _OF_INTERFACES) from None


def _change(netlink: Netlink, link: Link, command: control.Command) -> None:
    match command:
        case control.Bind():
            _bind(netlink, link, command)
        case control.Unbind():
            for one in reading.addresses(netlink, link.index):
                changing.delete_address(netlink, one)
            changing.set_link(netlink, link.index, up=False)
        case control.Add():
            _add_address(netlink, link, command)
        case control.AddPrefix():
            _add_prefix(netlink, link, command)
        case control.Delete(ip, prefix, remote):
            for one in reading.addresses(netlink, link.index):
                if (one.ip, one.prefix, one.remote) == (ip, prefix, remote):
                    changing.delete_address(netlink, one)
                    return
            raise refusal("NOT_ON_INTERFACE")
        case control.DeleteExpired():
            return
        case control.Mtu(size):
            _set_mtu(netlink, link, size)
        case control.Forward(wanted):
            changing.set_forwarding(wanted)


def _bind(netlink: Netlink, link: Link, command: control.Bind) -> None:
    """A link is the interface's for ever: what is bound is its own device, if it is down."""
    if link.up:
        raise refusal("INTERFACE_BOUND")
    if command.medium != link.medium:
        raise refusal("UNKNOWN_INTERFACE_TYPE")
    if command.device not in {None, link.name}:
        raise refusal("BAD_ARG")
    changing.set_link(netlink, link.index, up=True)


def _add_address(netlink: Netlink, link: Link, command: control.Add) -> None:
    if command.mtu:
        _set_mtu(netlink, link, command.mtu)
    if any(one.ip == command.ip for one in reading.addresses(netlink, link.index)):
        return
    local = Local(link.index, command.ip, command.prefix, command.peer)
    changing.add_address(netlink, local, tentative=command.tentative)


def _add_prefix(netlink: Netlink, link: Link, command: control.AddPrefix) -> None:
    """The link's own part of the address is made of its medium address (RFC 4291, appendix A)."""
    if link.medium != arp.MEDIUM:
        raise refusal("INTERFACE_NOT_BOUND")
    mac = bytes.fromhex(link.address.replace(":", ""))
    own = bytes([mac[0] ^ 2, *mac[1:3], 0xFF, 0xFE, *mac[3:6]])
    ip = ipaddress.IPv6Address(command.front.packed[: control.HALF // 8] + own)
    local = Local(
        link.index, ip, command.prefix, valid_s=command.valid_s, preferred_s=command.preferred_s
    )
    if all(one.ip != ip for one in reading.addresses(netlink, link.index)):
        changing.add_address(netlink, local, on_link=command.on_link)


def _set_mtu(netlink: Netlink, link: Link, size: int) -> None:
    if not 0 < size < 1 << 31:
        raise refusal("BAD_ARG")
    changing.set_link(netlink, link.index, mtu=size)


def _refused(err: OSError, otherwise: dict[int, str] | None = None) -> NetError:
    return err if isinstance(err, NetError) else of_kernel(err.errno, otherwise)
