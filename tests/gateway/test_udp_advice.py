"""What ICMP says of a conversation's datagrams, in the original's words (docs/tree.md 10)."""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from netrelay import messages as m
from netrelay.types import ORDWR, Dialect
from tests.netns.lab import until
from tests.served import need

from .rawclient import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.core import Core

    from .conftest import Door, Peer
    from .rawclient import RawClient

TEXTS = [
    (3, 0, "net unreachable", 101),
    (3, 1, "host unreachable", 113),
    (3, 2, "protocol unreachable", 92),
    (3, 3, "port unreachable", 111),
    (3, 5, "source route failed", 95),
    (3, 6, "destination network unknown", 101),
    (3, 7, "destination host unknown", 112),
    (3, 8, "source host isolated", 64),
    (3, 9, "network administratively prohibited", 101),
    (3, 10, "host administratively prohibited", 113),
    (3, 11, "network unreachable for tos", 101),
    (3, 12, "host unreachable for tos", 113),
    (3, 13, "communication administratively prohibited", 113),
    (3, 14, "host precedence violation", 113),
    (3, 15, "precedence cutoff in effect", 113),
    (11, 0, "ttl exceeded at 127.0.0.1", 113),
]
TEXTS_V6 = [
    (1, 0, "no route to destination", 101),
    (1, 1, "comm with destination administratively prohibited", 113),
    (1, 2, "beyond scope of source address", 113),
    (1, 3, "address unreachable", 113),
    (1, 4, "port unreachable", 111),
    (1, 5, "source address failed ingress/egress policy", 113),
    (1, 6, "reject route to destination", 113),
    (1, 9, "icmp unreachable: unknown code", 113),
    (3, 0, "ttl exceeded at ::1", 113),
    (3, 1, "frag time exceeded at ::1", 113),
]
# Fragmentation needed (of a length that changes nothing), reassembly that took too long, parameter
# problem, packet too big.
NO_ADVICE = [
    ("127.0.0.1", 3, 4),
    ("127.0.0.1", 11, 1),
    ("127.0.0.1", 12, 0),
    ("::1", 2, 0),
    ("::1", 4, 0),
]
LARGE = 65535


@pytest.fixture(autouse=True)
def _served(core: Core) -> None:
    need(core, "udp")


def checksum(data: bytes) -> int:
    """Of the Internet (RFC 1071), of an even number of bytes."""
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def speak(peer: Peer, local: str, type_: int, code: int) -> None:
    """ICMP about a datagram from `local` to the peer."""
    if os.geteuid() != 0:
        pytest.skip("only root may make ICMP messages")
    host, _, port = local.partition("!")
    udp = struct.pack(">HHHH", int(port), peer.port, 8, 0)
    if ":" in host:
        ends = socket.inet_pton(socket.AF_INET6, host) * 2
        about = struct.pack(">IHBB", 6 << 28, len(udp), socket.IPPROTO_UDP, 64) + ends + udp
        kind, protocol = socket.AF_INET6, socket.getprotobyname("ipv6-icmp")
        message = struct.pack(">BBHI", type_, code, 0, LARGE) + about
    else:
        ends = socket.inet_aton(host) * 2
        head = struct.pack(">BBHHHBBH", 0x45, 0, 28, 0, 0, 64, socket.IPPROTO_UDP, 0)
        kind, protocol = socket.AF_INET, socket.IPPROTO_ICMP
        rest = struct.pack(">HH", 0, LARGE) + head + ends + udp
        message = struct.pack(">BBH", type_, code, 0) + rest
        message = struct.pack(">BBH", type_, code, checksum(message)) + rest
    with socket.socket(kind, socket.SOCK_RAW, protocol) as raw:
        raw.sendto(message, (host, 0))


def connected(client: RawClient, peer: Peer) -> tuple[int, int, str]:
    """A conversation with a peer: its ctl, data and local address."""
    number, ctl, data = client.dial(peer.port, peer.host, "net/udp")
    return ctl, data, client.text(f"net/udp/{number}/local").strip()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_where_nobody_listens_is_unreachable(
    client: RawClient, peers: Callable[..., Peer], host: str
) -> None:
    peer = peers(host)
    _, data, local = connected(client, peer)
    peer.send(b"last words", local)
    peer.sock.close()
    assert client.write(data, b"anybody?") == 8
    assert client.read(data) == b"last words"
    for message in (m.Tread(data, 0, 9), m.Twrite(data, 0, b"x"), m.Tread(data, 0, 9)):
        with pytest.raises(RefusedError, match=r"^port unreachable$"):
            client.ask(message)
    assert client.text("net/udp/0/status") == "Closed qin 0 qout 0\n"


def test_it_is_noticed_without_a_reader_too(client: RawClient, peer: Peer) -> None:
    _, data, _ = connected(client, peer)
    peer.sock.close()
    client.write(data, b"anybody?")
    until(lambda: client.text("net/udp/0/status").startswith("Closed "), "advice")
    with pytest.raises(RefusedError, match=r"^port unreachable$"):
        client.write(data, b"x")


def test_a_writer_alone_notices_it(client: RawClient, peer: Peer) -> None:
    _, data, _ = connected(client, peer)
    peer.sock.close()

    def refused() -> bool:
        try:
            client.write(data, b"anybody?")
        except RefusedError as why:
            assert str(why) == "port unreachable"
            return True
        return False

    until(refused, "advice")


def test_a_hangup_after_it_changes_nothing(client: RawClient, peer: Peer) -> None:
    ctl, data, _ = connected(client, peer)
    peer.sock.close()
    client.write(data, b"anybody?")
    until(lambda: client.text("net/udp/0/status").startswith("Closed "), "advice")
    client.write(ctl, b"hangup")
    with pytest.raises(RefusedError, match=r"^port unreachable$"):
        client.read(data)


def test_ignored_advice_ends_nothing_and_loses_no_datagram(client: RawClient, peer: Peer) -> None:
    ctl, data, local = connected(client, peer)
    client.write(ctl, b"ignoreadvice")
    peer.sock.close()
    for _ in range(3):
        assert client.write(data, b"anybody?") == 8
    (tag,) = client.park(m.Tread(data, 0, 9))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(("127.0.0.1", peer.port))
        again.settimeout(10)
        for word in (b"one", b"two"):
            client.write(data, word)
            assert again.recv(10) == word
        host, _, port = local.partition("!")
        again.sendto(b"back", (host, int(port)))
        client.wait(tag)
    assert client.text("net/udp/0/status").startswith("Open ")


@pytest.mark.parametrize(
    ("host", "said"),
    [*(("127.0.0.1", said) for said in TEXTS), *(("::1", said) for said in TEXTS_V6)],
)
def test_each_message_has_its_text_and_errno(
    door: Door, peers: Callable[..., Peer], host: str, said: tuple[int, int, str, int]
) -> None:
    client, peer = door.attach(dialect=Dialect.U), peers(host)
    type_, code, text, errno = said
    _, data, local = connected(client, peer)
    (tag,) = client.park(m.Tread(data, 0, 9))
    speak(peer, local, type_, code)
    with pytest.raises(RefusedError, match=f"^{text}$") as refused:
        client.wait(tag)
    assert refused.value.errno == errno


@pytest.mark.parametrize(("host", "type_", "code"), NO_ADVICE)
def test_what_is_no_advice_ends_nothing(
    client: RawClient, peers: Callable[..., Peer], host: str, type_: int, code: int
) -> None:
    peer = peers(host)
    _, data, local = connected(client, peer)
    client.park(m.Tread(data, 0, 9))
    speak(peer, local, type_, code)
    assert client.write(data, b"still here") == 10
    assert peer.receive()[0] == b"still here"
    assert client.text("net/udp/0/status").startswith("Open ")


def test_an_announced_conversation_takes_no_advice(client: RawClient, peer: Peer) -> None:
    number, ctl, port = client.announce(protocol="net/udp")
    client.write(ctl, b"headers")
    data = client.open(f"net/udp/{number}/data", ORDWR)
    mapped = bytes(10) + b"\xff\xff" + socket.inet_aton("127.0.0.1")
    peer.sock.close()
    for _ in range(3):
        to = mapped + bytes(32) + struct.pack(">HH", peer.port, 0)
        assert client.write(data, to + b"anybody?") == 60
    client.park(m.Tread(data, 0, 9))
    assert client.text(f"net/udp/{number}/status").startswith("Open ")
    assert client.text(f"net/udp/{number}/local") == f"127.0.0.1!{port}\n"
