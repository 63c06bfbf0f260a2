"""Everybody's datagrams at one data file, each behind its addresses; groups (docs/tree.md 10)."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import struct
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from netrelay import messages as m
from netrelay import netns
from netrelay.types import ORDWR, StackConfig
from tests.served import need

from .conftest import Peer
from .rawclient import RefusedError, data_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netrelay.core import Core

    from .conftest import Place
    from .rawclient import RawClient

SIZE = 52
# Of this process alone: Linux gives a group's datagrams to sockets that have not joined it, too,
# while anybody on the machine has.
GROUP = f"239.77.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"


@pytest.fixture(autouse=True)
def _served(core: Core) -> None:
    need(core, "udp")


class Headed(NamedTuple):
    """A datagram behind its addresses, in words."""

    remote: str
    local: str
    here: str
    ports: tuple[int, int]
    data: bytes


def packed(ip: str) -> bytes:
    """An address in 16 bytes."""
    return ipaddress.IPv6Address(f"::ffff:{ip}" if "." in ip else ip).packed


def printed(data: bytes) -> str:
    """The address in 16 bytes."""
    ip = ipaddress.IPv6Address(data)
    return str(ip.ipv4_mapped or ip)


def head(to: str, port: int, *sources: str) -> bytes:
    """What goes before a datagram to be sent."""
    first, second = (*sources, "::", "::")[:2]
    return packed(to) + packed(first) + packed(second) + struct.pack(">HH", port, 9999)


def parsed(data: bytes) -> Headed:
    """What came before a datagram."""
    first, second, third = (printed(data[at : at + 16]) for at in (0, 16, 32))
    return Headed(first, second, third, struct.unpack(">HH", data[48:SIZE]), data[SIZE:])


def headed(client: RawClient, spec: str = "*!0", net: str = "net") -> tuple[int, int, int]:
    """An announced conversation with headers: its ctl, data and port."""
    number, ctl, port = client.announce(spec, f"{net}/udp")
    client.write(ctl, b"headers")
    return ctl, client.open(f"{net}/udp/{number}/data", ORDWR), port


@pytest.mark.parametrize("host", ["127.0.0.5", "::1"])
def test_datagrams_come_and_go_with_their_addresses(
    client: RawClient, peers: Callable[..., Peer], host: str
) -> None:
    _, data, port = headed(client)
    peer = peers(host.replace("5", "1"))
    peer.send(b"question", f"{host}!{port}")
    peer.send(b"", f"{host}!{port}")
    question = client.read(data)
    assert parsed(question) == (peer.host, host, host, (peer.port, port), b"question")
    assert parsed(client.read(data)).data == b""
    answer = question[:SIZE] + b"answer"
    assert client.write(data, answer) == len(answer)
    assert peer.receive() == (b"answer", f"{host}!{port}")
    client.write(data, question[:SIZE])
    assert peer.receive() == (b"", f"{host}!{port}")


@pytest.mark.parametrize(
    ("sources", "source"),
    [
        (("127.0.0.8", "127.0.0.9"), "127.0.0.8"),
        (("224.0.0.1", "127.0.0.9"), "127.0.0.9"),
        (("127.255.255.255", "127.0.0.9"), "127.0.0.9"),
        (("198.51.100.1", "127.0.0.9"), "127.0.0.9"),
        (("::1", "127.0.0.9"), "127.0.0.9"),
        (("::", "::"), "127.0.0.1"),
        (("198.51.100.1", "198.51.100.2"), "127.0.0.1"),
    ],
)
@pytest.mark.parametrize("spec", ["*!0", "127.0.0.1!0"])
def test_the_source_is_the_first_that_the_stack_has(
    client: RawClient, peer: Peer, spec: str, sources: tuple[str, str], source: str
) -> None:
    _, data, port = headed(client, spec)
    client.write(data, head("127.0.0.1", peer.port, *sources) + b"x")
    assert peer.receive() == (b"x", f"{source}!{port}")


def test_sources_of_ipv6_are_chosen_alike(client: RawClient, peers: Callable[..., Peer]) -> None:
    peer = peers("::1")
    _, data, port = headed(client)
    for sources in (("ff02::1", "::1"), ("2001:db8::1", "2001:db8::2")):
        client.write(data, head("::1", peer.port, *sources) + b"x")
        assert peer.receive() == (b"x", f"::1!{port}")


def test_the_destination_is_guarded_as_a_connect_is(client: RawClient) -> None:
    _, data, _ = headed(client)
    for to in ("169.254.169.254", GROUP, "ff02::1", "::", "::ffff:0:0", "fd00:ec2::254"):
        with pytest.raises(RefusedError, match=r"^permission denied$"):
            client.write(data, head(to, 80) + b"x")


def test_a_family_that_the_socket_lacks_has_no_route(client: RawClient) -> None:
    for spec, to in (("127.0.0.1!0", "::1"), ("::1!0", "127.0.0.1")):
        _, data, _ = headed(client, spec)
        with pytest.raises(RefusedError, match=r"^no route$"):
            client.write(data, head(to, 80) + b"x")


def test_a_datagram_without_room_for_addresses_is_dropped(place: Place) -> None:
    client = place.gateway().attach()
    _, data, _ = headed(client)
    assert client.write(data, bytes(SIZE - 1)) == SIZE - 1
    assert client.write(data, b"") == 0
    assert place.gateways[0].stats()["dropped"] == 2


def test_a_datagram_that_is_too_large_is_refused(place: Place) -> None:
    client = place.gateway().attach(msize=1 << 20)
    _, data, _ = headed(client, "127.0.0.1!0")
    with pytest.raises(RefusedError, match=r"^read or write too large$"):
        client.write(data, head("127.0.0.1", 80) + bytes(65508))


def test_the_largest_datagram_fits_in_a_message_behind_its_addresses(
    place: Place, peer: Peer
) -> None:
    client = place.gateway().attach(msize=1 << 20)
    _, data, port = headed(client)
    largest = bytes(range(256)) * 255 + bytes(227)
    assert client.write(data, head("127.0.0.1", peer.port) + largest) == SIZE + 65507
    assert peer.receive()[0] == largest
    peer.send(largest, f"127.0.0.1!{port}")
    assert parsed(client.read(data, 1 << 17)).data == largest


def test_what_exceeds_the_count_is_discarded(client: RawClient, peer: Peer) -> None:
    _, data, port = headed(client)
    for part in (b"abcdef", b"next", b"last"):
        peer.send(part, f"127.0.0.1!{port}")
    assert parsed(client.read(data, SIZE + 3)).data == b"abc"
    assert client.read(data, 16) == packed("127.0.0.1")
    assert parsed(client.read(data)).data == b"last"


def test_headers_before_the_announcement_are_headers_after_it(
    client: RawClient, peer: Peer
) -> None:
    _, ctl = client.clone("net/udp")
    client.write(ctl, b"headers 7 whatever")
    client.write(ctl, b"announce 127.0.0.1!0")
    data = client.open("net/udp/0/data", ORDWR)
    peer.send(b"x", client.text("net/udp/0/local"))
    assert parsed(client.read(data)).data == b"x"


def test_headers_mean_nothing_to_a_connected_conversation(client: RawClient, peer: Peer) -> None:
    _, ctl, data = client.dial(peer.port, protocol="net/udp")
    client.write(ctl, b"headers")
    client.write(data, b"plain")
    said, local = peer.receive()
    assert said == b"plain"
    peer.send(b"too", local)
    assert client.read(data) == b"too"


def test_headers_serve_the_reads_and_not_the_listens(client: RawClient, peer: Peer) -> None:
    number, ctl, port = client.announce(protocol="net/udp")
    data = client.open(f"net/udp/{number}/data", ORDWR)
    listen = client.walk(f"net/udp/{number}/listen")
    (read,) = client.park(m.Tread(data, 0, 100))
    peer.send(b"first", f"127.0.0.1!{port}")
    client.write(ctl, b"headers")
    assert parsed(data_of(client.wait(read))).data == b"first"
    client.park(m.Topen(listen, ORDWR))
    peer.send(b"second", f"127.0.0.1!{port}")
    assert parsed(client.read(data)).data == b"second"
    client.park()


def test_what_was_looked_through_for_listens_is_read_first(
    client: RawClient, peers: Callable[..., Peer]
) -> None:
    number, ctl, port = client.announce(protocol="net/udp")
    senders = [peers() for _ in range(3)]
    for count, sender in enumerate(senders):
        sender.send(b"%d" % count, f"127.0.0.1!{port}")
    _, _, called = client.call(number)
    client.write(ctl, b"headers")
    senders[2].send(b"3", f"127.0.0.1!{port}")
    data = client.open(f"net/udp/{number}/data", ORDWR)
    assert [parsed(client.read(data)).data for _ in range(3)] == [b"1", b"2", b"3"]
    assert client.read(called) == b"0"


def test_hangup_lets_what_has_arrived_be_read_behind_its_addresses(
    client: RawClient, peer: Peer
) -> None:
    ctl, data, port = headed(client)
    peer.send(b"last", f"127.0.0.1!{port}")
    client.write(ctl, b"hangup")
    assert parsed(client.read(data)) == (
        peer.host,
        "127.0.0.1",
        "127.0.0.1",
        (peer.port, port),
        b"last",
    )
    assert [client.read(data) for _ in range(3)] == [b"", b"", b""]


# groups


def test_a_group_is_joined_and_left(place: Place, peer: Peer) -> None:
    client = place.gateway(allow_dial=("127.0.0.0/8", "224.0.0.0/4")).attach()
    peer.sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
    ctl, data, port = headed(client)
    for _ in range(2):
        client.write(ctl, f"addmulti 127.0.0.1 {GROUP}".encode())
    peer.send(b"to the group", f"{GROUP}!{port}")
    got = parsed(client.read(data))
    assert got == (peer.host, GROUP, "127.0.0.1", (peer.port, port), b"to the group")
    for _ in range(2):
        client.write(ctl, f"delmulti 127.0.0.1 {GROUP}".encode())
    peer.send(b"to nobody", f"{GROUP}!{port}")
    peer.send(b"to us", f"127.0.0.1!{port}")
    assert parsed(client.read(data)).data == b"to us"


def test_a_group_is_remembered_for_the_socket(client: RawClient, peer: Peer) -> None:
    peer.sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
    number, ctl = client.clone("net/udp")
    client.write(ctl, f"addmulti 127.0.0.1 {GROUP} and more".encode())
    client.write(ctl, f"announce {GROUP}!0".encode())
    local = client.text(f"net/udp/{number}/local").strip()
    assert local.startswith(f"{GROUP}!")
    for part in (b"one", b"two"):
        peer.send(part, local)
    call, _, data = client.call(number)
    assert client.text(f"net/udp/{call}/local") == f"{local}\n"
    assert [client.read(data) for _ in range(2)] == [b"one", b"two"]
    client.write(data, b"from one of us")
    assert peer.receive() == (b"from one of us", f"127.0.0.1!{local.rpartition('!')[2]}")


def test_a_group_of_another_family_than_the_sockets_is_refused(
    client: RawClient, peer: Peer
) -> None:
    wrong = r"^incompatible multicast/interface ip address$"
    _, ctl = client.clone("net/udp")
    client.write(ctl, b"addmulti ::1 ff02::77")
    with pytest.raises(RefusedError, match=wrong):
        client.write(ctl, b"announce 127.0.0.1!0")
    with pytest.raises(RefusedError, match=wrong):
        client.write(ctl, f"connect {peer}".encode())
    with pytest.raises(RefusedError, match=r"^connection in use$"):
        client.write(ctl, f"connect {peer}".encode())


def test_the_group_may_be_the_remote_address(place: Place) -> None:
    client = place.gateway(allow_dial=("224.0.0.0/4",)).attach()
    _, ctl = client.clone("net/udp")
    client.write(ctl, f"connect {GROUP}!7777 127.0.0.1!0".encode())
    client.write(ctl, b"addmulti 127.0.0.1")
    client.write(ctl, b"remmulti 127.0.0.1")


# in a network of their own: one wire, both ends of it here


@pytest.fixture
def wire() -> Iterator[str]:
    """A network namespace with an Ethernet, by its path."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    script = """
        ip link set lo up
        ip link add w0 type veth peer name w1
        for w in w0 w1; do ip link set $w addrgenmode none; ip link set $w up; done
        ip address add 10.7.7.1/24 brd + dev w0
        ip route add default dev w0
        ip -6 address add fe80::7/64 dev w0 nodad
        ip -6 address add fd77::7/64 dev w0 nodad
        # The kernel is not done with the addresses before it has seen that the link is up.
        for a in fe80::7 fd77::7; do
            until ip -6 route show table local | grep -q "local $a dev w0"; do :; done
        done
        until ip -o link show w0 | grep -q "state UP"; do :; done
        echo up
        exec cat
    """
    child = subprocess.Popen(
        ["unshare", "-n", "sh", "-ec", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        yield f"/proc/{child.pid}/ns/net"


@pytest.fixture
def wired(place: Place, wire: str) -> RawClient:
    """A session of a gateway with a stack of that namespace, `/net.wire`."""
    stacks = (StackConfig("wire", "netns", wire),)
    everywhere = ("0.0.0.0/0", "::/0")
    return place.gateway(stacks=stacks, allow_dial=everywhere).attach()


@pytest.fixture
def inside(wire: str) -> Iterator[Callable[[str], Peer]]:
    """Hosts in it."""
    namespace = netns.open_namespace(wire)
    made: list[Peer] = []

    def another(host: str) -> Peer:
        with netns.inside(namespace):
            made.append(Peer(host))
        return made[-1]

    yield another
    for each in made:
        each.sock.close()
    os.close(namespace)


@pytest.mark.netns
@pytest.mark.parametrize("everybody", ["10.7.7.255", "255.255.255.255"])
def test_broadcasts_go_both_ways(
    wired: RawClient, inside: Callable[[str], Peer], everybody: str
) -> None:
    _, data, port = headed(wired, net="net.wire")
    peer = inside("10.7.7.1")
    peer.send(b"who is there?", f"{everybody}!{port}")
    got = parsed(wired.read(data))
    assert got == ("10.7.7.1", everybody, "10.7.7.1", (peer.port, port), b"who is there?")
    listener = inside("0.0.0.0")  # noqa: S104  in a network of its own
    wired.write(data, head(everybody, listener.port, everybody, "10.7.7.1") + b"everybody")
    assert listener.receive() == (b"everybody", f"10.7.7.1!{port}")
    _, _, connected = wired.dial(listener.port, everybody, "net.wire/udp")
    wired.write(connected, b"again")
    assert listener.receive()[0] == b"again"


@pytest.mark.netns
@pytest.mark.parametrize(("group", "here"), [("ff02::77", "fe80::7"), ("ff05::77", "fd77::7")])
def test_groups_of_ipv6_are_joined_by_an_address_of_the_interface(
    wired: RawClient, inside: Callable[[str], Peer], group: str, here: str
) -> None:
    ctl, data, port = headed(wired, net="net.wire")
    wired.write(ctl, f"addmulti fd77::7 {group}".encode())
    peer = inside("::")
    # By the interface's number in its namespace: lo, then the wire's ends.
    peer.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, 3)
    peer.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, packed(group) + b"\3\0\0\0")
    peer.sock.sendto(b"all of you", (group, port, 0, 3))
    got = parsed(wired.read(data))
    assert (got.remote, got.local, got.here, got.data) == (here, group, here, b"all of you")
    wired.write(data, head(got.remote, got.ports[0], got.local, got.here) + b"you")
    assert peer.receive() == (b"you", f"{here}!{port}")
    wired.write(data, head(group, peer.port, here) + b"everybody")
    assert peer.receive() == (b"everybody", f"{here}!{port}")


@pytest.mark.netns
def test_a_group_of_ipv6_is_called_and_answers(
    wired: RawClient, inside: Callable[[str], Peer]
) -> None:
    number, ctl, port = wired.announce("*!0", "net.wire/udp")
    wired.write(ctl, b"addmulti fe80::7 ff02::77")
    peer = inside("::")
    peer.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, 3)
    for part in (b"one", b"two"):
        peer.sock.sendto(part, ("ff02::77", port, 0, 3))
    call, _, data = wired.call(number, "net.wire/udp")
    assert wired.text(f"net.wire/udp/{call}/local") == f"ff02::77!{port}\n"
    assert wired.text(f"net.wire/udp/{call}/remote") == f"fe80::7!{peer.port}\n"
    assert [wired.read(data) for _ in range(2)] == [b"one", b"two"]
    wired.write(data, b"here")
    assert peer.receive() == (b"here", f"fe80::7!{port}")


@pytest.mark.netns
def test_an_interface_of_another_stack_is_not_there(wired: RawClient) -> None:
    for net, address in (("net", "10.7.7.1"), ("net.wire", "240.0.0.1"), ("net", "fd77::7")):
        _, ctl = wired.clone(f"{net}/udp")
        group = "ff02::77" if ":" in address else GROUP
        with pytest.raises(RefusedError, match=r"^not a local IP address$"):
            wired.write(ctl, f"addmulti {address} {group}".encode())


@pytest.mark.netns
def test_nobody_at_an_address_is_host_unreachable(wired: RawClient) -> None:
    _, _, data = wired.dial(7, "10.7.7.9", "net.wire/udp")
    wired.write(data, b"anybody?")
    with pytest.raises(RefusedError, match=r"^host unreachable$"):
        wired.read(data)


@pytest.mark.netns
def test_a_sender_that_cannot_be_answered_keeps_nobody_waiting(
    place: Place, wired: RawClient, wire: str, inside: Callable[[str], Peer]
) -> None:
    number, _, port = wired.announce("127.0.0.1!0", "net.wire/udp")
    ends = socket.inet_aton("198.51.100.7") + socket.inet_aton("127.0.0.1")
    head = struct.pack(">BBHHHBBH", 0x45, 0, 28, 0, 0, 64, socket.IPPROTO_UDP, 0) + ends
    namespace = netns.open_namespace(wire)
    with netns.inside(namespace):
        subprocess.run(["ip", "route", "del", "default"], check=True)
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    os.close(namespace)
    with raw:
        raw.sendto(head + struct.pack(">HHHH", 7, port, 8, 0), ("127.0.0.1", 0))
    peer = inside("127.0.0.1")
    peer.send(b"hello", f"127.0.0.1!{port}")
    call, _, _ = wired.call(number, "net.wire/udp")
    assert wired.text(f"net.wire/udp/{call}/remote") == f"{peer}\n"
    assert place.gateways[0].stats()["dropped"] == 1


@pytest.mark.netns
def test_counts_and_ports_are_the_stacks_own(
    wired: RawClient, inside: Callable[[str], Peer]
) -> None:
    peer = inside("127.0.0.1")
    _, _, port = wired.announce("*!0", "net.wire/udp")
    wired.announce(f"*!{port}", "net/udp")
    number, _, data = wired.dial(peer.port, protocol="net.wire/udp")
    wired.write(data, b"x")
    peer.send(b"y", wired.text(f"net.wire/udp/{number}/local"))
    assert wired.read(data) == b"y"
    assert "OutDatagrams: 2\n" in wired.text("net.wire/udp/stats")


def test_a_stack_of_an_address_sends_from_no_other(place: Place, peer: Peer) -> None:
    client = place.gateway(stacks=(StackConfig("alt", "addr", "127.0.0.2"),)).attach()
    _, data, port = headed(client, net="net.alt")
    for source in ("127.0.0.3", "127.0.0.2", "::"):
        client.write(data, head("127.0.0.1", peer.port, source) + b"x")
        assert peer.receive() == (b"x", f"127.0.0.2!{port}")
    with pytest.raises(RefusedError, match=r"^no route$"):
        client.write(data, head("::1", 80) + b"x")
    _, ctl, plain = client.dial(peer.port, protocol="net.alt/udp")
    client.write(plain, b"y")
    assert peer.receive()[1].startswith("127.0.0.2!")
    with pytest.raises(RefusedError, match=r"^not a local IP address$"):
        client.write(ctl, f"addmulti 127.0.0.1 {GROUP}".encode())


def test_a_stack_of_an_interface_leaves_by_it(place: Place, peer: Peer) -> None:
    if os.geteuid() != 0:
        pytest.skip("a socket is bound to an interface by root")
    client = place.gateway(stacks=(StackConfig("lo", "dev", "lo"),)).attach()
    number, ctl, port = client.announce("*!0", "net.lo/udp")
    peer.send(b"hello", f"127.0.0.1!{port}")
    _, _, data = client.call(number, "net.lo/udp")
    assert client.read(data) == b"hello"
    client.write(data, b"welcome")
    assert peer.receive() == (b"welcome", f"127.0.0.1!{port}")
    client.write(ctl, f"addmulti 127.0.0.1 {GROUP}".encode())
