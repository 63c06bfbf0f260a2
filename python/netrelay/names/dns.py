"""The dns file's questions: `name type` is answered with one line a record, `name type<TAB>data`.

Types are the words of dns(8) (`ip` is A, `ipv6` is AAAA). A name that begins with `!` wants the
answer in ndb's form. Addresses come from the system's resolver, as cs's do, so that both files
agree; everything else is asked of DNS.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Final

from netrelay.names.cs import QueryRefused
from netrelay.names.resolver import LookupRefused, Resolver

MAX_REPLIES = 32
MAX_BYTES = 8192
# Word of dns(8) -> type of DNS. Types whose meaning is long gone are refused as unknown.
TYPES: Final = {
    "ip": "A", "ipv6": "AAAA", "ns": "NS", "cname": "CNAME", "soa": "SOA", "ptr": "PTR",
    "hinfo": "HINFO", "mx": "MX", "txt": "TXT", "rp": "RP", "srv": "SRV", "naptr": "NAPTR",
    "cert": "CERT", "dname": "DNAME", "ds": "DS", "sshfp": "SSHFP", "rrsig": "RRSIG",
    "nsec": "NSEC", "dnskey": "DNSKEY", "spf": "SPF", "caa": "CAA", "loc": "LOC", "afsdb": "AFSDB",
    "key": "KEY", "sig": "SIG", "kx": "KX", "apl": "APL", "ipseckey": "IPSECKEY",
}  # fmt: skip
# What `all` asks for: servers refuse ANY (RFC 8482), so the common types are asked one by one.
ALL: Final = ("ip", "ipv6", "cname", "mx", "ns", "soa", "txt", "srv", "caa")
_FAMILIES: Final = {"ip": socket.AF_INET, "ipv6": socket.AF_INET6}
_NAME = re.compile(r"[^\s\0!]{1,255}\Z")


@dataclass(frozen=True, slots=True)
class Dns:
    """Answers queries."""

    resolver: Resolver
    host_owner: str

    async def answer(self, query: str, user: str) -> list[bytes]:
        """The replies to one query, without newlines.

        Errors: `QueryRefused`. May wait for the resolver.
        """
        text = query.removesuffix("\n")
        if text == "refresh" and user == self.host_owner:
            self.resolver.refresh()
            return []
        name, _, kind = text.partition(" ")
        kind = kind.strip()
        ndb_form = name.startswith("!")
        name = name.removeprefix("!")
        if not kind or not _NAME.match(name):
            raise QueryRefused(f"illegal request {text}")
        if kind in ("all", "any"):
            found = await self._all(name)
        elif kind in TYPES:
            found = [(kind, data) for data in await self._one(name, kind)]
        else:
            raise QueryRefused(f"unknown type {kind}")
        shown = name.removesuffix(".")
        if ndb_form:
            return [f"dom={shown} {word}={_quoted(data)}".encode() for word, data in found][
                :MAX_REPLIES
            ]
        return _bounded([f"{shown} {word}\t{data}".encode() for word, data in found])

    async def _one(self, name: str, kind: str) -> list[str]:
        try:
            if kind == "ptr":
                return await self.resolver.records(_reverse(name), "PTR")
            if kind in _FAMILIES:
                return await self.resolver.addresses(name.removesuffix("."), _FAMILIES[kind])
            return await self.resolver.records(name, TYPES[kind])
        except LookupRefused as refusal:
            raise QueryRefused(refusal.text) from None

    async def _all(self, name: str) -> list[tuple[str, str]]:
        answers = await asyncio.gather(
            *(self._one(name, kind) for kind in ALL), return_exceptions=True
        )
        found: list[tuple[str, str]] = []
        refusal: BaseException | None = None
        for kind, answer in zip(ALL, answers, strict=True):
            if isinstance(answer, BaseException):
                refusal = refusal or answer
            else:
                found += [(kind, data) for data in answer]
        if not found and refusal is not None:
            raise refusal
        return found


def _reverse(name: str) -> str:
    """A plain address is asked for under its name in in-addr.arpa, as dnsquery does."""
    try:
        return ipaddress.ip_address(name).reverse_pointer
    except ValueError:
        return name


def _quoted(data: str) -> str:
    return f'"{data}"' if " " in data else data


def _bounded(lines: list[bytes]) -> list[bytes]:
    taken: list[bytes] = []
    size = 0
    for line in lines[:MAX_REPLIES]:
        size += len(line)
        if size > MAX_BYTES:
            break
        taken.append(line)
    return taken
