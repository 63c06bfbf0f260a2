"""Security associations over loopback, of a core with itself and with the other (docs/raw.md)."""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING, Final

import pytest

from netrelay import core as cores
from netrelay import messages as m
from netrelay.types import ORDWR
from tests.netns.capture import Capture
from tests.netns.lab import until
from tests.served import need

from .conftest import Place
from .hosts import OTHER, OWN, hosts
from .rawclient import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from netrelay.core import Core

    from .conftest import Door
    from .rawclient import RawClient

GRANT: Final = ("esp",)
KEYS: Final = {
    "null": "",
    "des_56_cbc": "0123456789abcdef",
    "des3_cbc": "0123456789abcdeffedcba98765432100011223344556677",
    "aes_128_cbc": "00112233445566778899AABBCCDDEEFF",
    "aes_ctr": "00112233445566778899aabbccddeeff",
}
MACS: Final = {
    "null": "",
    "hmac_sha1_96": "ffeeddccbbaa99887766554433221100",
    "hmac_md5_96": "ffeeddccbbaa99887766554433221100",
}


@pytest.fixture(autouse=True)
def _served(core: Core) -> None:
    need(core, "esp")
    if os.geteuid() != 0:
        pytest.skip("only root has raw sockets for certain")


@pytest.fixture
def door(place: Place) -> Door:
    """A gateway with the grant."""
    return place.gateway(grant=GRANT)


@pytest.fixture
def other(core: Core, tmp_path: Path) -> Iterator[RawClient]:
    """A session of the other core's gateway."""
    folder = tmp_path / "other"
    folder.mkdir()
    name = {"python": "rust", "rust": "python"}[core.name]
    if name not in cores.available():
        pytest.skip("there is one core")
    place = Place(cores.load(name), folder)
    yield place.gateway(grant=GRANT).attach()
    place.close()


class Association:
    """A conversation and what it has open."""

    def __init__(self, client: RawClient, whom: str, net: str = "net") -> None:
        number, self.ctl = client.clone(f"{net}/esp")
        self.client = client
        self.path = f"{net}/esp/{number}"
        client.write(self.ctl, f"connect {whom}".encode())
        self.data = client.open(f"{self.path}/data", ORDWR)

    @property
    def index(self) -> int:
        """Of an incoming one."""
        return int(self.client.text(f"{self.path}/local").rpartition("!")[2])

    def use(self, cipher: str, mac: str) -> None:
        """Both algorithms."""
        self.client.write(self.ctl, f"esp {cipher} {KEYS[cipher]}".encode())
        self.client.write(self.ctl, f"ah {mac} {MACS[mac]}".encode())

    def send(self, payload: bytes) -> None:
        """One packet."""
        self.client.write(self.data, payload)

    def take(self) -> bytes:
        """The payload of the next one."""
        return self.client.read(self.data)


def pair(there: RawClient, here: RawClient, host: str = "127.0.0.1") -> tuple[Association, ...]:
    """An association from there to here: its two ends."""
    incoming = Association(here, f"{host}!*")
    return Association(there, f"{host}!{incoming.index}"), incoming


def refusal(client: RawClient, fid: int, text: bytes) -> str:
    """Why a write is refused."""
    with pytest.raises(RefusedError) as refused:
        client.write(fid, text)
    return str(refused.value)


def speak(packet: bytes) -> None:
    """A packet of somebody else at the same address."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ESP) as raw:
        raw.sendto(packet, ("127.0.0.1", 0))


@pytest.mark.parametrize("cipher", KEYS)
@pytest.mark.parametrize("mac", MACS)
def test_each_core_opens_what_the_other_has_sealed(
    client: RawClient, other: RawClient, cipher: str, mac: str
) -> None:
    out, into = pair(client, other)
    for end in (out, into):
        end.use(cipher, mac)
    for size in (1, 2, 14, 15, 16, 17, 1400):
        out.send(bytes(range(256))[:size] * (1 if size < 256 else 6))
        assert into.take() == bytes(range(256))[:size] * (1 if size < 256 else 6)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_ends_are_told_by_address_and_index(client: RawClient, host: str) -> None:
    out, into = pair(client, client, host)
    assert into.index in range(256, 65792)
    assert client.text(f"{into.path}/local") == f"{host}!{into.index}\n"
    assert client.text(f"{into.path}/remote") == f"{host}\n"
    assert client.text(f"{out.path}/local") == f"{host}\n"
    assert client.text(f"{out.path}/remote") == f"{host}!{into.index}\n"
    assert client.text(f"{out.path}/status") == "Open\n"
    out.send(b"of either family")
    assert into.take() == b"of either family"
    client.write(out.ctl, b"hangup")
    assert client.text(f"{out.path}/status") == "Open\n"
    client.clunk(out.data)
    client.clunk(out.ctl)
    assert client.text(f"{out.path}/status") == "Closed\n"


def test_the_packet_is_rfc_4303_s(client: RawClient) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ESP) as raw:
        raw.settimeout(10)
        out = Association(client, f"127.0.0.1!{(1 << 32) - 1}")
        for number, payload in enumerate((b"", b"seven b", b"eight by"), 1):
            out.send(payload)
            padding = -(len(payload) + 2) % 4
            body = payload + bytes([1, 2, 3][:padding]) + bytes([padding, 0])
            assert raw.recv(100)[20:] == struct.pack(">II", (1 << 32) - 1, number) + body


def test_header_tells_the_next_one(client: RawClient) -> None:
    out, into = pair(client, client)
    client.write(out.ctl, b"header")
    out.send(b"\x04\0\0\0inner")
    assert into.take() == b"inner"
    client.write(into.ctl, b"header and more")
    out.send(b"\x29\1\2\3inner")
    assert into.take() == b"\x29\0\0\0inner"
    client.write(out.ctl, b"noheader")
    out.send(b"inner")
    assert into.take() == b"\0\0\0\0inner"


def test_what_is_too_short_for_its_header_is_dropped(door: Door) -> None:
    client = door.attach()
    out, _ = pair(client, client)
    client.write(out.ctl, b"header")
    out.send(b"\x04\0\0")
    until(lambda: door.core.stats()["dropped"] == 1, "one dropped")


def test_a_direction_has_one_half(client: RawClient) -> None:
    out, into = pair(client, client)
    assert [client.read(out.data) for _ in range(3)] == [b""] * 3
    with pytest.raises(RefusedError, match=r"^i/o on hungup channel$"):
        client.read(out.data)
    assert refusal(client, into.data, b"back") == "i/o on hungup channel"
    out.send(b"still")
    assert into.take() == b"still"


def test_what_does_not_authenticate_or_fit_is_counted(client: RawClient) -> None:
    out, into = pair(client, client)
    head = struct.pack(">II", into.index, 1)
    # A length that is no multiple of four, no trailer, more padding than there is, no payload.
    for bad in (b"12345", b"", b"ab\x05\0", b"\1\2\2\0"):
        speak(head + bad)
    out.send(b"good")
    assert into.take() == b"good"
    into.use("aes_128_cbc", "hmac_sha1_96")
    # In clear, and with another key than ours.
    out.send(b"in clear")
    out.use("aes_128_cbc", "hmac_md5_96")
    out.send(b"signed by another")
    out.use("aes_128_cbc", "hmac_sha1_96")
    out.send(b"ours")
    assert into.take() == b"ours"
    assert client.text("net/esp/stats") == "2 6\n"


def test_other_indexes_are_not_heard(client: RawClient) -> None:
    out, into = pair(client, client)
    second, other = pair(client, client)
    assert into.index != other.index
    out.send(b"one")
    second.send(b"other")
    assert (other.take(), into.take()) == (b"other", b"one")
    client.park(m.Tread(into.data, 0, 100), m.Tread(other.data, 0, 100))


def test_commands_and_their_refusals(client: RawClient) -> None:
    _, ctl = client.clone("net/esp")
    for command, why in (
        ("announce 7", "announce not supported"),
        ("announce", "announce not supported"),
        ("connect", "bad args to connect"),
        ("connect 127.0.0.1!7 127.0.0.1", "bad args to connect"),
        ("connect 127.0.0.1", "malformed address"),
        ("connect 127.0.0.1!", "malformed address"),
        ("connect 127.0.0.1!0x10", "malformed address"),
        ("connect 127.0.0.1!4294967296", "malformed address"),
        ("connect 1.2.3!7", "bad ip address syntax"),
        ("connect 169.254.1.1!7", "permission denied"),
        ("connect 0.0.0.0!*", "permission denied"),
        ("esp", "bad format"),
        ("ah a b c", "bad format"),
        ("esp rot13", "unknown algorithm"),
        ("ah aes_128_cbc", "unknown algorithm"),
        ("esp null 00", "key not required length"),
        ("esp aes_128_cbc", "key not required length"),
        ("esp aes_128_cbc 0011", "key not required length"),
        ("ah hmac_md5_96 " + 31 * "0" + "x", "non-hex character in key"),
        ("ah hmac_md5_96 \u00e4", "non-hex character in key"),
        ("keepalive", "unknown control request"),
    ):
        assert refusal(client, ctl, command.encode()) == why, command
    client.write(ctl, b"connect 127.0.0.1!0000000256")
    assert refusal(client, ctl, b"connect 127.0.0.1!*") == "connection in use"
    client.write(ctl, b"esp null")


def test_without_the_grant_nothing_leaves(place: Place) -> None:
    with hosts() as wired:
        capture = Capture(wired.own)
        client = wired.gateway(place).attach()
        _, ctl = client.clone("net.alt/esp")
        for whom in (f"{OTHER}!256", f"{OTHER}!*"):
            assert refusal(client, ctl, f"connect {whom}".encode()) == "permission denied"
        data = client.open("net.alt/esp/0/data", ORDWR)
        assert refusal(client, data, b"no") == "i/o on hungup channel"
        assert capture.sent() == []
        capture.close()


def test_a_host_beyond_a_wire(place: Place) -> None:
    with hosts() as wired:
        client = wired.gateway(place, grant=GRANT).attach()
        out = Association(client, f"{OTHER}!4321", "net.alt")
        assert client.text(f"{out.path}/local") == f"{OWN}\n"
        (tag,) = client.park(m.Tread(into_of(client), 0, 100))
        out.send(b"anybody?")
        # Its kernel speaks no esp, and says so; what hears nothing is not told.
        with pytest.raises(RefusedError, match=r"^protocol unreachable$"):
            client.write(out.data, b"again")
        client.ask(m.Tflush(tag))


def into_of(client: RawClient) -> int:
    """The data of an incoming association from the other host."""
    return Association(client, f"{OTHER}!*", "net.alt").data
