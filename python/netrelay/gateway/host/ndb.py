"""What /net/ndb holds at first: what ip/ipconfig would have left there (ndb(6), ipconfig(8)).

One entry: the address by which the host reaches the world, its names and its name servers, as far
as the host knows them. Name servers on the host's own loopback serve nobody else and are left out.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from netrelay.gateway.host.formats import print_ip, print_mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netrelay.gateway.host.values import Ip, Local, Route

# Where resolved keeps the servers that it asks itself, behind a resolv.conf that names only it.
_RESOLV_CONF: Final = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
_MOST_SERVERS: Final = 3


class Primary(NamedTuple):
    """The address of the default route, and its gateway."""

    ip: Ip
    prefix: int
    gateway: Ip


def primary(routes: Iterable[Route], local: Sequence[Local]) -> Primary | None:
    """The first default route through a gateway on whose link the host has an address."""
    for route in routes:
        for hop in route.hops:
            if route.target.prefixlen or hop.gateway is None:
                continue
            for one in local:
                if (
                    one.index == hop.index
                    and one.ip.version == route.target.version
                    and not one.ip.is_link_local
                ):
                    return Primary(one.ip, one.prefix, hop.gateway)
    return None


def entry(found: Primary | None, hostname: str, servers: Sequence[Ip]) -> str:
    """The text."""
    tuples = [] if found is None else [
        f"ip={print_ip(found.ip)} ipmask={print_mask(found.prefix, found.ip)} "
        f"ipgw={print_ip(found.gateway)}"
    ]  # fmt: skip
    tuples.append(f"sys={hostname.partition('.')[0]}")
    if "." in hostname:
        tuples.append(f"dom={hostname}")
    tuples += [f"dns={print_ip(server)}" for server in servers]
    return "\n\t".join(tuples) + "\n"


def name_servers(paths: Iterable[Path] = _RESOLV_CONF) -> list[Ip]:
    """Those of the first file that has some which others can reach (resolv.conf(5))."""
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        found = [ip for ip in map(_server, text.splitlines()) if ip is not None]
        if found:
            return found[:_MOST_SERVERS]
    return []


def _server(line: str) -> Ip | None:
    match line.split():
        case ["nameserver", address, *_]:
            try:
                ip = ipaddress.ip_address(address.partition("%")[0])
            except ValueError:
                return None
            return None if ip.is_loopback else ip
    return None
