"""The commands that an interface's ctl takes (ipifc.c), parsed.

What Linux has no counterpart of is `unsupported ctl`, the original's own word for what it does not
know. An interface has no states of a conversation: connect and announce find it in use.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netrelay.gateway.host.formats import default_mask, number, parse_ip, parse_mask, words
from netrelay.gateway.host.refusal import refusal
from netrelay.gateway.host.values import FOREVER, Ip

if TYPE_CHECKING:
    from collections.abc import Sequence

MEDIA: Final = ("ether", "loopback", "pkt")
# Of an IPv6 address the interface's own part.
HALF: Final = 64


@dataclass(frozen=True, slots=True)
class Bind:
    """Set the link up."""

    medium: str
    device: str | None = None


@dataclass(frozen=True, slots=True)
class Unbind:
    """Take the addresses away and set the link down."""


@dataclass(frozen=True, slots=True)
class Add:
    """Have an address; `tentative` if the kernel is to see first whether somebody else has it."""

    ip: Ip
    prefix: int
    peer: Ip | None = None
    mtu: int = 0
    tentative: bool = False


@dataclass(frozen=True, slots=True)
class AddPrefix:
    """Have the address that the front of an IPv6 address and the link's own address make."""

    front: ipaddress.IPv6Address
    prefix: int = HALF
    on_link: bool = True
    valid_s: int = FOREVER
    preferred_s: int = FOREVER


@dataclass(frozen=True, slots=True)
class Delete:
    """Have an address no more; `remote` is the network, or the peer."""

    ip: Ip
    prefix: int
    remote: Ip


@dataclass(frozen=True, slots=True)
class DeleteExpired:
    """Remove addresses whose time is over: the kernel does."""


@dataclass(frozen=True, slots=True)
class Mtu:
    """Send packets up to a size."""

    size: int


@dataclass(frozen=True, slots=True)
class Forward:
    """Forward packets between interfaces, or do not; of the whole stack."""

    wanted: bool


Command = Bind | Unbind | Add | AddPrefix | Delete | DeleteExpired | Mtu | Forward


def parse(text: str) -> Command:
    """One write.

    Errors: `short control request`, `bad arg in system call`, `bad ip address syntax`, `unknown
    interface type`, `connection in use`, `unsupported ctl`.
    """
    match words(text):
        case []:
            raise refusal("SHORT_CONTROL")
        case ["bind", medium, *rest]:
            if medium not in MEDIA:
                raise refusal("UNKNOWN_INTERFACE_TYPE")
            return Bind(medium, rest[0] if rest else None)
        case ["unbind", *_]:
            return Unbind()
        case ["add" | "try" as verb, *rest]:
            return _add(rest, tentative=verb == "try")
        case ["del" | "remove", ip, mask, *rest]:
            return _delete(ip, mask, rest)
        case ["add6", prefix, *rest]:
            return _add_prefix(prefix, rest)
        case ["del6" | "remove6"]:
            return DeleteExpired()
        case ["mtu", size, *_]:
            return Mtu(number(size))
        case ["iprouting", *rest]:
            return Forward(bool(number(rest[0])) if rest else True)
        case ["bind" | "del" | "remove" | "add6" | "del6" | "remove6" | "mtu", *_]:
            raise refusal("BAD_ARG")
        case ["connect" | "announce", *_]:
            raise refusal("CONNECTION_IN_USE")
    raise refusal("UNSUPPORTED_CTL")


def _add(rest: Sequence[str], *, tentative: bool) -> Add:
    """`local [mask [remote [mtu]]]`. The original's `proxy` and `trans` behind it are refused."""
    match rest:
        case [local]:
            ip = parse_ip(local)
            return _address(ip, default_mask(ip), None, 0, tentative)
        case [local, mask]:
            ip = parse_ip(local)
            return _address(ip, parse_mask(mask, ip), None, 0, tentative)
        case [local, mask, remote, *size] if len(size) <= 1:
            ip = parse_ip(local)
            prefix = parse_mask(mask, ip)
            return _address(ip, prefix, parse_ip(remote), number(size[0]) if size else 0, tentative)
    raise refusal("BAD_ARG")


def _address(ip: Ip, prefix: int, remote: Ip | None, mtu: int, tentative: bool) -> Add:
    """The original's remote is the network if there is no other end."""
    network = ipaddress.ip_network((ip, prefix), strict=False).network_address
    peer = None if remote is None or not int(remote) or remote in {network, ip} else remote
    if peer is not None and peer.version != ip.version:
        raise refusal("BAD_IP")
    if not int(ip) or ip.is_multicast:
        raise refusal("BAD_ARG")
    return Add(ip, prefix, peer, mtu, tentative)


def _delete(local: str, mask: str, rest: Sequence[str]) -> Delete:
    ip = parse_ip(local)
    prefix = parse_mask(mask, ip)
    network = ipaddress.ip_network((ip, prefix), strict=False).network_address
    return Delete(ip, prefix, parse_ip(rest[0]) if rest else network)


def _add_prefix(front: str, rest: Sequence[str]) -> AddPrefix:
    """`front length [onlink [auto [validlt [preflt]]]]`."""
    defaults = (HALF, 1, 1, FOREVER, FOREVER)
    if len(rest) > len(defaults):
        raise refusal("BAD_ARG")
    ip = parse_ip(front)
    prefix, on_link, _, valid_s, preferred_s = (*map(number, rest), *defaults[len(rest) :])
    if not isinstance(ip, ipaddress.IPv6Address) or ip.is_link_local or prefix > HALF:
        raise refusal("BAD_ARG")
    if not preferred_s <= valid_s <= FOREVER:
        raise refusal("BAD_ARG")
    return AddPrefix(ip, prefix, bool(on_link), valid_s, preferred_s)
