"""DNS over an imported udp: queries and answers of a library that knows nothing of files."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from netrelay import messages as m
from tests.served import need

from .rawclient import data_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netrelay.core import Core

    from .conftest import Peer
    from .rawclient import RawClient

# As many as a resolver would ask at once; the server answers them in reverse.
AT_ONCE = 8
# More than a datagram of old may hold: it needs EDNS, and fragments on a real Ethernet.
LARGE = 3000


@pytest.fixture(autouse=True)
def _served(core: Core) -> None:
    need(core, "udp")


def answer(wire: bytes) -> bytes:
    """What the server says to a query."""
    query = dns.message.from_wire(wire)
    response = dns.message.make_response(query)
    response.flags |= dns.flags.AA
    name = query.question[0].name
    words = str(name).split(".")
    match words[0]:
        case "host":
            response.answer.append(dns.rrset.from_text(name, 60, "IN", "A", f"10.0.0.{words[1]}"))
        case "large":
            texts = [f'"{count:03}{"x" * 247}"' for count in range(LARGE // 250)]
            response.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *texts))
        case _:
            response.set_rcode(dns.rcode.NXDOMAIN)
    return response.to_wire()


@pytest.fixture(params=["127.0.0.1", "::1"])
def server(request: pytest.FixtureRequest, peers: Callable[..., Peer]) -> Iterator[Peer]:
    """A name server, which collects queries that begin with `host` before it answers them."""
    peer = peers(request.param)

    def serve() -> None:
        held: list[tuple[bytes, str]] = []
        while True:
            query, client = peer.receive()
            if not query:
                return
            held.append((answer(query), client))
            if b"\4host" not in query or len(held) == AT_ONCE:
                for wire, asker in reversed(held):
                    peer.send(wire, asker)
                held.clear()

    thread = threading.Thread(target=serve)
    thread.start()
    yield peer
    peer.sock.sendto(b"", (peer.host, peer.port))
    thread.join()


def test_names_are_resolved_over_a_conversation(client: RawClient, server: Peer) -> None:
    _, _, data = client.dial(server.port, server.host, "net/udp")

    large = dns.message.make_query("large.example.", "TXT", use_edns=0, payload=4096)
    client.write(data, large.to_wire())
    response = dns.message.from_wire(client.read(data))
    assert large.is_response(response)
    assert len(response.to_wire()) > LARGE

    unknown = dns.message.make_query("nobody.example.", "A")
    client.write(data, unknown.to_wire())
    assert dns.message.from_wire(client.read(data)).rcode() == dns.rcode.NXDOMAIN

    queries = {
        count: dns.message.make_query(f"host.{count}.", "A", id=count) for count in range(AT_ONCE)
    }
    reads = client.park(*(m.Tread(data, 0, 4096) for _ in queries))
    for query in queries.values():
        client.write(data, query.to_wire())
    answers = [dns.message.from_wire(data_of(client.wait(tag))) for tag in reads]
    assert [reply.id for reply in answers] == list(reversed(queries))
    for reply in answers:
        query = queries[reply.id]
        assert query.is_response(reply)
        assert reply.answer[0].to_text().endswith(f" 10.0.0.{reply.id}")
