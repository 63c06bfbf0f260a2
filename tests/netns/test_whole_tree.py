"""The README's picture with every protocol: flows end at programs that nobody here wrote.

All of it goes through a session from the inside, which has no route to the Internet. The other
ends are dnsmasq, pyftpdlib with an unmodified curl, scapy for GRE and ESP, and, as nobody else has
spoken IL for long, a second gateway.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import dns.message
import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import ESP, SecurityAssociation
from scapy.layers.l2 import GRE
from scapy.packet import Raw

import netrelay.sync
from netrelay.errors import NetError
from netrelay.gateway.grants import GRANTS

from .capture import Capture
from .lab import Host, until
from .picture import GATEWAY, NETRELAY, OUTER, Picture, drawn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from netrelay.client.blocking import SyncFile
    from netrelay.client.sync import SyncSession

pytestmark = [pytest.mark.netns, pytest.mark.interop, pytest.mark.timeout(180)]

FAMILIES: Final = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
HEADER: Final = {"ipv4": IP, "ipv6": IPv6}
# How many bytes of IP header a raw socket hands out.
SKIP: Final = {"ipv4": 20, "ipv6": 0}
GRANTED: Final = tuple(word for grant in GRANTS for word in ("--grant", grant))


@pytest.fixture(params=["rust", "python"])
def core(request: pytest.FixtureRequest) -> str:
    """Each core's name in turn: the gateway is a program."""
    core: str = request.param
    return core


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    """Either version of IP on the outer wire."""
    return str(request.param)


@pytest.fixture
def picture(core: str) -> Iterator[Picture]:
    """The hosts, with a gateway that grants all there is."""
    with drawn(core, *GRANTED) as made:
        yield made


@pytest.fixture
def session(picture: Picture) -> Iterator[SyncSession]:
    """A session from the inside."""
    with attached(picture.first) as made:
        yield made


@contextlib.contextmanager
def attached(host: Host, gateway: str = "10.77.1.1") -> Iterator[SyncSession]:
    """A session of a program in `host`."""
    with host.inside():
        context = netrelay.sync.connect(GATEWAY.format(gateway))
        made = context.__enter__()
    try:
        yield made
    finally:
        context.__exit__(None, None, None)


@dataclass(frozen=True)
class Conversation:
    """One that is open: its ctl and data, and its directory."""

    ctl: SyncFile
    data: SyncFile
    path: str


@contextlib.contextmanager
def conversation(session: SyncSession, net: str, *commands: str) -> Iterator[Conversation]:
    """A conversation of a protocol that dial does not know, after those commands."""
    with session.open(f"/net/{net}/clone", "r+") as ctl:
        path = f"/net/{net}/{ctl.read(16).decode()}"
        for command in commands:
            ctl.write(command.encode())
        with session.open(f"{path}/data", "r+") as data:
            yield Conversation(ctl, data, path)


def bracketed(address: str) -> str:
    """An address as a dial string has it."""
    return f"[{address}]" if ":" in address else address


def test_a_name_server_is_asked_by_udp(picture: Picture, session: SyncSession, family: str) -> None:
    far = OUTER[family][1]
    picture.internet.start(
        "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
        "--user=nobody", "--bind-interfaces", f"--listen-address={far}",
        "--address=/printer.example/192.0.2.7", "--address=/printer.example/2001:db8::7",
    )  # fmt: skip
    until(
        lambda: f"{bracketed(far)}:53 " in picture.internet.run("ss", "-Hlun").stdout,
        "the name server",
    )
    with session.dial(f"udp!{bracketed(far)}!53") as call:
        for kind, wanted in (("A", "192.0.2.7"), ("AAAA", "2001:db8::7")):
            query = dns.message.make_query("printer.example", kind)
            call.write(query.to_wire())
            answer = dns.message.from_wire(call.read(4096))
            assert answer.id == query.id
            assert [item.to_text() for item in answer.answer[0]] == [wanted]


def test_ftp_calls_back_to_an_unmodified_client(
    picture: Picture, family: str, tmp_path: Path
) -> None:
    """Active mode: the server dials the client, which has no address that it could reach."""
    here, far = OUTER[family]
    served = tmp_path / "served"
    served.mkdir()
    (served / "file").write_bytes(bytes(range(256)) * 4096)
    picture.internet.start(
        sys.executable, "-m", "pyftpdlib", "-i", far, "-p", "21", "-d", str(served)
    )  # fmt: skip
    until(lambda: ":21 " in picture.internet.run("ss", "-Hltn").stdout, "the FTP server")
    loopback = {"ipv4": "127.0.0.1", "ipv6": "[::1]"}[family]
    importer = picture.importer(
        picture.first, "10.77.1.1", "--forward", f"{loopback}:2121:{bracketed(far)}:21",
        "--publish", f"2020:{loopback}:2020",
    )  # fmt: skip
    importer.wait_for("2020")
    until(lambda: ":2121 " in picture.first.run("ss", "-Hltn").stdout, "the forwarded port")
    picture.first.run(
        "curl", "-sS", "-g", "-m", "20", "--ftp-port", f"{bracketed(here)}:2020-2020",
        "-o", str(tmp_path / "got"), f"ftp://{loopback}:2121/file",
    )  # fmt: skip
    assert (tmp_path / "got").read_bytes() == (served / "file").read_bytes()


def test_the_outer_wire_is_watched_from_the_inside(
    picture: Picture, family: str, tmp_path: Path
) -> None:
    """A ping of the far kernel, and what tshark makes of a capture of it through the files."""
    here, far = OUTER[family]
    kind = {"ipv4": "icmp", "ipv6": "icmpv6"}[family]
    requests = {"ipv4": "icmp[0] == 8 or icmp[0] == 0", "ipv6": "ip6[40] == 128 or ip6[40] == 129"}
    address, file = GATEWAY.format("10.77.1.1"), tmp_path / "outer.pcapng"
    snoop = picture.first.start(
        *NETRELAY, "snoop", address, "ether0", "--filter", requests[family],
        "--count", "6", "--write", str(file),
    )  # fmt: skip
    snoop.wait_for("watching ether0")
    pinged = picture.first.run(*NETRELAY, "ping", address, far, "-c", "3", "-i", "0.05").stdout
    assert f"64 bytes from {far}: seq 1 ttl 64 " in pinged
    assert "3 sent, 3 received, 0 % lost" in pinged
    snoop.wait_for("netrelay: 6 ")
    assert snoop.process.wait(30) == 0
    layer = {"ipv4": "ip", "ipv6": "ipv6"}[family]
    seen = picture.first.run(
        "tshark", "-n", "-r", str(file), "-T", "fields", "-E", "separator= ",
        "-e", f"{layer}.src", "-e", f"{layer}.dst", "-e", f"{kind}.type",
    ).stdout.splitlines()  # fmt: skip
    asked, answered = {"ipv4": ("8", "0"), "ipv6": ("128", "129")}[family]
    assert seen.count(f"{here} {far} {asked}") == 3
    assert seen.count(f"{far} {here} {answered}") == 3


def test_gre_flows_both_ways(picture: Picture, session: SyncSession, family: str) -> None:
    """A ping inside a tunnel: the inside asks, and a foreign end of the tunnel answers."""
    here, far = OUTER[family]
    theirs = picture.internet.socket(FAMILIES[family], socket.SOCK_RAW, socket.IPPROTO_GRE)
    with conversation(session, "gre", f"connect {far}!{0x0800}") as ours:
        inner = IP(src="192.168.7.1", dst="192.168.7.2") / ICMP(id=7, seq=1) / b"through a tunnel"
        ends = [ip_address(end).packed for end in (far, here)]
        ours.data.write(bytes(2 * len(ends[0])) + bytes(GRE(proto=0x0800) / inner))
        received, whence = theirs.recvfrom(2000)
        assert whence[0] == here
        asked = GRE(received[SKIP[family] :])
        assert (asked.proto, asked[ICMP].type, asked[Raw].load) == (0x0800, 8, b"through a tunnel")
        answer = IP(src=asked[IP].dst, dst=asked[IP].src) / ICMP(type=0, id=7, seq=1) / asked[Raw]
        theirs.sendto(bytes(GRE(proto=0x0800) / answer), (here, 0))
        got = ours.data.read(2000)
        assert got[: 2 * len(ends[0])] == b"".join(ends)
        reply = GRE(got[2 * len(ends[0]) :])
        assert (reply[IP].src, reply[ICMP].type) == ("192.168.7.2", 0)
        assert reply[Raw].load == b"through a tunnel"


KEY, SECRET = bytes(range(16)), bytes(range(100, 116))


def test_esp_flows_both_ways(picture: Picture, session: SyncSession, family: str) -> None:
    """A foreign IPsec opens what the inside seals, and the inside what it seals."""
    here, far = OUTER[family]
    header = HEADER[family]
    theirs = picture.internet.socket(FAMILIES[family], socket.SOCK_RAW, socket.IPPROTO_ESP)
    # The last digits of a key are its first byte.
    keyed = (
        f"esp aes_128_cbc {KEY[::-1].hex()}",
        f"ah hmac_sha1_96 {SECRET[::-1].hex()}",
        "header",
    )
    with (
        conversation(session, "esp", f"connect {far}!4660", *keyed) as out,
        conversation(session, "esp", f"connect {far}!*", *keyed) as into,
    ):
        before = [socket.IPPROTO_UDP, 0, 0, 0]
        out.data.write(bytes(before) + bytes(UDP(sport=7, dport=9) / b"sealed inside"))
        received, whence = theirs.recvfrom(2000)
        assert whence[0] == here
        packet = header(src=here, dst=far) / ESP(received[SKIP[family] :])
        opened = association(4660).decrypt(header(bytes(packet)))
        assert (opened[UDP].sport, opened[Raw].load) == (7, b"sealed inside")

        index = int(session.read(f"{into.path}/local").decode().strip().rpartition("!")[2])
        plain = header(src=far, dst=here) / UDP(sport=9, dport=7) / b"sealed outside"
        sealed = association(index).encrypt(header(bytes(plain)))
        theirs.sendto(bytes(sealed[ESP]), (here, 0))
        got = into.data.read(2000)
        assert list(got[:4]) == before
        assert UDP(got[4:])[Raw].load == b"sealed outside"


def association(index: int) -> SecurityAssociation:
    """One of scapy's."""
    return SecurityAssociation(
        ESP, spi=index, crypt_algo="AES-CBC", crypt_key=KEY,
        auth_algo="HMAC-SHA1-96", auth_key=SECRET,
    )  # fmt: skip


def test_il_calls_go_both_ways_between_hosts(
    picture: Picture, session: SyncSession, tmp_path: Path
) -> None:
    here, far = OUTER["ipv4"]
    address = f"unix!{tmp_path}/far"
    exported(picture, "--listen", address, "--grant", "il")
    with netrelay.sync.connect(address) as there, ThreadPoolExecutor(1) as pool:
        for caller, host, called in ((session, far, there), (there, here, session)):
            with called.announce("il!*!7777") as port:
                # A call of IL is answered once somebody waits for it.
                waiting = pool.submit(port.listen)
                with caller.dial(f"il!{host}!7777") as call, waiting.result().accept() as answer:
                    for one, other in ((call, answer), (answer, call)):
                        one.write(bytes(range(256)) * 64)
                        assert other.readexactly(256 * 64) == bytes(range(256)) * 64


def test_9p_is_carried_by_il_between_hosts(picture: Picture) -> None:
    far = OUTER["ipv4"][1]
    exported(picture, "--listen", f"il!{far}!17008", "--insecure-no-auth")
    said = picture.gateway.run(*NETRELAY, "cs", f"il!{far}", "tcp!localhost!7").stdout
    assert said == "/net/tcp/clone 127.0.0.1!7\n"


def exported(picture: Picture, *options: str) -> None:
    """A second gateway, which is the Internet's host."""
    program = picture.internet.start(*NETRELAY, "export", "--core", picture.core, *options)
    program.wait_for(options[1])


def denied() -> AbstractContextManager[object]:
    """What is tried in it is refused with these words."""
    return pytest.raises(NetError, match=r"^permission denied$")


def test_without_a_grant_nothing_leaves(core: str, family: str) -> None:
    """Every refusal is `permission denied`, and the outer wire has seen only what is allowed."""
    far = OUTER[family][1]
    echo = {"ipv4": "icmp", "ipv6": "icmpv6"}[family]
    timestamp = bytes({"ipv4": 20, "ipv6": 40}[family]) + bytes([13, 0, 0, 0, 0, 0, 0, 1])
    filters = {"ipv4": "proto=fd", "ipv6": "ver=6;proto=fd"}
    with drawn(core) as picture, attached(picture.first) as session:
        wire = Capture(picture.internet, picture.outer_wire)
        commands = [
            ("gre", f"connect {far}!2048"), ("esp", f"connect {far}!256"),
            ("esp", f"connect {far}!*"), ("ipmux", f"connect {filters[family]}"),
        ]  # fmt: skip
        if family == "ipv4":
            commands += [("il", f"connect {far}!7777"), ("il", "announce *!7777")]
        for net, command in commands:
            with session.open(f"/net/{net}/clone", "r+") as ctl, denied():
                ctl.write(command.encode())
        with conversation(session, echo, f"connect {far}!1") as ping, denied():
            ping.data.write(timestamp)
        # Behind all of it, so that what comes before it is all there was.
        with session.dial(f"udp!{bracketed(far)}!9") as last:
            last.write(b"the last one")
            seen = wire.until(lambda packet: packet.endswith(b"the last one"))
        wire.close()
        assert len(seen) == 1, seen
