"""Whole IP packets that a filter accepts, over loopback and beyond a wire (docs/raw.md)."""

from __future__ import annotations

import os
import socket
import struct
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import pytest

from netrelay import messages as m
from netrelay.types import ORDWR
from tests.netns.capture import Capture
from tests.netns.lab import until
from tests.served import need

from .hosts import OTHER, OTHER6, OWN, OWN6, checksum, hosts
from .rawclient import RefusedError, data_of

if TYPE_CHECKING:
    from netrelay.core import Core

    from .conftest import Door, Place
    from .rawclient import RawClient

GRANT: Final = ("ipmux",)
# IPv6 in IPv4, and two numbers for experiments.
IN4: Final = 41
ONE, OTHER_ONE = 253, 254
ANY: Final = "0.0.0.0"  # noqa: S104 (nothing is bound to it)


@pytest.fixture(autouse=True)
def _served(core: Core) -> None:
    need(core, "ipmux")
    if os.geteuid() != 0:
        pytest.skip("only root has raw sockets for certain")


@pytest.fixture
def door(place: Place) -> Door:
    """A gateway with the grant."""
    return place.gateway(grant=GRANT)


def chosen(client: RawClient, text: str, net: str = "net") -> tuple[str, int, int]:
    """A conversation with that filter: its directory, ctl and data."""
    number, ctl = client.clone(f"{net}/ipmux")
    client.write(ctl, f"connect {text}".encode())
    return f"{net}/ipmux/{number}", ctl, client.open(f"{net}/ipmux/{number}/data", ORDWR)


def packet4(
    payload: bytes, *, protocol: int = ONE, source: str = "127.0.0.1", to: str = "127.0.0.1"
) -> bytes:
    """A packet with what the host fills in left out, as the original's programs write it."""
    ends = ip_address(source).packed + ip_address(to).packed
    return struct.pack(">BBHHHBBH", 0x45, 16, 0, 0, 0, 100, protocol, 0) + ends + payload


def packet6(payload: bytes, *, protocol: int = ONE, source: str = "::1", to: str = "::1") -> bytes:
    """The same of IPv6."""
    ends = ip_address(source).packed + ip_address(to).packed
    return struct.pack(">IHBB", 6 << 28, 0, protocol, 100) + ends + payload


def mapped(ip: str) -> bytes:
    """An address of IPv4 in 16 bytes."""
    return bytes(10) + b"\xff\xff" + ip_address(ip).packed


def refusal(client: RawClient, fid: int, text: bytes) -> str:
    """Why a write is refused."""
    with pytest.raises(RefusedError) as refused:
        client.write(fid, text)
    return str(refused.value)


def test_a_packet_goes_and_comes_whole(client: RawClient) -> None:
    path, _, data = chosen(client, f"proto={ONE:02x}")
    written = packet4(b"whole")
    assert client.write(data, written) == len(written)
    read = client.read(data)
    assert read[:16] == mapped("127.0.0.1")
    packet = read[16:]
    assert (packet[:4], packet[8:10]) == (struct.pack(">BBH", 0x45, 16, 25), bytes([100, ONE]))
    assert packet[12:] == written[12:]
    assert checksum(packet[:20]) == 0
    assert client.text(f"{path}/local") == client.text(f"{path}/remote") == "::!0\n"


def test_protocols_take_turns(client: RawClient) -> None:
    _, _, data = chosen(client, f"proto={ONE:02x}|{OTHER_ONE:02x}")
    for protocol in (ONE, ONE, ONE, OTHER_ONE):
        client.write(data, packet4(b"waiting", protocol=protocol))
    assert [client.read(data)[16 + 9] for _ in range(4)] == [ONE, OTHER_ONE, ONE, ONE]


def test_one_behind_many_strangers_is_found(client: RawClient) -> None:
    """More of them than are passed over in one turn, and fewer than a host keeps."""
    _, _, data = chosen(client, f"proto={ONE:02x}|{OTHER_ONE:02x};data[0:0]=79")
    for _ in range(150):
        for protocol in (ONE, OTHER_ONE):
            client.write(data, packet4(b"no", protocol=protocol))
    client.write(data, packet4(b"yes"))
    assert client.read(data)[36:] == b"yes"


def test_one_of_ipv6_too(client: RawClient) -> None:
    _, _, data = chosen(client, f"ver=6;proto={ONE:02x};data[0:1]=776f")
    for payload in (b"no", b"words"):
        client.write(data, packet6(payload))
    read = client.read(data)
    assert read[:16] == ip_address("::1").packed
    assert read[16:] == struct.pack(">IHBB", 6 << 28, 5, ONE, 100) + packet6(b"words")[8:]


def test_a_source_of_zeros_is_filled_in(client: RawClient) -> None:
    _, _, data = chosen(client, f"proto={ONE:02x}")
    client.write(data, packet4(b"from whom?", source=ANY))
    assert client.read(data)[28:32] == socket.inet_aton("127.0.0.1")
    _, _, data = chosen(client, f"ver=6;proto={ONE:02x}")
    client.write(data, packet6(b"from whom?", source="::"))
    assert client.read(data)[24:40] == ip_address("::1").packed


def test_every_clause_has_to_hold(client: RawClient) -> None:
    wanted = (
        f"proto={ONE:02x}|{OTHER_ONE:02x};dst=127.0.0.0&255.255.255.254;src=127.0.0.1;data[1]=6f"
    )
    _, _, data = chosen(client, wanted)
    for payload, to, protocol in (
        (b"no", "127.0.0.2", ONE),
        (b"na", "127.0.0.1", ONE),
        (b"n", "127.0.0.1", ONE),
        (b"yo", "127.0.0.1", ONE),
        (b"so", "127.0.0.1", OTHER_ONE),
    ):
        client.write(data, packet4(payload, to=to, protocol=protocol))
    assert {client.read(data)[36:] for _ in range(2)} == {b"yo", b"so"}


def test_readers_wait_for_any_of_the_protocols(client: RawClient) -> None:
    _, _, data = chosen(client, f"proto={ONE:02x}|{OTHER_ONE:02x}")
    for protocol in (OTHER_ONE, ONE, OTHER_ONE):
        (tag,) = client.park(m.Tread(data, 0, 100))
        client.write(data, packet4(b"here", protocol=protocol))
        assert data_of(client.wait(tag))[16 + 9] == protocol


def test_conversations_get_a_copy_each(client: RawClient) -> None:
    _, _, one = chosen(client, f"proto={ONE:02x}")
    _, _, other = chosen(client, f"proto={ONE:02x};data[0]=63")
    client.write(one, packet4(b"copied"))
    assert client.read(one)[16:] == client.read(other)[16:]


def test_status_and_stats_are_the_filters(client: RawClient) -> None:
    number, ctl = client.clone("net/ipmux")
    assert client.text(f"net/ipmux/{number}/status") == "\n"
    client.write(ctl, b"connect 'src=10.0.0.1 & 255.0.0.0;proto=29|3a'")
    first = "h[9:9]&ff=29|3a|\nh[12:15]&ff000000=0a000001|\n"
    assert client.text(f"net/ipmux/{number}/status") == first
    path, second, _ = chosen(client, "ver=6;proto=29;data[0:3]=60")
    assert client.text("net/ipmux/stats") == (
        f"{first}h[6:6]&ff=29|\nh[40:43]&ffffffff=60000000|\n"
    )
    client.write(second, b"hangup")
    assert client.text(f"{path}/status") == "\n"
    assert client.text("net/ipmux/stats") == first


def test_what_does_not_parse_is_refused(client: RawClient) -> None:
    _, ctl = client.clone("net/ipmux")
    for text in (
        "", "proto=29 x", "dst=1.2.3.4", "proto=", "proto=6", "proto=06", "proto=01", "proto=11",
        "ver=6;proto=3a", "ver=7;proto=29", "proto=29;data[45]=00", "proto=29;iph[1:0]=00",
        "proto=29;dst=::1", "proto=29;" + ";".join(["iph[0]=45"] * 10), "proto=29;proto=29",
        "proto=29;data[0]=0g", "proto=29;data[0]=0", "proto=29;foo=1", "127.0.0.1!7",
    ):  # fmt: skip
        assert refusal(client, ctl, f"connect {text}".encode()) == "bad arg in system call", text
    assert refusal(client, ctl, b"announce 7") == "ipmux does not support announce"
    assert refusal(client, ctl, b"frob") == "unknown control request"
    client.write(ctl, b"connect ;proto=29|;;")
    assert refusal(client, ctl, b"connect proto=29") == "connection in use"


def test_every_packet_is_guarded_and_comes_from_here(client: RawClient) -> None:
    _, _, data = chosen(client, f"proto={ONE:02x}")
    for packet in (
        packet4(b"", to="169.254.169.254"),
        packet4(b"", to="224.0.0.1"),
        packet4(b"", to=ANY),
        packet4(b"", protocol=OTHER_ONE),
        packet4(b"", protocol=socket.IPPROTO_UDP),
        b"\x46" + packet4(bytes(4))[1:],
    ):
        assert refusal(client, data, packet) == "permission denied"
    assert refusal(client, data, packet4(b"", source="192.0.2.7")) == "not a local IP address"
    _, _, data = chosen(client, f"ver=6;proto={ONE:02x}")
    assert refusal(client, data, packet6(b"", to="fe80::1")) == "permission denied"
    # A routing header leads elsewhere.
    assert refusal(client, data, packet6(bytes(8), protocol=43)) == "permission denied"


def test_what_is_no_packet_is_dropped(door: Door) -> None:
    client = door.attach()
    _, _, data = chosen(client, f"proto={ONE:02x}")
    for junk in (b"", packet4(b"")[:19], b"\x44" + packet4(b"")[1:], b"\x47" + packet4(b"")[1:]):
        assert client.write(data, junk) == len(junk)
    assert client.write(data, packet6(b"")) == 40
    _, _, data = chosen(client, f"ver=6;proto={ONE:02x}")
    for junk in (packet6(b"")[:39], packet4(bytes(40))):
        assert client.write(data, junk) == len(junk)
    until(lambda: door.core.stats()["dropped"] == 7, "seven dropped")


def test_the_end_is_that_of_packets(client: RawClient) -> None:
    _, ctl, data = chosen(client, f"proto={ONE:02x}|{OTHER_ONE:02x}")
    for protocol in (ONE, OTHER_ONE):
        client.write(data, packet4(b"last", protocol=protocol))
    client.write(ctl, b"hangup")
    assert {client.read(data)[16 + 9] for _ in range(2)} == {ONE, OTHER_ONE}
    assert [client.read(data) for _ in range(3)] == [b""] * 3
    for attempt in (lambda: client.read(data), lambda: client.write(data, packet4(b""))):
        with pytest.raises(RefusedError, match=r"^i/o on hungup channel$"):
            attempt()


def test_without_the_grant_nothing_leaves(place: Place) -> None:
    with hosts() as wired:
        capture = Capture(wired.own)
        client = wired.gateway(place).attach()
        _, ctl = client.clone("net.alt/ipmux")
        assert refusal(client, ctl, f"connect proto={ONE:02x}".encode()) == "permission denied"
        data = client.open("net.alt/ipmux/0/data", ORDWR)
        written = packet4(b"no", source=OWN, to=OTHER)
        assert refusal(client, data, written) == "i/o on hungup channel"
        assert capture.sent() == []
        capture.close()


def test_a_tunnel_of_ipv6_in_ipv4(place: Place) -> None:
    """As 6in4 of the original dials it, with another program at the far end."""
    with hosts() as wired:
        client = wired.gateway(place, grant=GRANT).attach()
        _, _, data = chosen(client, f"proto={IN4:02x}|3a;dst={OWN};src={OTHER}", "net.alt")
        with wired.other.inside():
            theirs = socket.socket(socket.AF_INET, socket.SOCK_RAW, IN4)
        inner = packet6(b"inside", source=OWN6, to=OTHER6)
        with theirs:
            theirs.settimeout(10)
            client.write(data, packet4(inner, protocol=IN4, source=OWN, to=OTHER))
            got, (sender, _) = theirs.recvfrom(200)
            assert (sender, got[20:]) == (OWN, inner)
            theirs.sendto(inner + b" and back", (OWN, 0))
            read = client.read(data)
        assert read[:16] == mapped(OWN)
        assert (
            read[16 + 12 :]
            == socket.inet_aton(OTHER) + socket.inet_aton(OWN) + inner + b" and back"
        )
