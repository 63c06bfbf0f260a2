"""Names as the gateway resolves them, in the shapes that programs expect.

Its connection server answers, as for every dial: so what is looked up is what would be called.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

from netrelay.client import network
from netrelay.errors import NetError
from netrelay.names.dialstring import Dial, split_remote, unbracketed

if TYPE_CHECKING:
    from netrelay.client.session import Session

    SocketAddress = tuple[str, int] | tuple[str, int, int, int]
    AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, SocketAddress]

FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
# By kind: the network that cs is asked for, and the protocol's number.
KINDS = {
    socket.SOCK_STREAM: ("tcp", socket.IPPROTO_TCP),
    socket.SOCK_DGRAM: ("udp", socket.IPPROTO_UDP),
}
# cs wants a service with every name, and asks nobody about a number.
ANY_PORT = "1"


async def resolve(session: Session, host: str, netdir: str | None) -> list[str]:
    """The addresses of a host, best first."""
    routes = await network.routes(session, Dial("tcp", host, ANY_PORT, netdir=netdir))
    return [split_remote(route.remote)[0] for route in routes]


async def getaddrinfo(
    session: Session, host: str, port: int | str, *, family: int, kind: int, netdir: str | None
) -> list[AddressInfo]:
    """What `socket.getaddrinfo` would say, were this machine the gateway."""
    found: list[AddressInfo] = []
    for each, (net, number) in KINDS.items():
        if kind not in (0, each):
            continue
        wanted = Dial(net, unbracketed(host), str(port), netdir=netdir)
        for route in await network.routes(session, wanted):
            address, service = split_remote(route.remote)
            its = FAMILIES[ipaddress.ip_address(address).version]
            if family in (socket.AF_UNSPEC, its):
                where = (address, service) if its is socket.AF_INET else (address, service, 0, 0)
                found.append((its, each, number, "", where))
    if not found:
        raise NetError("cs: can't translate address")
    return found
