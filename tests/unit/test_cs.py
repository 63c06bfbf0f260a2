"""cs's replies to the byte, and its refusals to the word."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field

import pytest

from netrelay.names.cs import Cs, QueryRefused
from netrelay.names.ndb import Database
from netrelay.names.resolver import LookupRefused


@dataclass
class Names:
    """A resolver that knows two names."""

    known: dict[str, list[str]] = field(
        default_factory=lambda: {"web": ["10.0.0.1", "2001:db8::1"], "one.example": ["10.0.0.2"]}
    )
    refreshed: int = 0

    async def addresses(self, name: str, family: socket.AddressFamily) -> list[str]:
        if name not in self.known:
            raise LookupRefused("name does not exist")
        return self.known[name]

    async def records(self, name: str, kind: str) -> list[str]:
        raise LookupRefused("dns failure")

    def refresh(self) -> None:
        self.refreshed += 1


NDB = Database.parse("sys=gate dom=gate.example\n\tip=10.9.9.9 auth=one.example\n")


def ask(query: str, *, user: str = "glenda") -> list[bytes]:
    return asyncio.run(Cs(Names(), "gate", NDB).answer(query, user))


@pytest.mark.parametrize(
    ("query", "replies"),
    [
        ("tcp!1.2.3.4!80", [b"/net/tcp/clone 1.2.3.4!80"]),
        ("tcp!1.2.3.4!9fs", [b"/net/tcp/clone 1.2.3.4!564"]),
        ("tcp!1.2.3.4!080", [b"/net/tcp/clone 1.2.3.4!80"]),
        ("net!1.2.3.4!80", [b"/net/tcp/clone 1.2.3.4!80"]),
        ("tcp!::1!80", [b"/net/tcp/clone ::1!80"]),
        ("tcp![::1]!80", [b"/net/tcp/clone ::1!80"]),
        ("tcp!web!http", [b"/net/tcp/clone 10.0.0.1!80", b"/net/tcp/clone 2001:db8::1!80"]),
        ("tcp!*!564", [b"/net/tcp/clone 564"]),
        ("tcp!::!564", [b"/net/tcp/clone 564"]),
        ("tcp!*!*", [b"/net/tcp/clone *"]),
        ("tcp!1.2.3.4!80!r", [b"/net/tcp/clone 1.2.3.4!80!r"]),
        ("tcp!$auth!ticket", [b"/net/tcp/clone 10.0.0.2!567"]),
        ("udp!1.2.3.4!53", [b"/net/udp/clone 1.2.3.4!53"]),
        ("udp!web!ntp", [b"/net/udp/clone 10.0.0.1!123", b"/net/udp/clone 2001:db8::1!123"]),
        ("udp!*!69", [b"/net/udp/clone 69"]),
        ("icmp!web!1", [b"/net/icmp/clone 10.0.0.1!1"]),
        ("icmpv6!web!1", [b"/net/icmpv6/clone 2001:db8::1!1"]),
        ("icmp!*!7", [b"/net/icmp/clone 7"]),
        ("ipmux!proto=29|3a;dst=10.0.0.1", [b"/net/ipmux/clone proto=29|3a;dst=10.0.0.1"]),
        ("gre!h!2048", [b"/net/gre/clone h!2048"]),
        ("spx!h", [b"/net/spx/clone h"]),
        ("!sys=gate", [b"sys=gate dom=gate.example", b"ip=10.9.9.9 auth=one.example"]),
        ("!ip=10.9.9.9 sys=*", [b"ip=10.9.9.9 auth=one.example", b"sys=gate dom=gate.example"]),
    ],
)
def test_replies_are_the_original_s(query: str, replies: list[bytes]) -> None:
    assert ask(query) == replies


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("tcp!web", "can't translate service"),
        ("web", "can't translate service"),
        ("tcp!web!nosuchservice", "can't translate service"),
        ("tcp!web!a b", "can't translate service"),
        ("tcp!web!65536", "can't translate service"),
        ("udp!web!9fs", "can't translate service"),
        ("icmp!web!ping", "can't translate service"),
        ("icmp!::1!1", "can't translate address"),
        ("icmpv6!1.2.3.4!1", "can't translate address"),
        ("tcp!1.2.3!80", "can't translate address"),
        ("tcp!:::!80", "can't translate address"),
        ("tcp!nobody!80", "can't translate address: dns: name does not exist"),
        ("tcp!$smtp!25", "can't translate address"),
        ("!sys", "bad query"),
        ("!", "bad query"),
        ("!sys=other", "no match"),
        ("refresh", "can't translate service"),
    ],
)
def test_refusals_have_the_exact_words(query: str, text: str) -> None:
    with pytest.raises(QueryRefused) as refusal:
        ask(query)
    assert refusal.value.text == text


def test_only_the_host_owner_may_refresh() -> None:
    names = Names()
    assert asyncio.run(Cs(names, "gate").answer("refresh", "gate")) == []
    with pytest.raises(QueryRefused):
        asyncio.run(Cs(names, "gate").answer("refresh", "glenda"))
    assert names.refreshed == 1
