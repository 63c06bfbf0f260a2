"""Whole packets of ICMP with loopback, which answers echo requests by itself (docs/raw.md)."""

from __future__ import annotations

import os
import re
import socket
import struct
from typing import TYPE_CHECKING, Final

import pytest

from netrelay import messages as m
from netrelay.types import ORDWR
from tests.netns.lab import until
from tests.served import need

from .hosts import checksum
from .rawclient import RefusedError, data_of

if TYPE_CHECKING:
    from netrelay.core import Core

    from .conftest import Door, Place
    from .rawclient import RawClient

HUNGUP: Final = r"^i/o on hungup channel$"
DENIED: Final = r"^permission denied$"
LOOPBACK: Final = {"icmp": "127.0.0.1", "icmpv6": "::1"}
REQUEST: Final = {"icmp": 8, "icmpv6": 128}
HEADER: Final = {"icmp": 20, "icmpv6": 40}
GRANT: Final = ("icmp-raw",)


@pytest.fixture(autouse=True)
def _served(core: Core) -> None:
    need(core, "icmp")
    if os.geteuid() != 0:
        pytest.skip("only root has raw sockets for certain")


@pytest.fixture(params=["icmp", "icmpv6"])
def net(request: pytest.FixtureRequest) -> str:
    """Either protocol."""
    return str(request.param)


@pytest.fixture
def door(place: Place) -> Door:
    """A gateway with the grant."""
    return place.gateway(grant=GRANT)


def echo(net: str, payload: bytes = b"payload", *, kind: int | None = None, seq: int = 1) -> bytes:
    """A request as a client writes it: of its header, checksum and id nothing is used."""
    kind = REQUEST[net] if kind is None else kind
    return b"\xee" * HEADER[net] + struct.pack(">BBHHH", kind, 0, 9, 9, seq) + payload


def dialled(client: RawClient, net: str, spec: str = "") -> tuple[int, int, int]:
    """A conversation with loopback: its ctl, data and id."""
    number, ctl = client.clone(f"net/{net}")
    client.write(ctl, f"connect {LOOPBACK[net]}!1 {spec}".encode())
    data = client.open(f"net/{net}/{number}/data", ORDWR)
    return ctl, data, int(client.text(f"net/{net}/{number}/local").rpartition("!")[2])


def refusal(client: RawClient, fid: int, text: bytes) -> str:
    """Why a write is refused."""
    with pytest.raises(RefusedError) as refused:
        client.write(fid, text)
    return str(refused.value)


def message_of(net: str, packet: bytes) -> tuple[int, int, int, int, bytes]:
    """Type, code, id, sequence number and the rest of a whole packet."""
    kind, code, _, number, seq = struct.unpack_from(">BBHHH", packet, HEADER[net])
    return kind, code, number, seq, packet[HEADER[net] + 8 :]


@pytest.mark.parametrize("grant", [(), GRANT])
def test_a_request_is_answered_with_a_whole_packet(
    place: Place, net: str, grant: tuple[str, ...]
) -> None:
    client = place.gateway(grant=grant).attach()
    _, data, number = dialled(client, net)
    packet = echo(net, b"a payload of odd size")
    assert client.write(data, packet) == len(packet)
    answer = client.read(data)
    reply = {"icmp": 0, "icmpv6": 129}[net]
    assert message_of(net, answer) == (reply, 0, number, 1, b"a payload of odd size")
    assert len(answer) == len(packet)
    if net == "icmp":
        assert answer[:8] == struct.pack(">BBHHH", 0x45, 0, len(answer), 0, 0)
        assert answer[9] == 1
        assert answer[12:20] == socket.inet_aton("127.0.0.1") * 2
        assert checksum(answer[:20]) == checksum(answer[20:]) == 0
    else:
        assert answer[:7] == struct.pack(">IHB", 6 << 28, len(answer) - 40, 58)
        assert answer[8:40] == socket.inet_pton(socket.AF_INET6, "::1") * 2
    assert client.text(f"net/{net}/0/remote") == f"{LOOPBACK[net]}!1\n"
    assert client.text(f"net/{net}/0/local") == f"{LOOPBACK[net]}!{number}\n"


def test_each_conversation_hears_its_own_id_alone(client: RawClient, net: str) -> None:
    one, other = dialled(client, net), dialled(client, net)
    assert one[2] != other[2]
    client.write(one[1], echo(net, b"one"))
    client.write(other[1], echo(net, b"other"))
    assert message_of(net, client.read(other[1]))[2:] == (other[2], 1, b"other")
    assert message_of(net, client.read(one[1]))[2:] == (one[2], 1, b"one")
    client.park(m.Tread(one[1], 0, 100), m.Tread(other[1], 0, 100))


@pytest.mark.parametrize("grant", [(), GRANT])
def test_an_id_is_one_conversation_s_until_its_end(
    place: Place, net: str, grant: tuple[str, ...]
) -> None:
    client = place.gateway(grant=grant).attach()
    ctl, data, number = dialled(client, net, "4711")
    assert number == 4711
    _, second = client.clone(f"net/{net}")
    again = f"connect {LOOPBACK[net]}!1 4711".encode()
    assert refusal(client, second, again) == "address in use"
    _, third = client.clone(f"net/{net}")
    assert refusal(client, third, b"announce 4711") == "address in use"
    assert refusal(client, third, b"bind 4711") == "address in use"
    client.write(ctl, b"hangup")
    client.write(third, b"announce 4711")
    assert client.read(data) == b""


def test_a_restricted_id_is_low(client: RawClient, net: str) -> None:
    number, ctl = client.clone(f"net/{net}")
    client.write(ctl, f"connect {LOOPBACK[net]}!1!r".encode())
    text = client.text(f"net/{net}/{number}/local")
    assert int(text.rpartition("!")[2]) in range(600, 1024)


def test_bind_chooses_the_id_of_a_later_connect(client: RawClient, net: str) -> None:
    _, ctl = client.clone(f"net/{net}")
    client.write(ctl, f"bind {LOOPBACK[net]}!4712".encode())
    client.write(ctl, f"connect {LOOPBACK[net]}!1".encode())
    assert client.text(f"net/{net}/0/local") == f"{LOOPBACK[net]}!4712\n"


def test_without_the_grant_nothing_but_echo_requests_leaves(place: Place, net: str) -> None:
    client = place.gateway().attach()
    _, data, _ = dialled(client, net)
    for kind in (0, 3, 5, 13, 129, 133, 135, 137):
        if kind != REQUEST[net]:
            with pytest.raises(RefusedError, match=DENIED):
                client.write(data, echo(net, kind=kind))
    coded = bytearray(echo(net))
    coded[HEADER[net] + 1] = 1
    with pytest.raises(RefusedError, match=DENIED):
        client.write(data, bytes(coded))
    client.write(data, echo(net))
    assert message_of(net, client.read(data))[3] == 1


@pytest.mark.parametrize("grant", [(), GRANT])
def test_other_messages_are_heard_with_the_grant_alone(
    place: Place, grant: tuple[str, ...]
) -> None:
    client = place.gateway(grant=grant).attach()
    _, data, number = dialled(client, "icmp")
    # Answers to a timestamp request that nobody has sent, with our id.
    speak(struct.pack(">BBHHH", 14, 0, 0, number, 7) + bytes(12))
    client.write(data, echo("icmp"))
    kinds = [message_of("icmp", client.read(data))[0] for _ in range(2 if grant else 1)]
    assert kinds == ([14, 0] if grant else [0])


def test_the_host_s_own_business_is_not_heard(client: RawClient) -> None:
    _, data, number = dialled(client, "icmp")
    for kind in (8, 3, 11):
        speak(struct.pack(">BBHHH", kind, 9, 0, number, 7) + b"not for us")
    client.write(data, echo("icmp"))
    assert message_of("icmp", client.read(data))[0] == 0


def test_a_message_with_a_wrong_checksum_is_not_heard(client: RawClient) -> None:
    _, data, number = dialled(client, "icmp")
    speak(struct.pack(">BBHHH", 0, 0, 0xBAD, number, 7), summed=False)
    speak(struct.pack(">BBHHH", 0, 0, 0, number, 8))
    assert message_of("icmp", client.read(data))[3] == 8


def speak(message: bytes, *, summed: bool = True, to: str = "127.0.0.1") -> None:
    """A message from loopback; one of each size is even."""
    if summed:
        total = checksum(message)
        message = message[:2] + struct.pack(">H", total) + message[4:]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.sendto(message, (to, 0))


def test_an_announced_conversation_hears_whoever_has_its_id(client: RawClient, net: str) -> None:
    number, ctl = client.clone(f"net/{net}")
    client.write(ctl, b"announce 4713")
    data = client.open(f"net/{net}/{number}/data", ORDWR)
    assert client.text(f"net/{net}/0/local") == "::!4713\n"
    with pytest.raises(RefusedError, match=HUNGUP):
        client.write(data, echo(net))
    if net == "icmp":
        for address in ("127.0.0.1", "127.0.0.9"):
            speak(struct.pack(">BBHHH", 0, 0, 0, 4713, 1), to=address)
        assert [client.read(data)[16:20][-1] for _ in range(2)] == [1, 9]
    listen = client.walk(f"net/{net}/{number}/listen")
    (tag,) = client.park(m.Topen(listen, ORDWR))
    client.write(ctl, b"hangup")
    with pytest.raises(RefusedError, match=r"^listen hungup$"):
        client.wait(tag)


def test_one_announced_at_an_address_hears_what_is_sent_there(client: RawClient) -> None:
    number, ctl = client.clone("net/icmp")
    client.write(ctl, b"announce 127.0.0.9!4714")
    data = client.open(f"net/icmp/{number}/data", ORDWR)
    for address, seq in (("127.0.0.1", 1), ("127.0.0.9", 2)):
        speak(struct.pack(">BBHHH", 0, 0, 0, 4714, seq), to=address)
    assert message_of("icmp", client.read(data))[3] == 2


def test_what_is_too_short_is_dropped(door: Door, net: str) -> None:
    client = door.attach()
    _, data, _ = dialled(client, net)
    for size in (0, HEADER[net], HEADER[net] + 7):
        assert client.write(data, bytes(size)) == size
    until(lambda: door.core.stats()["dropped"] == 3, "three dropped")


def test_the_largest_packet_goes_and_a_larger_one_is_refused(door: Door) -> None:
    client = door.attach(msize=1 << 20)
    _, data, _ = dialled(client, "icmp")
    largest = echo("icmp", bytes(65535 - 28))
    assert client.write(data, largest) == 65535
    assert len(client.read(data, 1 << 17)) == 65535
    with pytest.raises(RefusedError, match=r"^read or write too large$"):
        client.write(data, largest + b"x")


def test_ttl_and_tos_are_those_of_ctl(client: RawClient) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.settimeout(10)
        ctl, data, number = dialled(client, "icmp")
        client.write(ctl, b"ttl 3")
        client.write(ctl, b"tos 16")
        client.write(data, echo("icmp"))
        while True:
            seen = raw.recv(100)
            if message_of("icmp", seen)[:3] == (8, 0, number):
                break
    assert (seen[8], seen[1]) == (3, 16)


def test_status_has_one_word_and_the_queues(client: RawClient, net: str) -> None:
    number, ctl = client.clone(f"net/{net}")
    status = f"net/{net}/{number}/status"
    assert client.text(status) == "Datagram qin 0 qout 0\n"
    client.write(ctl, f"connect {LOOPBACK[net]}!1".encode())
    data = client.open(f"net/{net}/{number}/data", ORDWR)
    client.write(data, echo(net, b"12345"))
    size = HEADER[net] + 8 + 5
    assert re.fullmatch(rf"Datagram qin {size} qout \d+\n", client.text(status))
    client.write(ctl, b"hangup")
    assert client.text(status) == "Datagram qin 0 qout 0\n"
    assert len(client.read(data)) == size
    assert [client.read(data) for _ in range(3)] == [b""] * 3
    with pytest.raises(RefusedError, match=HUNGUP):
        client.read(data)


def test_addresses_are_of_the_protocol_s_family(client: RawClient, net: str) -> None:
    other = LOOPBACK[{"icmp": "icmpv6", "icmpv6": "icmp"}[net]]
    _, ctl = client.clone(f"net/{net}")
    for command in (
        f"connect {other}!1",
        f"connect {LOOPBACK[net]}!1 {other}!7",
        f"announce {other}!7",
        f"bind {other}!7",
        "connect ::ffff:127.0.0.1!1" if net == "icmpv6" else "connect fe80::1!1",
    ):
        assert refusal(client, ctl, command.encode()) == "bad ip address syntax", command
    client.write(ctl, f"connect {LOOPBACK[net]}!1".encode())


def test_verbs_are_those_of_packets(client: RawClient, net: str) -> None:
    _, ctl = client.clone(f"net/{net}")
    for command, why in (
        (b"frob", "unknown control request"),
        (b"keepalive", "unknown control request"),
        (b"addmulti 127.0.0.1", "unknown control request"),
        (b"connect", "bad args to connect"),
        (b"connect 127.0.0.1", "malformed address"),
        (b"announce *!*", "permission denied"),
        (b"connect 127.0.0.1!1 1 2", "bad args to connect"),
    ):
        assert refusal(client, ctl, command) == why, command
    if net == "icmp":
        assert refusal(client, ctl, b"headers") == "unknown control request"
    else:
        client.write(ctl, b"headers and more")
    client.write(ctl, f"connect {LOOPBACK[net]}!1".encode())
    assert refusal(client, ctl, b"announce 0") == "connection in use"


def test_headers_need_the_grant(place: Place) -> None:
    client = place.gateway().attach()
    _, ctl = client.clone("net/icmpv6")
    assert refusal(client, ctl, b"headers") == "permission denied"


def test_with_headers_addresses_and_id_are_used_as_written(client: RawClient) -> None:
    number, ctl = client.clone("net/icmpv6")
    client.write(ctl, b"announce 4715")
    client.write(ctl, b"headers")
    data = client.open(f"net/icmpv6/{number}/data", ORDWR)
    loopback = socket.inet_pton(socket.AF_INET6, "::1")
    message = struct.pack(">BBHHH", 128, 0, 0, 4715, 3) + b"six"
    for source in (loopback, bytes(16)):
        client.write(data, bytes(8) + source + loopback + message)
        answer = client.read(data)
        assert message_of("icmpv6", answer) == (129, 0, 4715, 3, b"six")
        assert answer[8:40] == loopback * 2
    elsewhere = socket.inet_pton(socket.AF_INET6, "2001:db8::77")
    with pytest.raises(RefusedError, match=r"^not a local IP address$"):
        client.write(data, bytes(8) + elsewhere + loopback + message)
    for guarded in ("fe80::1", "ff02::1", "::"):
        to = socket.inet_pton(socket.AF_INET6, guarded)
        with pytest.raises(RefusedError, match=DENIED):
            client.write(data, bytes(8) + loopback + to + message)


def test_stats_are_the_host_s_counts(client: RawClient, net: str) -> None:
    _, data, _ = dialled(client, net)
    name = {"icmp": "EchoRequest", "icmpv6": "EchoRequestV6"}[net]

    def requests() -> tuple[int, int]:
        lines = dict(line.split(": ") for line in client.text(f"net/{net}/stats").splitlines())
        coming, going = lines[name].split()
        return int(coming), int(going)

    before = requests()
    client.write(data, echo(net))
    client.read(data)
    after = requests()
    assert after[0] > before[0]
    assert after[1] > before[1]
    text = client.text(f"net/{net}/stats")
    assert text.startswith("InMsgs: ")
    assert len(text.splitlines()) == {"icmp": 25, "icmpv6": 34}[net]


def test_advice_is_about_packets_of_one_s_own(door: Door) -> None:
    client = door.attach()
    _, data, number = dialled(client, "icmp")
    quoted = struct.pack(">BBHHHBBH", 0x45, 0, 28, 0, 0, 64, 1, 0)
    quoted += socket.inet_aton("127.0.0.1") * 2

    def unreachable(ident: int) -> None:
        about = quoted + struct.pack(">BBHHH", 8, 0, 0, ident, 1)
        speak(struct.pack(">BBHHH", 3, 1, 0, 0, 0) + about)

    unreachable(number ^ 1)
    client.write(data, echo("icmp"))
    assert message_of("icmp", client.read(data))[0] == 0
    (tag,) = client.park(m.Tread(data, 0, 100))
    unreachable(number)
    for _ in range(2):
        with pytest.raises(RefusedError, match=r"^host unreachable$"):
            client.wait(tag)
        (tag,) = client.send(m.Tread(data, 0, 100))
    with pytest.raises(RefusedError, match=r"^host unreachable$"):
        client.write(data, echo("icmp"))


def test_reads_take_one_packet_each_in_order(client: RawClient, net: str) -> None:
    _, data, _ = dialled(client, net)
    tags = client.park(*(m.Tread(data, 0, 100) for _ in range(3)))
    client.ask(m.Tflush(tags[0]))
    for seq in (1, 2):
        client.write(data, echo(net, seq=seq))
    answers = [data_of(client.wait(tag)) for tag in tags[1:]]
    assert [message_of(net, answer)[3] for answer in answers] == [1, 2]


def test_the_guard_is_that_of_every_connect(place: Place, net: str) -> None:
    client = place.gateway(grant=GRANT, allow_dial=()).attach()
    _, ctl = client.clone(f"net/{net}")
    address = {"icmp": "169.254.169.254", "icmpv6": "fe80::1"}[net]
    for host in (LOOPBACK[net], address):
        assert refusal(client, ctl, f"connect {host}!1".encode()) == "permission denied"
