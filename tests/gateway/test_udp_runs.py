"""Datagrams that are written together: what the host takes at once arrives as it was written."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from netrelay import messages as m
from netrelay.types import ORDWR
from tests.served import need

from .hosts import OTHER, OTHER6, hosts
from .rawclient import PATIENCE_S, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netrelay.core import Core

    from .conftest import Door, Peer, Place
    from .hosts import Hosts
    from .rawclient import RawClient


@pytest.fixture(autouse=True)
def _served(core: Core) -> None:
    need(core, "udp")


@pytest.fixture
def wired() -> Iterator[Hosts]:
    """Two hosts; the network of one is the gateway's `/net.alt`."""
    with hosts() as made:
        yield made


def numbered(count: int, size: int) -> list[bytes]:
    """Datagrams of one size that can be told apart."""
    return [number.to_bytes(2, "big") * (size // 2) for number in range(count)]


def write_all(client: RawClient, *writes: m.Twrite) -> None:
    """All at once; each is answered by itself and in order."""
    tags = client.send(*writes)
    for tag, write in zip(tags, writes, strict=True):
        assert client.wait(tag) == m.Rwrite(len(write.data))
    assert client.order[-len(tags) :] == tags


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize(("count", "size"), [(150, 64), (2, 2), (9, 20_000)])
def test_each_of_one_size_arrives_by_itself(
    door: Door, peers: Callable[..., Peer], host: str, count: int, size: int
) -> None:
    client, peer = door.attach(msize=1 << 20), peers(host)
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 19)
    _, _, data = client.dial(peer.port, host, "net/udp")
    texts = numbered(count, size)
    # A few at a time, as the peer's queue may hold no more of the large ones.
    for begin in range(0, count, 150 if size < 1000 else 3):
        some = texts[begin:][: 150 if size < 1000 else 3]
        write_all(client, *(m.Twrite(data, 0, text) for text in some))
        assert [peer.receive()[0] for _ in some] == some
    assert door.core.stats()["bytes_up"] == count * size
    assert door.core.stats()["dropped"] == 0


def test_sizes_and_conversations_may_change_within(
    client: RawClient, peers: Callable[..., Peer]
) -> None:
    one, two = peers(), peers()
    _, _, first = client.dial(one.port, protocol="net/udp")
    _, _, second = client.dial(two.port, protocol="net/udp")
    texts = [b"aa", b"bb", b"cc", b"d", b"", b"", b"ee", b"ff"]
    writes = [m.Twrite(first, 0, text) for text in texts]
    writes[2:2] = [m.Twrite(second, 0, text) for text in (b"xx", b"yy", b"z")]
    write_all(client, *writes)
    assert [one.receive()[0] for _ in texts] == texts
    assert [two.receive()[0] for _ in range(3)] == [b"xx", b"yy", b"z"]


def test_a_request_between_is_served_in_its_turn(client: RawClient, peer: Peer) -> None:
    _, ctl, data = client.dial(peer.port, protocol="net/udp")
    twrite = m.Twrite(data, 0, b"data")
    tags = client.send(twrite, twrite, m.Twrite(ctl, 0, b"hangup"), twrite, twrite)
    assert [client.wait(tag) for tag in tags[:2]] == [m.Rwrite(4)] * 2
    assert client.wait(tags[2]) == m.Rwrite(6)
    for tag in tags[3:]:
        with pytest.raises(RefusedError, match=r"^i/o on hungup channel$"):
            client.wait(tag)
    assert [peer.receive()[0] for _ in range(2)] == [b"data"] * 2


def test_advice_refuses_each(client: RawClient, peer: Peer) -> None:
    peer.sock.close()
    _, _, data = client.dial(peer.port, protocol="net/udp")
    client.write(data, b"lost")
    for tag in client.send(*(m.Twrite(data, 0, b"late") for _ in range(3))):
        with pytest.raises(RefusedError, match=r"^port unreachable$"):
            client.wait(tag)


def test_advice_that_is_ignored_refuses_none(client: RawClient, peer: Peer) -> None:
    peer.sock.close()
    _, ctl, data = client.dial(peer.port, protocol="net/udp")
    client.write(ctl, b"ignoreadvice")
    for _ in range(3):
        write_all(client, *(m.Twrite(data, 0, b"lost") for _ in range(3)))


def test_headers_say_where_each_goes(client: RawClient, peers: Callable[..., Peer]) -> None:
    one, two = peers(), peers()
    number, ctl, _ = client.announce(protocol="net/udp")
    client.write(ctl, b"headers")
    data = client.open(f"net/udp/{number}/data", ORDWR)
    loopback = bytes(10) + b"\xff\xff\x7f\0\0\1"
    texts = [
        loopback + bytes(32) + peer.port.to_bytes(2, "big") + bytes(2) + b"data"
        for peer in (one, two, one)
    ]
    write_all(client, *(m.Twrite(data, 0, text) for text in texts))
    assert [peer.receive()[0] for peer in (one, two, one)] == [b"data"] * 3


@pytest.mark.netns
@pytest.mark.parametrize("there", [OTHER, OTHER6])
def test_on_a_wire_those_that_fit_and_those_that_do_not(
    place: Place, wired: Hosts, there: str
) -> None:
    """Datagrams above the wire's MTU can't be kept together: each goes in fragments of its own."""
    client = wired.gateway(place).attach()
    with wired.other.inside():
        peer = socket.socket(socket.AF_INET6 if ":" in there else socket.AF_INET, socket.SOCK_DGRAM)
    with peer:
        peer.settimeout(PATIENCE_S)
        peer.bind((there, 0))
        _, _, data = client.dial(peer.getsockname()[1], there, "net.alt/udp")
        for size in (1400, 3000, 1400):
            texts = numbered(20, size)
            write_all(client, *(m.Twrite(data, 0, text) for text in texts))
            assert [peer.recv(4096) for _ in texts] == texts
