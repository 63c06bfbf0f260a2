"""iproute: the main routing tables, a line for each way, and the commands (iproute.c).

The original's tag says who made a route. Linux keeps a protocol there, a number with a name; those
names, cut to four letters, are the tags that there are. Its flags say `i` of a route to who is on a
link; what such a route has as its gateway is its own target.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netrelay.gateway.host.formats import parse_ip, parse_mask, print_ip, print_mask, words
from netrelay.gateway.host.refusal import refusal
from netrelay.gateway.host.values import Ip, Kind, Network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from netrelay.gateway.host.values import Hop, Route

KERNEL: Final = 2
BOOT: Final = 3
# rtnetlink(7) and /etc/iproute2/rt_protos; a route that nobody signed is the original's `none`.
_TAGS: Final = {
    0: "none", 1: "redi", KERNEL: "ifc ", BOOT: "none", 4: "stat", 8: "gate", 9: "ra6", 10: "mrt",
    11: "zebr", 12: "bird", 13: "dnro", 14: "xorp", 15: "ntk", 16: "dhcp", 17: "mrou", 18: "keep",
    42: "babe", 99: "open", 186: "bgp", 187: "isis", 188: "ospf", 189: "rip", 192: "eigr",
}  # fmt: skip
_PROTOCOLS: Final = {tag.strip(): protocol for protocol, tag in _TAGS.items()}
_LETTERS: Final = {
    Kind.UNICAST: "", Kind.NOWHERE: "", Kind.LOCAL: "u", Kind.BROADCAST: "b", Kind.MULTICAST: "m",
}  # fmt: skip
_ON_LINUX: Final = frozenset("ip")
# Addresses have some by themselves, and translating or answering for others is not done by routes.
_ELSEWHERE: Final = frozenset("ubmyt")
_BYTE: Final = 256


@dataclass(frozen=True, slots=True)
class Flush:
    """Remove the routes through gateways: all, or those of a tag."""

    protocols: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """A route as it is written; what is None may be any.

    `interface` is a number, an address or a device.
    """

    target: Network
    source: Network | None = None
    gateway: Ip | None = None
    of_interface: bool = False
    protocol: int | None = None
    interface: str | None = None


@dataclass(frozen=True, slots=True)
class Add:
    """Have a route, instead of the one with the same target if there is one."""

    way: Way


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a route."""

    way: Way


@dataclass(frozen=True, slots=True)
class Tag:
    """The tag of routes that are added without one from now on."""

    protocol: int


Change = Flush | Add | Delete
Command = Change | Tag


def lines(routes: Iterable[Route], number: Callable[[int], int | None]) -> Iterator[str]:
    """A line for each way of each route; `number` is the interface's number of a link's."""
    for route in routes:
        target = route.target.network_address
        begin = f"{print_ip(target):<15} {print_mask(route.target.prefixlen, target):<4}"
        source = route.source.network_address
        end = f"{print_ip(source):<15} {print_mask(route.source.prefixlen, source):<4}\n"
        tag = tag_of(route.protocol)
        for hop in route.hops or (None,):
            gateway = hop.gateway if hop is not None else None
            index = None if hop is None or hop.index is None else number(hop.index)
            interface = "-" if index is None else str(index)
            yield (
                f"{begin} {print_ip(gateway or target):<15} {_flags(route, hop):<4} "
                f"{tag:>4.4} {interface:>3} {end}"
            )


def tag_of(protocol: int) -> str:
    """What a route of that protocol is tagged with; one without a name has its number."""
    return _TAGS.get(protocol, str(protocol))


def protocols_of(tag: str) -> frozenset[int]:
    """The protocols whose routes have that tag."""
    word = tag[:4].strip()
    return frozenset(number for number in range(_BYTE) if tag_of(number).strip() == word)


def parse(text: str) -> Command:
    """One write.

    Errors: `short control request`, `bad process or channel control request`, `bad ip address
    syntax`, `bad arg in system call` for what Linux can't keep.
    """
    match words(text):
        case []:
            raise refusal("SHORT_CONTROL")
        case ["flush"]:
            return Flush()
        case ["flush", tag, *_]:
            return Flush(protocols_of(tag))
        case ["tag", tag, *_]:
            return Tag(_protocol(tag))
        case ["tag"]:
            raise refusal("BAD_ARG")
        case ["add", target, mask, gateway]:
            return Add(_way(target, mask, gateway))
        case ["add", target, mask, gateway, interface]:
            return Add(_way(target, mask, gateway, interface=interface))
        case ["add", *rest]:
            return Add(_long(rest))
        case ["del" | "remove", target, mask]:
            return Delete(_way(target, mask))
        case ["del" | "remove", target, mask, gateway]:
            return Delete(_way(target, mask, gateway))
        case ["del" | "remove", target, mask, *source] if len(source) == 2:  # noqa: PLR2004 (and mask)
            return Delete(_way(target, mask, source=source))
        case ["del" | "remove", *rest]:
            return Delete(_long(rest))
    raise refusal("BAD_CONTROL")


def _long(words: list[str]) -> Way:
    """The forms that end in a source and its mask. Errors: as `parse`."""
    match words:
        case [target, mask, gateway, source, source_mask]:
            return _way(target, mask, gateway, source=(source, source_mask))
        case [target, mask, gateway, interface, source, source_mask]:
            return _way(target, mask, gateway, interface=interface, source=(source, source_mask))
        case [target, mask, gateway, flags, interface, source, source_mask]:
            return _way(target, mask, gateway, flags=flags, interface=interface,
                        source=(source, source_mask))  # fmt: skip
        case [target, mask, gateway, flags, tag, interface, source, source_mask]:
            return _way(target, mask, gateway, flags=flags, tag=tag, interface=interface,
                        source=(source, source_mask))  # fmt: skip
    raise refusal("BAD_CONTROL")


def _way(
    target: str,
    mask: str,
    gateway: str | None = None,
    *,
    source: Sequence[str] = (),
    interface: str = "-",
    flags: str | None = None,
    tag: str = "",
) -> Way:
    ip = parse_ip(target)
    network = _network(ip, parse_mask(mask, ip))
    letters = "" if flags is None else _parse_flags(flags, network)
    of_interface = "i" in letters
    through = _gateway(gateway, network) if gateway is not None else None
    return Way(
        network,
        _source(source, network) if source else None,
        None if of_interface else through,
        of_interface,
        _protocol(tag) if tag else None,
        None if interface == "-" else interface,
    )


def _network(ip: Ip, prefix: int) -> Network:
    return ipaddress.ip_network((ip, prefix), strict=False)


def _gateway(word: str, target: Network) -> Ip | None:
    """The gateway; none for `::` and `0.0.0.0`."""
    ip = parse_ip(word)
    if not int(ip):
        return None
    if ip.version != target.version:
        raise refusal("BAD_IP")
    return ip


def _source(words: Sequence[str], target: Network) -> Network | None:
    """For whom the route is. Linux has routes for some senders only in IPv6."""
    word, mask = words
    ip = parse_ip(word)
    prefix = parse_mask(mask, ip)
    if not prefix:
        return None
    if ip.version != target.version:
        raise refusal("BAD_IP")
    if isinstance(ip, ipaddress.IPv4Address):
        raise refusal("BAD_ARG")
    return _network(ip, prefix)


def _parse_flags(word: str, target: Network) -> str:
    """The letters behind `4` or `6`."""
    if word[:1] not in {"4", "6"} or not set(word[1:]) <= _ON_LINUX | _ELSEWHERE:
        raise refusal("BAD_CONTROL")
    if word[0] != str(target.version):
        raise refusal("BAD_IP")
    if _ELSEWHERE & set(word[1:]):
        raise refusal("BAD_ARG")
    return word[1:]


def _protocol(tag: str) -> int:
    """What Linux keeps of a tag. Errors: `bad arg in system call` if nothing."""
    word = tag[:4].strip()
    if word in _PROTOCOLS:
        return _PROTOCOLS[word]
    if word.isascii() and word.isdecimal() and int(word) < _BYTE:
        return int(word)
    raise refusal("BAD_ARG")


def _flags(route: Route, hop: Hop | None) -> str:
    of_interface = route.kind is Kind.UNICAST and hop is not None and hop.gateway is None
    whole = route.target.prefixlen == route.target.max_prefixlen
    return (
        f"{route.target.version}{'i' if of_interface else ''}{_LETTERS[route.kind]}"
        f"{'p' if of_interface and whole else ''}"
    )
