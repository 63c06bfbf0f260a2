"""Packets of GRE over loopback, which hands a conversation what it sends itself (docs/raw.md)."""

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

from .hosts import OTHER, OWN, hosts
from .rawclient import RefusedError

if TYPE_CHECKING:
    from netrelay.core import Core

    from .conftest import Door, Place
    from .rawclient import RawClient

GRANT: Final = ("gre",)
BRIDGED: Final = 0x6558
IDLE: Final = (
    "hoa 0.0.0.0 north 0.0.0.0 south 0.0.0.0 seq 0 pending 0  0 "
    "buffered dl 0 0 ul 0 0 ulkey 00000000\n"
)
ANY: Final = "0.0.0.0"  # noqa: S104 (nothing is bound to it)
NOBODY: Final = {"127.0.0.1": ANY, "::1": "::"}


@pytest.fixture(autouse=True)
def _served(core: Core) -> None:
    need(core, "gre")
    if os.geteuid() != 0:
        pytest.skip("only root has raw sockets for certain")


@pytest.fixture(params=["127.0.0.1", "::1"])
def host(request: pytest.FixtureRequest) -> str:
    """Loopback of either family."""
    return str(request.param)


@pytest.fixture
def door(place: Place) -> Door:
    """A gateway with the grant."""
    return place.gateway(grant=GRANT)


def dialled(client: RawClient, host: str, net: str = "net") -> tuple[str, int, int]:
    """A conversation about bridged frames: its directory, ctl and data."""
    number, ctl = client.clone(f"{net}/gre")
    client.write(ctl, f"connect {host}!{BRIDGED}".encode())
    return f"{net}/gre/{number}", ctl, client.open(f"{net}/gre/{number}/data", ORDWR)


def packet(source: str, to: str, payload: bytes, *, flags: int = 0, about: int = BRIDGED) -> bytes:
    """What clients read and write."""
    ends = ip_address(source).packed + ip_address(to).packed
    return ends + struct.pack(">HH", flags, about) + payload


def refusal(client: RawClient, fid: int, text: bytes) -> str:
    """Why a write is refused."""
    with pytest.raises(RefusedError) as refused:
        client.write(fid, text)
    return str(refused.value)


def speak(message: bytes, *, source: str = "127.0.0.9", to: str = "127.0.0.1") -> None:
    """A packet of somebody else."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_GRE) as raw:
        raw.bind((source, 0))
        raw.sendto(message, (to, 0))


def test_a_cooked_packet_is_filled_in(client: RawClient, host: str) -> None:
    path, _, data = dialled(client, host)
    assert client.text(f"{path}/remote") == f"{host}!{BRIDGED}\n"
    assert client.text(f"{path}/local") == f"{host}!0\n"
    written = packet(NOBODY[host], NOBODY[host], b"a frame", flags=0x2000, about=7)
    assert client.write(data, written) == len(written)
    assert client.read(data) == packet(host, host, b"a frame", flags=0x2000)


def test_a_raw_one_is_as_it_is_written(client: RawClient, host: str) -> None:
    path, ctl, data = dialled(client, host)
    client.write(ctl, b"raw")
    assert client.text(f"{path}/status") == f"Open raw {IDLE}"
    client.write(data, packet(host, host, b"of another protocol", about=7))
    client.write(data, packet(host, host, b"ours"))
    assert client.read(data) == packet(host, host, b"ours")
    client.write(ctl, b"cooked")
    assert client.text(f"{path}/status") == f"Open {IDLE}"


def test_anybody_is_heard_raw_and_the_remote_alone_cooked(client: RawClient) -> None:
    _, ctl, data = dialled(client, "127.0.0.1")
    other = struct.pack(">HH", 0, BRIDGED) + b"other"
    speak(other)
    client.write(data, packet(ANY, ANY, b"self"))
    assert client.read(data).endswith(b"self")
    client.write(ctl, b"raw")
    speak(other)
    assert client.read(data) == packet("127.0.0.9", "127.0.0.1", b"other")


def test_routing_information_and_what_is_short_is_not_taken(client: RawClient) -> None:
    _, _, data = dialled(client, "127.0.0.1")
    for message in (b"", b"\0\0e", struct.pack(">HH", 0x4000, BRIDGED) + b"routed"):
        speak(message, source="127.0.0.1")
    client.write(data, packet(ANY, ANY, b"good"))
    assert client.read(data) == packet("127.0.0.1", "127.0.0.1", b"good")
    assert client.text("net/gre/stats") == "gre: 1 1 0 0 16 16 0 0, lenerrs 2\n"


def test_what_is_too_short_to_send_is_dropped(door: Door, host: str) -> None:
    client = door.attach()
    _, ctl, data = dialled(client, host)
    size = 2 * len(ip_address(host).packed)
    for length in (0, size, size + 3):
        assert client.write(data, bytes(length)) == length
    client.write(ctl, b"raw")
    assert client.write(data, packet(host, NOBODY[host], b"to nobody")) > 0
    until(lambda: door.core.stats()["dropped"] == 4, "four dropped")
    assert client.text("net/gre/stats") == "gre: 0 0 0 0 0 0 0 0, lenerrs 0\n"


@pytest.mark.parametrize("mode", [b"raw", b"cooked"])
def test_every_packet_is_guarded_and_comes_from_here(client: RawClient, mode: bytes) -> None:
    _, ctl, data = dialled(client, "127.0.0.1")
    client.write(ctl, mode)
    elsewhere = packet("127.0.0.1", "169.254.169.254", b"to the cloud's")
    assert refusal(client, data, elsewhere) == "permission denied"
    assert refusal(client, data, packet("127.0.0.1", "224.0.0.1", b"")) == "permission denied"
    forged = packet("192.0.2.7", "127.0.0.1", b"forged")
    assert refusal(client, data, forged) == "not a local IP address"
    client.write(data, packet("127.0.0.1", "127.0.0.1", b"fine"))
    assert client.read(data).endswith(b"fine")


def test_an_address_and_protocol_are_one_conversation_s(client: RawClient, host: str) -> None:
    _, ctl, _ = dialled(client, host)
    _, second = client.clone("net/gre")
    again = f"connect {host}!{BRIDGED}".encode()
    assert refusal(client, second, again) == "already connected to that addr/proto"
    client.write(ctl, b"hangup")
    dialled(client, host)


def test_verbs_and_their_refusals(client: RawClient) -> None:
    _, ctl = client.clone("net/gre")
    for command, why in (
        (b"announce 7", "gre does not support announce"),
        (b"announce", "gre does not support announce"),
        (b"raw now", "incorrect number of arguments"),
        (b"cooked now", "incorrect number of arguments"),
        (b"retunnel", "no such command"),
        (b"forward a b", "no such command"),
        (b"keepalive", "no such command"),
        (b"connect 127.0.0.1", "malformed address"),
        (b"connect 127.0.0.1!7 ::1!7", "bad ip address syntax"),
        (b"connect 169.254.1.1!7", "permission denied"),
    ):
        assert refusal(client, ctl, command) == why, command
    client.write(ctl, b"connect 127.0.0.1!7 127.0.0.1!0")
    assert refusal(client, ctl, b"connect 127.0.0.1!8") == "connection in use"


def test_the_end_is_that_of_packets(client: RawClient) -> None:
    path, ctl, data = dialled(client, "127.0.0.1")
    client.write(data, packet(ANY, ANY, b"last"))
    client.write(ctl, b"hangup")
    assert client.text(f"{path}/status") == f"Open {IDLE}"
    assert client.read(data).endswith(b"last")
    assert [client.read(data) for _ in range(3)] == [b""] * 3
    with pytest.raises(RefusedError, match=r"^i/o on hungup channel$"):
        client.read(data)
    assert refusal(client, data, bytes(12)) == "i/o on hungup channel"
    client.clunk(data)
    client.clunk(ctl)
    assert client.text(f"{path}/status") == f"Closed {IDLE}"


def test_without_the_grant_nothing_leaves(place: Place) -> None:
    with hosts() as wired:
        capture = Capture(wired.own)
        client = wired.gateway(place).attach()
        _, ctl = client.clone("net.alt/gre")
        assert refusal(client, ctl, f"connect {OTHER}!{BRIDGED}".encode()) == "permission denied"
        data = client.open("net.alt/gre/0/data", ORDWR)
        written = packet(OWN, OTHER, b"no")
        assert refusal(client, data, written) == "i/o on hungup channel"
        assert capture.sent() == []
        capture.close()


def test_a_host_beyond_a_wire_gets_it_and_answers(place: Place) -> None:
    with hosts() as wired:
        client = wired.gateway(place, grant=GRANT).attach()
        path, _, data = dialled(client, OTHER, "net.alt")
        assert client.text(f"{path}/local") == f"{OWN}!0\n"
        with wired.other.inside():
            theirs = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_GRE)
        with theirs:
            theirs.settimeout(10)
            client.write(data, packet(ANY, ANY, b"over"))
            got, (sender, _) = theirs.recvfrom(100)
            assert (sender, got[20:]) == (OWN, struct.pack(">HH", 0, BRIDGED) + b"over")
            theirs.sendto(got[20:] + b" and back", (OWN, 0))
            assert client.read(data) == packet(OTHER, OWN, b"over and back")


def test_one_that_speaks_no_gre_says_so(place: Place) -> None:
    with hosts() as wired:
        client = wired.gateway(place, grant=GRANT).attach()
        _, _, data = dialled(client, OTHER, "net.alt")
        (tag,) = client.park(m.Tread(data, 0, 100))
        client.write(data, packet(ANY, ANY, b"anybody?"))
        with pytest.raises(RefusedError, match=r"^protocol unreachable$"):
            client.wait(tag)
