"""A host that sends what it likes to every protocol: it reaches its own conversations at most.

Packets are valid ones and mutations of them, checksums mended half the time so that they get past
the first check. Afterwards every protocol still works, and a call that was up all the while has
lost nothing.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from netrelay import messages as m
from netrelay.gateway.grants import GRANTS
from netrelay.reference.il.packet import ACK, CLOSE, DATA, QUERY, STATE, SYNC, Packet, decode
from netrelay.types import ORDWR
from tests.served import LACKING

from .hosts import OTHER, OTHER6, OWN, OWN6, checksum, hosts
from .rawclient import PATIENCE_S, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netrelay.core import Core

    from .conftest import Place
    from .hosts import Hosts
    from .rawclient import RawClient

pytestmark = [pytest.mark.netns, pytest.mark.timeout(300)]

ROUNDS, A_ROUND, READS = 100, 60, 4
ECHO_ID, IL_PORT, UDP_PORT = 4711, 7777, 5353
# What a call of the stranger's begins with, mostly.
CALLED_AT: Final = 0x100
ICMP, UDP, IL, GRE, ESP, ICMP6, MUXED = 1, 17, 40, 47, 50, 58, 253
IPV4 = struct.pack(">BBHHHBBH", 0x45, 0, 48, 1, 0, 64, UDP, 0)


@dataclass(frozen=True)
class Conversation:
    """One that reads what comes."""

    net: str
    ctl: int
    data: int


@pytest.fixture
def wired(core: Core) -> Iterator[Hosts]:
    """Two hosts; the network of one is the gateway's `/net.alt`."""
    if LACKING[core.name]:
        pytest.skip(f"the {core.name} core does not serve the whole tree")
    with hosts() as made:
        yield made


def opened(client: RawClient, net: str, *commands: str) -> Conversation:
    """A conversation after those commands."""
    number, ctl = client.clone(f"net.alt/{net}")
    for command in commands:
        client.write(ctl, command.encode())
    return Conversation(net, ctl, client.open(f"net.alt/{net}/{number}/data", ORDWR))


def everything(client: RawClient) -> list[Conversation]:
    """A conversation of each protocol, which takes what the other host sends."""
    return [
        opened(client, "icmp", f"connect {OTHER}!1!r {ECHO_ID}"),
        opened(client, "icmp", f"announce {ECHO_ID + 1}"),
        opened(client, "icmpv6", f"connect {OTHER6}!1 {ECHO_ID}", "ignoreadvice"),
        opened(client, "icmpv6", f"connect {OTHER6}!1 {ECHO_ID + 1}"),
        opened(client, "gre", f"connect {OTHER}!2048", "raw"),
        opened(client, "gre", f"connect {OTHER6}!2048"),
        opened(client, "ipmux", "connect proto=fd;data[0:1]=0001|0102"),
        opened(client, "ipmux", "connect ver=6;proto=fd"),
        opened(client, "esp", f"connect {OTHER}!*", "esp null", "ah null"),
        opened(client, "esp", f"connect {OTHER6}!*", "header",
               f"esp aes_128_cbc {'00' * 16}", f"ah hmac_sha1_96 {'11' * 16}"),
        opened(client, "udp", f"announce *!{UDP_PORT}", "headers"),
        opened(client, "il", f"announce *!{IL_PORT}"),
    ]  # fmt: skip


class Stranger:
    """The other host and what it sends."""

    def __init__(self, seed: int, indexes: list[int]) -> None:
        self._whim = random.Random(seed)
        self._indexes = indexes
        self._socks: dict[tuple[int, int], socket.socket] = {}
        self._last = 0

    def close(self) -> None:
        """Its sockets."""
        for sock in self._socks.values():
            sock.close()

    def storm(self, count: int) -> None:
        """Packets, one like no other."""
        for _ in range(count):
            protocol, packet = self._whim.choice(list(self._valid().items()))
            family = self._whim.choice((socket.AF_INET, socket.AF_INET6))
            if protocol in {ICMP6, ICMP}:
                family = socket.AF_INET6 if protocol == ICMP6 else socket.AF_INET
            self._send(family, protocol, self._mutated(protocol, bytearray(packet)))

    def _send(self, family: int, protocol: int, packet: bytes) -> None:
        key = family, protocol
        if key not in self._socks:
            self._socks[key] = socket.socket(family, socket.SOCK_RAW, protocol)
        # Its own kernel does not let it say everything: no ICMP without a header.
        with contextlib.suppress(OSError):
            self._socks[key].sendto(packet, (OWN if family == socket.AF_INET else OWN6, 0))

    def _valid(self) -> dict[int, bytes]:
        whim = self._whim
        kind = whim.choice((0, 3, 4, 5, 11, 12, 13, 14, 17))
        quoted = IPV4 + socket.inet_aton(OWN) + socket.inet_aton(OTHER) + bytes(8)
        quoted6 = struct.pack(">IHBB", 6 << 28, 8, ICMP6, 9) + socket.inet_pton(10, OWN6)
        quoted6 += socket.inet_pton(10, OTHER6) + struct.pack(">BBHHH", 128, 0, 0, ECHO_ID, 1)
        number = whim.choice((ECHO_ID, ECHO_ID + 1))
        return {
            ICMP: struct.pack(">BBHHH", kind, whim.randrange(3), 0, number, 1)
            + (quoted if kind in {3, 11, 12} else whim.randbytes(20)),
            ICMP6: struct.pack(">BBHHH", whim.choice((1, 2, 3, 129, 200)), 0, 0, number, 1)
            + quoted6,
            GRE: struct.pack(">HHI", whim.choice((0, 0x2000, 0x4000, 0xB001)), 2048, 7)
            + whim.randbytes(30),
            ESP: struct.pack(">II", whim.choice(self._indexes), 1) + whim.randbytes(64),
            MUXED: whim.choice((b"\0\1", b"\1\2")) + whim.randbytes(50),
            UDP: struct.pack(">HHHH", 9, UDP_PORT, 40, 0) + whim.randbytes(32),
            IL: self._il().encoded(),
        }

    def _il(self) -> Packet:
        """A call, or what belongs to one that was answered."""
        whim = self._whim
        kind = whim.choice((SYNC, SYNC, DATA, DATA, ACK, QUERY, STATE, CLOSE))
        theirs = self._answered() if kind != SYNC else 0
        ours = whim.choice((CALLED_AT, CALLED_AT + 1, whim.randrange(1 << 32)))
        data = whim.randbytes(whim.randrange(40)) if kind == DATA else b""
        return Packet(kind, 0, whim.choice((9, IL_PORT)), IL_PORT, ours, theirs, data)

    def _answered(self) -> int:
        """The id of the last answer that the gateway gave."""
        sock = self._socks.get((socket.AF_INET, IL))
        with contextlib.suppress(BlockingIOError):
            while sock is not None:
                self._last = decode(sock.recv(2000, socket.MSG_DONTWAIT)[20:]).id
        return self._last

    def _mutated(self, protocol: int, packet: bytearray) -> bytes:
        whim = self._whim
        for _ in range(whim.choice((0, 0, 1, 2, 5))):
            match whim.randrange(3):
                case 0 if packet:
                    packet[whim.randrange(len(packet))] = whim.randrange(256)
                case 1:
                    del packet[whim.randrange(len(packet) + 1) :]
                case _:
                    at = whim.randrange(len(packet) + 1)
                    packet[at:at] = whim.randbytes(whim.randrange(1, 60))
        sums = {ICMP: 2, IL: 0}
        if protocol in sums and len(packet) >= 18 and whim.random() < 0.5:
            at = sums[protocol]
            packet[at : at + 2] = b"\0\0"
            length = len(packet)
            if protocol == IL:
                packet[2:4] = struct.pack(">H", length)
            packet[at : at + 2] = struct.pack(">H", checksum(bytes(packet)))
        return bytes(packet)


@pytest.mark.parametrize(
    "seed", [20, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(100, 140))]
)
def test_what_a_host_sends_costs_nobody_else_anything(
    place: Place, wired: Hosts, seed: int
) -> None:
    door = wired.gateway(place, grant=tuple(GRANTS))
    bystander, victim = door.attach("rob"), door.attach()
    number, _, port = bystander.announce(f"{OWN}!0", "net.alt/tcp")
    with wired.other.inside():
        far = socket.create_connection((OWN, port), PATIENCE_S)
    _, _, call = bystander.call(number, "net.alt/tcp")
    conversations = everything(victim)
    indexes = [
        int(victim.text(f"net.alt/esp/{each}/local").strip().rpartition("!")[2]) for each in "01"
    ]
    taken = set()
    with wired.other.inside():
        stranger = Stranger(seed, indexes)
        try:
            for at in range(ROUNDS):
                reads = [m.Tread(each.data, 0, 3000) for each in conversations] * READS
                listen = m.Topen(victim.walk("net.alt/il/0/listen"), ORDWR)
                tags = victim.send(*reads, listen)
                stranger.storm(A_ROUND)
                for tag in tags:
                    victim.ask(m.Tflush(tag))
                taken |= {
                    each.net
                    for each, tag in zip(conversations * READS, tags, strict=False)
                    if isinstance(victim.seen.get(tag), m.Rread)
                }
                if isinstance(victim.seen.get(tags[-1]), m.Ropen):
                    taken.add("il")
                bystander.write(call, b"%4d" % at)
                assert far.recv(4, socket.MSG_WAITALL) == b"%4d" % at
        finally:
            stranger.close()
    far.close()
    # Or the storm was none.
    assert taken == {each.net for each in conversations}
    assert door.core.stats()["panics"] == 0
    victim.close()
    works_still(door.attach())


def works_still(client: RawClient) -> None:
    """Echoes of both families, and a call of il between two numbers of the gateway."""
    for net, host, header, request in (("icmp", OTHER, 20, 8), ("icmpv6", OTHER6, 40, 128)):
        one = opened(client, net, f"connect {host}!1")
        packet = bytes(header) + struct.pack(">BBHHH", request, 0, 0, 0, 1) + b"still there?"
        client.write(one.data, packet)
        while not client.read(one.data).endswith(b"still there?"):
            pass
    announced, _, port = client.announce(f"{OWN}!0", "net.alt/il")
    listen = client.walk(f"net.alt/il/{announced}/listen")
    (waiting,) = client.send(m.Topen(listen, ORDWR))
    _, _, calling = client.dial(port, OWN, "net.alt/il")
    client.wait(waiting)
    called = client.open(f"net.alt/il/{int(client.read(listen))}/data", ORDWR)
    client.write(calling, b"still there?")
    assert client.read(called) == b"still there?"
    client.ask(m.Twalk(ROOT, client.new_fid(), ()))
