"""An interface's status and local (ipifc.c).

readipifc(2), by which ndb/cs, ndb/dns and ip/ipconfig know their machine, reads status: names and
values on the first line in any order, an address and its mask on each of the others. It passes over
an interface whose device has no name, which is how one that is gone reads.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final

from netrelay.gateway.host.formats import print_ip, print_mask
from netrelay.gateway.host.values import Link

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netrelay.gateway.host.values import Ip, Local

GONE: Final = Link(0, "", "")
# Of an interface as of a conversation that has none.
REMOTE: Final = "::!0\n"


def status(link: Link, local: Sequence[Local], speed: int = 0) -> str:
    """The text of status; `speed` in bits a second, 0 if nobody knows."""
    found, counted = link.discovery, link.counters
    # What a router of the original would announce; Linux announces nothing by itself.
    first = (
        f"device {link.name} maxtu {link.mtu} sendra 0 recvra {found.listens:d} "
        f"mflag {found.managed:d} oflag {found.other:d} maxraint 0 minraint 0 linkmtu 0 "
        f"reachtime {found.reachable_ms} rxmitra {found.retransmit_ms} ttl {found.hop_limit} "
        f"routerlt 0 pktin {counted.packets_in} pktout {counted.packets_out} "
        f"errin {counted.errors_in} errout {counted.errors_out} speed {speed} delay 0\n"
    )
    return first + ("".join(map(_line, local)) or "\n")


def _line(one: Local) -> str:
    return (
        f"\t{print_ip(one.ip):<40} {print_mask(one.prefix, one.ip):<10} "
        f"{print_ip(one.remote):<40} {one.valid_s:<12} {one.preferred_s:<12}\n"
    )


def local(addresses: Sequence[Local], groups: Sequence[Ip]) -> str:
    """The text of local: each address, and to what it answers besides itself, itself last."""
    text = ""
    for one in addresses:
        selves = "".join(f" {print_ip(ip):<40.40}" for ip in _selves(one, groups))
        text += f"{print_ip(one.ip):<40.40} ->{selves}\n"
    return text


def _selves(one: Local, groups: Sequence[Ip]) -> list[Ip]:
    joined = [group for group in groups if group.version == one.ip.version]
    broadcast = one.broadcast if isinstance(one.ip, IPv4Address) else None
    return [*joined, *([broadcast] if broadcast is not None else []), one.ip]
