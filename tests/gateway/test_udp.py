"""Datagrams between a conversation and one peer, and how it ends (docs/tree.md 10)."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from netrelay import messages as m
from netrelay.types import ORDWR, Limits
from tests.netns.lab import until
from tests.served import need

from .rawclient import RefusedError, data_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.core import Core

    from .conftest import Door, Peer, Place
    from .rawclient import RawClient

HUNGUP = r"^i/o on hungup channel$"


@pytest.fixture(autouse=True)
def _served(core: Core) -> None:
    need(core, "udp")


def connected(client: RawClient, peer: Peer) -> tuple[int, int, str]:
    """A conversation with a peer: its ctl, data and local address."""
    number, ctl, data = client.dial(peer.port, peer.host, "net/udp")
    return ctl, data, client.text(f"net/udp/{number}/local").strip()


def test_what_is_written_arrives_and_the_answer_is_read(client: RawClient, peer: Peer) -> None:
    _, data, local = connected(client, peer)
    assert client.write(data, b"question") == 8
    assert peer.receive() == (b"question", local)
    peer.send(b"answer", local)
    assert client.read(data) == b"answer"
    assert client.text("net/udp/0/remote") == f"{peer}\n"


def test_ipv6_is_the_same(client: RawClient, peers: Callable[..., Peer]) -> None:
    peer = peers("::1")
    _, data, local = connected(client, peer)
    client.write(data, b"six")
    assert peer.receive() == (b"six", local)
    peer.send(b"seven", local)
    assert client.read(data) == b"seven"


def test_nothing_parks_in_a_connect_to_nobody(client: RawClient, peer: Peer) -> None:
    peer.sock.close()
    client.dial(peer.port, protocol="net/udp")
    assert client.text("net/udp/0/status") == "Open qin 0 qout 0\n"


def test_a_read_is_one_datagram_and_a_write_another(client: RawClient, peer: Peer) -> None:
    _, data, local = connected(client, peer)
    for part in (b"one", b"", b"three"):
        peer.send(part, local)
    assert client.text("net/udp/0/status").startswith("Open qin 3 qout ")
    assert [client.read(data) for _ in range(3)] == [b"one", b"", b"three"]
    for part in (b"a", b"", b"ccc"):
        assert client.write(data, part) == len(part)
    assert [peer.receive()[0] for _ in range(3)] == [b"a", b"", b"ccc"]


def test_what_exceeds_the_count_is_discarded(client: RawClient, peer: Peer) -> None:
    _, data, local = connected(client, peer)
    peer.send(b"abcdef", local)
    peer.send(b"next", local)
    assert client.read(data, 3) == b"abc"
    assert client.read(data) == b"next"


def test_a_read_of_no_bytes_takes_no_datagram(client: RawClient, peer: Peer) -> None:
    _, data, local = connected(client, peer)
    peer.send(b"still here", local)
    assert client.read(data, 0) == b""
    assert client.read(data) == b"still here"


@pytest.mark.parametrize(("host", "most"), [("127.0.0.1", 65507), ("::1", 65527)])
def test_the_largest_datagram_goes_and_a_larger_one_is_refused(
    door: Door, peers: Callable[..., Peer], host: str, most: int
) -> None:
    client, peer = door.attach(msize=1 << 20), peers(host)
    _, data, local = connected(client, peer)
    payload = bytes(range(256)) * 257
    assert client.write(data, payload[:most]) == most
    assert peer.receive() == (payload[:most], local)
    with pytest.raises(RefusedError, match=r"^read or write too large$"):
        client.write(data, payload[: most + 1])
    peer.send(payload[:most], local)
    assert client.read(data, 1 << 17) == payload[:most]


def test_waiting_reads_are_answered_in_order_of_arrival(client: RawClient, peer: Peer) -> None:
    _, data, local = connected(client, peer)
    tags = client.park(*(m.Tread(data, 0, 9) for _ in range(3)))
    for part in (b"1", b"22", b"333"):
        peer.send(part, local)
    assert [data_of(client.wait(tag)) for tag in tags] == [b"1", b"22", b"333"]
    assert client.order[-3:] == tags


def test_every_waiting_read_hears_of_a_hangup(client: RawClient, peer: Peer) -> None:
    """More of them than one turn answers packets for."""
    ctl, data, _ = connected(client, peer)
    tags = client.park(*(m.Tread(data, 0, 9) for _ in range(300)))
    client.write(ctl, b"hangup")
    assert [data_of(client.wait(tag)) for tag in tags[:3]] == [b""] * 3
    for tag in tags[3:]:
        with pytest.raises(RefusedError, match=HUNGUP):
            client.wait(tag)


def test_a_flushed_read_takes_no_datagram(client: RawClient, peer: Peer) -> None:
    _, data, local = connected(client, peer)
    first, second = client.park(m.Tread(data, 0, 9), m.Tread(data, 0, 9))
    assert client.ask(m.Tflush(first)) == m.Rflush()
    peer.send(b"once", local)
    assert data_of(client.wait(second)) == b"once"
    assert first not in client.order


def test_waiting_reads_of_a_fid_are_bounded(place: Place, peer: Peer) -> None:
    client = place.gateway(limits=Limits(fid_reads=2)).attach()
    _, data, _ = connected(client, peer)
    client.park(*(m.Tread(data, 0, 9) for _ in range(2)))
    with pytest.raises(RefusedError, match=r"^too many requests$"):
        client.read(data)


def test_an_idle_conversation_has_no_data(client: RawClient) -> None:
    client.clone("net/udp")
    data = client.open("net/udp/0/data", ORDWR)
    for message in (m.Tread(data, 0, 1), m.Tread(data, 0, 0), m.Twrite(data, 0, b"x")):
        with pytest.raises(RefusedError, match=HUNGUP):
            client.ask(message)
    assert client.text("net/udp/0/status") == "Closed qin 0 qout 0\n"
    assert client.text("net/udp/0/local") == client.text("net/udp/0/remote") == "::!0\n"


def test_only_the_peer_is_heard(client: RawClient, peers: Callable[..., Peer]) -> None:
    peer, other = peers(), peers()
    _, data, local = connected(client, peer)
    other.send(b"intruder", local)
    peer.send(b"peer", local)
    assert client.read(data) == b"peer"


def test_a_clunk_interrupts_a_read_that_waits(client: RawClient, peer: Peer) -> None:
    _, data, _ = connected(client, peer)
    (tag,) = client.park(m.Tread(data, 0, 9))
    client.clunk(data)
    assert client.reply(tag) == m.Rerror("interrupted", 0)


def test_hangup_lets_what_has_arrived_be_read(client: RawClient, peer: Peer) -> None:
    ctl, data, local = connected(client, peer)
    for part in (b"first", b"", b"last"):
        peer.send(part, local)
    client.write(ctl, b"hangup")
    peer.send(b"too late", local)
    assert [client.read(data) for _ in range(6)] == [b"first", b"", b"last", b"", b"", b""]
    for message in (m.Tread(data, 0, 1), m.Twrite(data, 0, b"x")):
        with pytest.raises(RefusedError, match=HUNGUP):
            client.ask(message)
    assert client.text("net/udp/0/status") == "Closed qin 0 qout 0\n"
    with pytest.raises(RefusedError, match=r"^connection in use$"):
        client.write(ctl, f"connect {peer}".encode())


def test_hangup_ends_the_reads_that_wait(client: RawClient, peer: Peer) -> None:
    ctl, data, _ = connected(client, peer)
    tags = client.park(*(m.Tread(data, 0, 9) for _ in range(4)))
    client.write(ctl, b"hangup")
    assert [data_of(client.wait(tag)) for tag in tags[:3]] == [b"", b"", b""]
    with pytest.raises(RefusedError, match=HUNGUP):
        client.wait(tags[3])


def test_a_guarded_destination_leaves_the_conversation_idle(client: RawClient, peer: Peer) -> None:
    _, ctl = client.clone("net/udp")
    for address in ("169.254.169.254!80", "224.0.0.1!80", "0.0.0.0!80", "fe80::1!80"):
        with pytest.raises(RefusedError, match=r"^permission denied$"):
            client.write(ctl, f"connect {address}".encode())
    client.write(ctl, f"connect {peer}".encode())


def test_a_connect_that_the_host_refuses_is_the_end(client: RawClient, peer: Peer) -> None:
    _, ctl = client.clone("net/udp")
    refused = f"connect {peer} {peer}".encode()
    with pytest.raises(RefusedError, match=r"^address in use$"):
        client.write(ctl, refused)
    data = client.open("net/udp/0/data", ORDWR)
    for message in (m.Tread(data, 0, 1), m.Twrite(data, 0, b"x")):
        with pytest.raises(RefusedError, match=r"^address in use$"):
            client.ask(message)
    with pytest.raises(RefusedError, match=r"^connection in use$"):
        client.write(ctl, refused)


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("", "short control request"),
        ("close", "unknown control request"),
        ("keepalive", "unknown control request"),
        ("shutdown write", "unknown control request"),
        ("connect", "bad args to connect"),
        ("connect 127.0.0.1", "malformed address"),
        ("connect x!1", "bad ip address syntax"),
        ("connect 127.0.0.1!http", "bad numeric port"),
        ("announce *!*", "permission denied"),
        ("announce 240.0.0.1!0", "not a local IP address"),
        ("bind 240.0.0.1!0", "not a local IP address"),
        ("ttl x", "bad args to ttl"),
        ("addmulti", "addmulti needs interface address"),
        ("delmulti", "delmulti needs interface address"),
        ("remmulti", "delmulti needs interface address"),
        ("addmulti lo 224.0.0.77", "bad ip address syntax"),
        ("addmulti 127.0.0.1 lo", "bad ip address syntax"),
        ("addmulti 127.0.0.1", "addmulti for a non multicast address"),
        ("addmulti 127.0.0.1 127.0.0.1", "addmulti for a non multicast address"),
        ("delmulti 127.0.0.1", "addmulti for a non multicast address"),
        ("addmulti ::1 224.0.0.77", "incompatible multicast/interface ip address"),
        ("addmulti 240.0.0.1 224.0.0.77", "not a local IP address"),
        ("addmulti 2001:db8::1 ff02::77", "not a local IP address"),
    ],
)
def test_a_refused_command_changes_nothing(
    client: RawClient, peer: Peer, command: str, text: str
) -> None:
    _, ctl = client.clone("net/udp")
    with pytest.raises(RefusedError, match=f"^{text}$"):
        client.write(ctl, command.encode())
    client.write(ctl, f"connect {peer}".encode())


def test_a_bound_address_is_where_a_later_connect_comes_from(client: RawClient, peer: Peer) -> None:
    _, ctl = client.clone("net/udp")
    client.write(ctl, b"bind 127.0.0.7!0!r")
    assert client.text("net/udp/0/local") == "127.0.0.7!0\n"
    client.write(ctl, f"connect {peer}".encode())
    host, _, port = client.text("net/udp/0/local").strip().partition("!")
    assert host == "127.0.0.7"
    assert 600 <= int(port) < 1024


def test_ttl_and_tos_are_in_what_is_sent(client: RawClient, peer: Peer) -> None:
    peer.sock.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    ip_recvttl = 12  # linux/in.h
    peer.sock.setsockopt(socket.IPPROTO_IP, ip_recvttl, 1)
    _, ctl = client.clone("net/udp")
    client.write(ctl, b"ttl 7")
    client.write(ctl, f"connect {peer}".encode())
    client.write(ctl, b"tos 16")
    client.write(client.open("net/udp/0/data", ORDWR), b"x")
    _, beside, _, _ = peer.sock.recvmsg(10, 100)
    told = {kind: value[0] for _, kind, value in beside}
    assert (told[socket.IP_TTL], told[socket.IP_TOS]) == (7, 16)


def test_tos_is_ipv6s_traffic_class(client: RawClient, peers: Callable[..., Peer]) -> None:
    peer = peers("::1")
    peer.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
    ctl, data, _ = connected(client, peer)
    client.write(ctl, b"tos 32")
    client.write(data, b"x")
    _, beside, _, _ = peer.sock.recvmsg(10, 100)
    assert [value[0] for _, _, value in beside] == [32]


def test_numbers_are_given_out_again(client: RawClient, peer: Peer) -> None:
    ctl, data, _ = connected(client, peer)
    assert client.clone("net/udp")[0] == 1
    for fid in (ctl, data):
        client.clunk(fid)
    assert client.clone("net/udp")[0] == 0
    assert client.names("net/udp") == ["0", "1", "clone", "stats"]


def test_conversations_are_limited_apart_from_tcps(place: Place) -> None:
    client = place.gateway(limits=Limits(conversations=1)).attach()
    client.clone("net/tcp")
    client.clone("net/udp")
    with pytest.raises(RefusedError, match=r"^no free devices$"):
        client.clone("net/udp")


def test_a_conversation_is_its_users_own(door: Door, peer: Peer) -> None:
    connected(door.attach(), peer)
    with pytest.raises(RefusedError, match=r"^permission denied$"):
        door.attach("ken").open("net/udp/0/data", ORDWR)


def test_stats_are_the_hosts_of_both_families(
    client: RawClient, peers: Callable[..., Peer]
) -> None:
    names = ["InDatagrams", "NoPorts", "InErrors", "OutDatagrams"]

    def counts() -> list[int]:
        lines = [line.split(": ") for line in client.text("net/udp/stats").splitlines()]
        assert [name for name, _ in lines] == names
        return [int(count) for _, count in lines]

    before = counts()
    for host in ("127.0.0.1", "::1"):
        peer = peers(host)
        number, _, data = client.dial(peer.port, peer.host, "net/udp")
        client.write(data, b"counted")
        peer.send(peer.receive()[0], client.text(f"net/udp/{number}/local"))
        client.read(data)
    assert counts()[3] >= before[3] + 4


def test_the_log_tells_of_udp_by_its_name(client: RawClient, peer: Peer) -> None:
    log = client.open("net/log", ORDWR)
    client.write(log, b"set udp")
    ctl, _, _ = connected(client, peer)
    client.write(ctl, b"hangup")
    client.clone("net/tcp")
    assert client.read(log) == f"udp 0 connect {peer}\nudp 0 hangup\n".encode()


def test_a_session_that_vanishes_gives_its_ports_back(place: Place, peer: Peer) -> None:
    client = place.gateway().attach()
    _, _, local = connected(client, peer)
    number, _, port = client.announce(protocol="net/udp")
    peer.send(b"call", f"127.0.0.1!{port}")
    client.call(number)
    client.close()
    until(lambda: not place.gateways[0].stats()["conversations"], "the end of its conversations")
    for each in (port, int(local.rpartition("!")[2])):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind(("127.0.0.1", each))


def test_a_client_that_reads_no_replies_takes_no_datagrams(place: Place, peer: Peer) -> None:
    door = place.gateway(limits=Limits(session_unread_bytes=1 << 16))
    stuck = door.attach()
    _, data, local = connected(stuck, peer)
    tags = stuck.send(*(m.Tread(data, 0, 60_000) for _ in range(400)))
    other = door.attach("gate")

    def waiting() -> bool:
        peer.send(bytes(50_000), local)
        return int(other.text("net/udp/0/status").split()[2]) > 0

    until(waiting, "a datagram that stays with the host")
    assert len(data_of(stuck.wait(tags[0]))) == 50_000
