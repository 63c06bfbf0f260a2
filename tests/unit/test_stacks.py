"""Stacks by their texts, and names as a stack sees them."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, cast

import dns.asyncresolver
import dns.message
import dns.rrset
import pytest

from netrelay.errors import NetError, UsageError
from netrelay.gateway.grants import check_grants
from netrelay.names.cs import Cs
from netrelay.names.dnssockets import StackBackend
from netrelay.names.resolver import LookupRefused
from netrelay.names.stackdns import StackResolver, resolvers
from netrelay.stacks import StackSockets, check_stacks, parse_stack
from netrelay.types import StackConfig

if TYPE_CHECKING:
    from pathlib import Path

ALT = StackConfig("alt", "addr", "127.0.0.2")


def test_a_stack_is_a_name_a_kind_and_a_value() -> None:
    assert parse_stack("alt=addr:2001:db8::1") == StackConfig("alt", "addr", "2001:db8::1")
    assert parse_stack("a_-1=netns:/proc/1/ns/net") == StackConfig(
        "a_-1", "netns", "/proc/1/ns/net"
    )


@pytest.mark.parametrize(
    "text",
    [
        "alt", "alt=", "alt=dev", "alt=dev:", "alt=vrf:x", "=dev:x", "Alt=dev:x", "a.b=dev:x",
        "a/b=dev:x", f"{'a' * 33}=dev:x",
    ],
)  # fmt: skip
def test_what_is_no_stack_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a stack"):
        parse_stack(text)


def test_no_two_stacks_have_one_name_and_there_are_32_at_most() -> None:
    with pytest.raises(UsageError, match="two stacks are called alt"):
        check_stacks((ALT, ALT))
    with pytest.raises(UsageError, match="33 stacks are more than 32"):
        check_stacks(tuple(ALT._replace(name=str(number)) for number in range(33)))


def test_an_unknown_grant_is_refused_by_name() -> None:
    check_grants(("arp", "iproute"))
    with pytest.raises(UsageError, match="no grant is called 'root': there are arp, "):
        check_grants(("root",))


def test_a_refused_stack_leaves_no_resolver_open() -> None:
    with pytest.raises(NetError, match="stack gone: netns no-such-namespace: No such file"):
        resolvers((ALT, StackConfig("gone", "netns", "no-such-namespace")))
    with pytest.raises(UsageError, match="stack x: not an address: 'localhost'"):
        resolvers((StackConfig("x", "addr", "localhost"),))


class StaticResolver(StackResolver):
    """One with a hosts file of the test's and no DNS."""

    def __init__(self, hosts: Path) -> None:
        super().__init__(ALT)
        self._hosts = hosts

    def _file(self, name: str) -> Path:
        return self._hosts


def test_a_stacks_cs_answers_in_the_stack_and_in_its_family(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("# none\n127.0.0.9 Box.example box # the box\n::9 box\n")
    resolver = StaticResolver(hosts)
    try:
        cs = Cs(resolver, "gate", netdir="/net.alt")
        replies = asyncio.run(cs.answer("tcp!BOX!80", "glenda"))
        assert replies == [b"/net.alt/tcp/clone 127.0.0.9!80"]
        with pytest.raises(LookupRefused):
            asyncio.run(resolver.addresses("box", socket.AF_INET6))
    finally:
        resolver.close()


@pytest.mark.parametrize("stream", [False, True])
def test_dns_is_asked_from_the_stacks_own_address(stream: bool) -> None:
    async def ask() -> tuple[list[str], str]:
        came_from: list[str] = []

        def reply_to(query: bytes, peer: tuple[str, int]) -> bytes:
            came_from.append(peer[0])
            asked = dns.message.from_wire(query)
            reply = dns.message.make_response(asked)
            reply.answer.append(dns.rrset.from_text(asked.question[0].name, 60, "IN", "TXT", "hi"))
            return reply.to_wire()

        class Datagrams(asyncio.DatagramProtocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                self.transport = cast("asyncio.DatagramTransport", transport)

            def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
                self.transport.sendto(reply_to(data, addr), addr)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            size = int.from_bytes(await reader.readexactly(2), "big")
            reply = reply_to(await reader.readexactly(size), writer.get_extra_info("peername"))
            writer.write(len(reply).to_bytes(2, "big") + reply)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        where = server.sockets[0].getsockname()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Datagrams, local_addr=where)
        sockets = StackSockets(ALT)
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [where[0]], where[1]
        try:
            answer = await resolver.resolve(
                "a.example.", "TXT", tcp=stream, backend=StackBackend(sockets)
            )
        finally:
            sockets.close()
            transport.close()
            server.close()
        return came_from, answer[0].to_text()

    assert asyncio.run(ask()) == (["127.0.0.2"], '"hi"')
