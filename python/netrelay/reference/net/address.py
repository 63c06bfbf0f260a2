"""Addresses as ip(3) writes them: `addr!port`, parsed and printed.

Only numbers: names are cs's business. IPv4 addresses in IPv6 dress are IPv4 addresses throughout.
"""

from __future__ import annotations

import ipaddress
from itertools import takewhile
from typing import Final, NamedTuple

from netrelay.reference.net.refusal import refusal

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address

_PORTS: Final = 1 << 16


class Address(NamedTuple):
    """One end of a conversation; `ip` is none where any address will do."""

    ip: Ip | None
    port: int

    def __str__(self) -> str:
        return f"{'::' if self.ip is None else print_ip(self.ip)}!{self.port}"


class Remote(NamedTuple):
    """What connect is told to reach; `restricted` asks for a low local port."""

    ip: Ip
    port: int
    restricted: bool


NOWHERE: Final = Address(None, 0)


def parse_ip(text: bytes) -> Ip:
    """Errors: `bad ip address syntax`."""
    try:
        word = text.decode("ascii")
        if "%" in word:
            raise refusal("BAD_IP")
        return unmapped(ipaddress.ip_address(word))
    except ValueError:
        raise refusal("BAD_IP") from None


def parse_port(text: bytes) -> int:
    """Errors: `bad numeric port`."""
    digits = text.lstrip(b"0") or text[:1]
    if not text.isdigit() or len(digits) > len(str(_PORTS)) or int(digits) >= _PORTS:
        raise refusal("BAD_PORT")
    return int(digits)


def parse_remote(text: bytes) -> Remote:
    """`addr!port[!r]`. Errors: `malformed address`, `bad ip address syntax`, `bad numeric port`."""
    host, bang, rest = text.partition(b"!")
    if not bang:
        raise refusal("MALFORMED_ADDRESS")
    ip = parse_ip(host)
    restricted = rest.endswith(b"!r")
    return Remote(ip, parse_port(rest.removesuffix(b"!r")), restricted)


def parse_local(text: bytes) -> tuple[Address, bool]:
    """`[addr!]port[!r]`, and whether the port is to be a low one; `*` is any address.

    Errors: `permission denied` for `*` as port, else as above.
    """
    restricted = text.endswith(b"!r")
    host, bang, port = text.removesuffix(b"!r").partition(b"!")
    if not bang:
        host, port = b"*", host
    ip = None if host == b"*" else parse_ip(host)
    if port == b"*":
        raise refusal("PERMISSION_DENIED")
    return Address(ip if ip is None or int(ip) else None, parse_port(port)), restricted


def print_ip(ip: Ip) -> str:
    """As `%I` has it: the first longest run of zero groups is `::`, were it a single one."""
    if ip.version == 4:
        return str(ip)
    groups = [f"{int(group, 16):x}" for group in ip.exploded.split(":")]
    runs = [len(list(takewhile(lambda group: group == "0", groups[at:]))) for at in range(8)]
    longest = max(runs)
    if not longest:
        return ":".join(groups)
    at = runs.index(longest)
    return f"{':'.join(groups[:at])}::{':'.join(groups[at + longest :])}"


def unmapped(ip: Ip) -> Ip:
    """The IPv4 address that an IPv6 address dresses up, or the address itself."""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


def of_socket(name: tuple[str, int] | tuple[str, int, int, int]) -> Address:
    """From what getsockname or getpeername says."""
    ip = unmapped(ipaddress.ip_address(name[0].partition("%")[0]))
    return Address(ip if int(ip) else None, name[1])
