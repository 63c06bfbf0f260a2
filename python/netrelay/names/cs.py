"""cs, the connection server: a name of a service becomes what to open and what to write there.

`net!host!service` is answered with lines `/net/tcp/clone addr!port` (ndb(8)), which dial(2) takes
apart. Numeric hosts and ports need no lookup and are answered at once. The texts of the
refusals are the original's: dial(2) and its users look for `translate` in them.
Knows no socket and no session: a query and a resolver go in, replies come out.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netrelay.names.dialstring import MAX_PORT, unbracketed
from netrelay.names.ndb import Database
from netrelay.names.resolver import LookupRefused, Resolver
from netrelay.names.services import port_of

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_REPLIES = 20
MAX_REPLY = 256
_SERVICE = re.compile(r"[A-Za-z0-9$-]+\Z")
_NUMERIC = re.compile(r"[0-9.]+\Z")
_FIELDS = 4
# The networks with addresses of one family alone, and whether that is IPv6.
_SIX = {"icmp": False, "icmpv6": True, "il": False}


class QueryRefused(Exception):  # noqa: N818 (it is the answer, not a fault)
    """The query has no answer; the text goes to the client behind `cs: ` or `dns: `."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True)
class Cs:
    """Answers queries about what is in `netdir`.

    `nets` are the ip networks that the tree has, in the order of `net!`; those in `explicit` it has
    too, and `net!` doesn't mean them.
    """

    resolver: Resolver
    host_owner: str
    ndb: Database = field(default_factory=Database)
    nets: Sequence[str] = ("tcp",)
    explicit: Sequence[str] = ("udp", "icmp", "icmpv6", "il")
    netdir: str = "/net"

    async def answer(self, query: str, user: str) -> list[bytes]:
        """The replies to one query, each at most 256 bytes and without a newline.

        Errors: `QueryRefused`. May wait for the resolver.
        """
        if query.startswith("!"):
            return self._search(query[1:])
        if query == "refresh" and user == self.host_owner:
            self.resolver.refresh()
            return []
        net, host, service, rem = _split(query)
        if net != "net" and net not in (*self.nets, *self.explicit):
            return [self._reply(net, "!".join(part for part in (host, service, rem) if part))]
        nets = list(self.nets) if net == "net" else [net]
        ports = [(name, _port(name, service)) for name in nets]
        tail = f"!{rem}" if rem else ""
        if host in ("*", "::"):
            return [self._reply(name, f"{port}{tail}") for name, port in ports]
        addresses = await self._addresses(host)
        lines = [
            self._reply(name, f"{ip}!{port}{tail}")
            for name, port in ports
            for ip in addresses
            if (":" in ip) == _SIX.get(name, ":" in ip)
        ]
        if not lines:
            raise QueryRefused("can't translate address")
        return lines[:MAX_REPLIES]

    async def _addresses(self, host: str) -> list[str]:
        host = unbracketed(host)
        if host.startswith("$"):
            values = self.ndb.values(host[1:])
            if not values:
                raise QueryRefused("can't translate address")
            return [address for value in values for address in await self._addresses(value)]
        if ":" in host or _NUMERIC.match(host):
            return [_literal(host)]
        try:
            return await self.resolver.addresses(host, socket.AF_UNSPEC)
        except LookupRefused as refusal:
            raise QueryRefused(f"can't translate address: dns: {refusal.text}") from None

    def _reply(self, net: str, rest: str) -> bytes:
        return f"{self.netdir}/{net}/clone {rest}".encode()[:MAX_REPLY]

    def _search(self, query: str) -> list[bytes]:
        wanted = []
        for word in query.split():
            attr, equals, value = word.partition("=")
            if not equals or not attr:
                raise QueryRefused("bad query")
            wanted.append((attr, value))
        if not wanted:
            raise QueryRefused("bad query")
        lines = self.ndb.search(wanted)
        if lines is None:
            raise QueryRefused("no match")
        texts = [" ".join(f"{attr}={value}" for attr, value in line) for line in lines]
        return [text.encode()[:MAX_REPLY] for text in texts[:MAX_REPLIES]]


def _split(query: str) -> tuple[str, str, str | None, str | None]:
    fields: list[str | None] = [*query.split("!", _FIELDS - 1)]
    if len(fields) == 1:
        fields.insert(0, "net")
    net, host, service, rem = (*fields, None, None)[:_FIELDS]
    if not net or not host:
        raise QueryRefused("can't translate address")
    return net, host, service, rem


def _port(net: str, service: str | None) -> str:
    if service == "*":
        return "*"
    if not service or not _SERVICE.match(service):
        raise QueryRefused("can't translate service")
    if service.isdecimal():
        if int(service) > MAX_PORT:
            raise QueryRefused("can't translate service")
        return str(int(service))
    port = port_of(net, service)
    if port is None:
        raise QueryRefused("can't translate service")
    return str(port)


def _literal(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        raise QueryRefused("can't translate address") from None
