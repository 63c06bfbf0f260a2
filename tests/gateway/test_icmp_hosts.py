"""ICMP with hosts beyond a wire: ping sockets, raw ones, foreign pings, routers (docs/raw.md)."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from netrelay.types import ORDWR
from tests.netns.capture import Capture
from tests.served import need

from .hosts import OTHER, OTHER6, OWN, OWN6, checksum, hosts
from .namespaces import namespace, wire
from .rawclient import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netrelay.core import Core

    from .conftest import Place
    from .hosts import Hosts
    from .rawclient import RawClient

GRANT: Final = ("icmp-raw",)
ENDS: Final = {"icmp": (OWN, OTHER), "icmpv6": (OWN6, OTHER6)}
HEADER: Final = {"icmp": 20, "icmpv6": 40}
REQUEST: Final = {"icmp": 8, "icmpv6": 128}


@pytest.fixture(autouse=True)
def _served(core: Core) -> None:
    need(core, "icmp")


@pytest.fixture
def wired() -> Iterator[Hosts]:
    """Two hosts; the network of one is the gateway's `/net.alt`."""
    with hosts() as made:
        yield made


@pytest.fixture(params=["icmp", "icmpv6"])
def net(request: pytest.FixtureRequest) -> str:
    """Either protocol."""
    return str(request.param)


def dialled(client: RawClient, net: str, spec: str = "") -> tuple[int, int, int]:
    """A conversation with the other host: its ctl, data and id."""
    number, ctl = client.clone(f"net.alt/{net}")
    client.write(ctl, f"connect {ENDS[net][1]}!1 {spec}".encode())
    data = client.open(f"net.alt/{net}/{number}/data", ORDWR)
    return ctl, data, int(client.text(f"net.alt/{net}/{number}/local").rpartition("!")[2])


def echo(net: str, payload: bytes) -> bytes:
    """A request as a client writes it."""
    return bytes(HEADER[net]) + struct.pack(">BBHHH", REQUEST[net], 0, 0, 0, 1) + payload


@pytest.mark.parametrize("kind", ["ping socket", "raw for replies", "raw"])
def test_a_real_host_answers(place: Place, wired: Hosts, net: str, kind: str) -> None:
    if kind == "ping socket":
        wired.allow_ping_sockets()
    client = wired.gateway(place, grant=GRANT if kind == "raw" else ()).attach()
    own, other = ENDS[net]
    _, data, number = dialled(client, net)
    table = wired.own.run("cat", f"/proc/net/{'icmp' if net == 'icmp' else 'icmp6'}")
    # A line a ping socket below the names, with its port, which is its id.
    assert (f":{number:04X}" in table) == (kind == "ping socket")
    assert client.text(f"net.alt/{net}/0/local") == f"{own}!{number}\n"
    client.write(data, echo(net, b"are you there?"))
    answer = client.read(data)
    assert answer[HEADER[net] + 4 : HEADER[net] + 6] == struct.pack(">H", number)
    assert answer[HEADER[net] + 8 :] == b"are you there?"
    packed = socket.inet_aton if net == "icmp" else lambda ip: socket.inet_pton(10, ip)
    assert answer[: HEADER[net]].endswith(packed(other) + packed(own))
    if net == "icmp":
        assert (answer[8], checksum(answer[:20])) == (64, 0)
    else:
        assert answer[7] == 64


def test_status_tells_the_next_packet_of_a_ping_socket_too(
    place: Place, wired: Hosts, net: str
) -> None:
    wired.allow_ping_sockets()
    client = wired.gateway(place).attach()
    _, data, _ = dialled(client, net)
    with_capture = Capture(wired.own)
    client.write(data, echo(net, b"12345"))
    reply = {"icmp": 0, "icmpv6": 129}[net]
    with_capture.wait(lambda packet: packet[HEADER[net] :][:1] == bytes([reply]))
    with_capture.close()
    size = HEADER[net] + 8 + 5
    assert client.text(f"net.alt/{net}/0/status") == f"Datagram qin {size} qout 0\n"
    assert len(client.read(data)) == size


@pytest.mark.interop
def test_a_foreign_ping_and_a_conversation_do_not_hear_each_other(
    place: Place, wired: Hosts, net: str
) -> None:
    program = ping()
    client = wired.gateway(place, grant=GRANT).attach()
    _, data, number = dialled(client, net)
    with wired.own.inside():
        foreign = subprocess.Popen(
            [program, "-c", "3", "-i", "0.2", "-q", ENDS[net][1]],
            stdout=subprocess.PIPE,
            text=True,
        )
    for seq in range(20):
        client.write(data, echo(net, bytes([seq])))
        answer = client.read(data)
        assert answer[HEADER[net] + 4 : HEADER[net] + 6] == struct.pack(">H", number)
        assert answer[-1] == seq
    text, _ = foreign.communicate(timeout=20)
    assert "3 packets transmitted, 3 received" in text


@pytest.mark.interop
def test_a_foreign_ping_is_answered_by_a_conversation(place: Place, wired: Hosts) -> None:
    """With the grant a client answers for its gateway, whose own answers are turned off."""
    program = ping()
    wired.own.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/icmp_echo_ignore_all")
    client = wired.gateway(place, grant=GRANT).attach()
    _, data, _ = dialled(client, "icmp", "4718")
    seen = Capture(wired.own)
    with wired.other.inside():
        foreign = subprocess.Popen(
            [program, "-c", "1", "-W", "10", "-e", "4718", OWN],
            stdout=subprocess.PIPE,
            text=True,
        )
    asked = seen.wait(lambda packet: packet[9] == 1 and packet[20] == 8)
    seen.close()
    client.write(data, asked[:20] + b"\0" + asked[21:])
    text, _ = foreign.communicate(timeout=20)
    assert "1 packets transmitted, 1 received" in text


def ping() -> str:
    """The program; skips without it."""
    program = shutil.which("ping")
    if program is None:
        pytest.skip("ping is not installed (tools/install-test-deps)")
    return program


def test_nothing_leaves_without_the_grant_and_nothing_to_who_is_guarded(
    place: Place, wired: Hosts, net: str
) -> None:
    client = wired.gateway(place).attach()
    seen = Capture(wired.own)
    _, data, _ = dialled(client, net)
    for kind in (0, 13, 129, 130):
        with pytest.raises(RefusedError, match=r"^permission denied$"):
            client.write(data, bytes(HEADER[net]) + struct.pack(">BBHHH", kind, 0, 0, 0, 1))
    _, guarded = client.clone(f"net.alt/{net}")
    with pytest.raises(RefusedError, match=r"^permission denied$"):
        client.write(guarded, f"connect {'224.0.0.1' if net == 'icmp' else 'ff02::1'}!1".encode())
    assert seen.sent() == []
    client.write(data, echo(net, b"but this"))
    client.read(data)
    assert [packet[-8:] for packet in seen.sent()] == [b"but this"]
    seen.close()


def test_a_router_tells_that_the_hops_are_used_up(place: Place, wired: Hosts, net: str) -> None:
    """The text has the router's address; udp's is the same."""
    own, router = ENDS[net]
    far = {"icmp": "10.0.9.9", "icmpv6": "2001:db8:9::9"}[net]
    with namespace() as beyond:
        wire(wired.other, "eth9", beyond, "eth0")
        wired.other.ip(f"addr add {far[:-1]}1/{24 if net == 'icmp' else 64} dev eth9")
        wired.other.run(
            "sh", "-c",
            "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding",
        )  # fmt: skip
        wired.own.ip(f"route add {far}/{32 if net == 'icmp' else 128} via {router}")
        client = wired.gateway(place).attach()
        for protocol in (net, "udp"):
            number, ctl = client.clone(f"net.alt/{protocol}")
            client.write(ctl, b"ttl 1")
            client.write(ctl, f"connect {far}!1".encode())
            assert client.text(f"net.alt/{protocol}/{number}/local").startswith(f"{own}!")
            data = client.open(f"net.alt/{protocol}/{number}/data", ORDWR)
            client.write(data, echo(net, b"x"))
            with pytest.raises(RefusedError, match=f"^ttl exceeded at {router}$"):
                client.read(data)


def test_headers_send_from_an_address_of_the_stack_to_any(place: Place, wired: Hosts) -> None:
    wired.own.ip("addr add 2001:db8::3/64 dev eth0 nodad")
    client = wired.gateway(place, grant=GRANT).attach()
    number, ctl = client.clone("net.alt/icmpv6")
    client.write(ctl, b"announce 4719")
    client.write(ctl, b"headers")
    data = client.open(f"net.alt/icmpv6/{number}/data", ORDWR)
    ends = b"".join(socket.inet_pton(socket.AF_INET6, end) for end in ("2001:db8::3", OTHER6))
    client.write(data, bytes(8) + ends + struct.pack(">BBHHH", 128, 0, 0, 4719, 1) + b"third")
    answer = client.read(data)
    assert answer[8:40] == ends[16:] + ends[:16]
    assert answer[48:] == b"third"
