"""One gateway on two upstream wires whose addresses are the same, each a stack of its own.

Behind either wire is a host 10.0.0.1 (and 2001:db8::1), so an address does not say where a packet
goes: the stack alone does. One session uses both. The wires are told apart by network
namespace, by interface, and by the gateway's address, which routing rules tie to a wire.
"""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

import netrelay.sync
from netrelay.errors import NetError

from .lab import Host, Lab, lab, missing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from netrelay.client.blocking import SyncFile
    from netrelay.client.sync import SyncSession

pytestmark = [pytest.mark.netns, pytest.mark.timeout(180)]

NETRELAY = (sys.executable, "-m", "netrelay")
FAR4, FAR6 = "10.0.0.1", "2001:db8::1"
HERE4, HERE6 = "10.0.0.2", "2001:db8::2"
ALSO4 = "10.0.0.3"
FAR, HERE = [f"{FAR4}/24", f"{FAR6}/64"], [f"{HERE4}/24", f"{HERE6}/64"]
ENDS = ((FAR4, HERE4), (FAR6, HERE6))
# Of what is dialled, of what is announced, and of who dials: the same on both wires.
SERVICE, PUBLISHED, OWN = 7, 7000, 5000
GROUPS = ("239.1.2.3", "ff02::77")
# What is before a datagram (docs/tree.md, section 10).
HEADERS = 52
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


@dataclass(frozen=True)
class Wire:
    """One of the two: its stack, its interface, who is behind it, and both ends' addresses."""

    net: str
    name: str
    far: Host
    ends: tuple[tuple[str, str], ...]

    @property
    def words(self) -> bytes:
        """What only the host behind this wire says."""
        return self.far.name.encode()

    def answer(self, protocol: str, far: str) -> Answering:
        """A service at the far end."""
        sock = self.far.socket(_family(far), KINDS[protocol])
        sock.bind((far, SERVICE))
        if protocol == "tcp":
            sock.listen()
        return Answering(sock, self.words)

    def call(self, protocol: str, far: str, here: str) -> socket.socket:
        """A call from the far end to what is announced, from the same port on each wire."""
        sock = self.far.socket(_family(far), KINDS[protocol])
        sock.bind((far, OWN))
        sock.connect((here, PUBLISHED))
        return sock


@dataclass(frozen=True)
class Answering:
    """A service that says where it is to whoever asks it once."""

    sock: socket.socket
    words: bytes

    def once(self) -> None:
        """Wait for one to ask, and answer."""
        if self.sock.type == socket.SOCK_STREAM:
            call, _ = self.sock.accept()
            with call:
                assert call.recv(100) == b"who?"
                call.sendall(self.words)
        else:
            question, whence = self.sock.recvfrom(100)
            assert question == b"who?"
            self.sock.sendto(self.words, whence)


@dataclass(frozen=True)
class Two:
    """Both wires, and the one session that uses them."""

    near: Wire
    alt: Wire
    session: SyncSession

    def families(self) -> Iterator[tuple[tuple[Wire, str, str], tuple[Wire, str, str]]]:
        """By address family: each wire with its far end's address and the gateway's."""
        for near, alt in zip(self.near.ends, self.alt.ends, strict=True):
            yield (self.near, *near), (self.alt, *alt)

    def dial(self, wire: Wire, protocol: str, far: str) -> tuple[SyncFile, SyncFile, str]:
        """A call from the port that both stacks call from: ctl, data, and its directory."""
        protocols = f"{wire.net}/{protocol}"
        ctl = self.session.open(f"{protocols}/clone", "r+")
        conversation = f"{protocols}/{ctl.read(16).decode()}"
        ctl.write(f"connect {far}!{SERVICE} {OWN}".encode())
        return ctl, self.session.open(f"{conversation}/data", "r+"), conversation

    def with_headers(self, wire: Wire) -> tuple[SyncFile, SyncFile]:
        """All that comes to the published port of udp, with its addresses: ctl and data."""
        ctl = self.session.open(f"{wire.net}/udp/clone", "r+")
        number = ctl.read(16).decode()
        ctl.write(f"announce *!{PUBLISHED}".encode())
        ctl.write(b"headers")
        return ctl, self.session.open(f"{wire.net}/udp/{number}/data", "r+")

    def numbers(self, wire: Wire, protocol: str) -> list[str]:
        """The conversations that a stack shows."""
        names = [entry.name for entry in self.session.ls(f"{wire.net}/{protocol}")]
        return [name for name in names if name.isdigit()]


@pytest.fixture(params=["python", "rust"])
def core(request: pytest.FixtureRequest) -> str:
    """Each core's name in turn: the gateway is a program."""
    core: str = request.param
    return core


@pytest.fixture(params=["netns", "dev", "addr"])
def two(request: pytest.FixtureRequest, core: str, tmp_path: Path) -> Iterator[Two]:
    """A gateway with two stacks of that kind, and a session of it."""
    if lack := missing():
        pytest.skip(lack)
    with lab() as made:
        gateway, near, alt, stacks = WIRED[request.param](made)
        address = f"unix!{tmp_path}/gateway"
        options = [word for stack in stacks for word in ("--stack", stack)]
        export = gateway.start(*NETRELAY, "export", "--core", core, "--listen", address, *options)
        export.wait_for(address)
        with netrelay.sync.connect(address) as session:
            yield Two(near, alt, session)


Wired = tuple[Host, Wire, Wire, list[str]]


def _by_namespace(made: Lab) -> Wired:
    """The second wire ends in a namespace beside the gateway's."""
    gateway, beside = made.host("gw"), made.host("gw2")
    near, alt = made.host("near"), made.host("alt")
    one, other = (made.wire(*ends, HERE, FAR) for ends in ((gateway, near), (beside, alt)))
    wires = Wire("/net", one, near, ENDS), Wire("/net.alt", other, alt, ENDS)
    return gateway, *wires, [f"alt=netns:{beside.name}"]


def _by_interface(made: Lab) -> Wired:
    """Both wires end in the gateway, with the same addresses there too."""
    gateway, near, alt = made.host("gw"), made.host("near"), made.host("alt")
    one, other = (made.wire(gateway, far, HERE, FAR) for far in (near, alt))
    # What comes by the second wire is from an address that the routes have at the first.
    gateway.run("sh", "-c", "echo 2 > /proc/sys/net/ipv4/conf/all/rp_filter")
    wires = Wire("/net.near", one, near, ENDS), Wire("/net.alt", other, alt, ENDS)
    return gateway, *wires, [f"near=dev:{one}", f"alt=dev:{other}"]


def _by_address(made: Lab) -> Wired:
    """Both wires end in the gateway, and its routing rules go by its own address."""
    gateway, near, alt = made.host("gw"), made.host("near"), made.host("alt")
    wires: list[Wire] = []
    for far, here, table in ((near, HERE4, "101"), (alt, ALSO4, "102")):
        name = made.wire(gateway, far, [f"{here}/24"], FAR[:1])
        gateway.run("ip", "rule", "add", "from", here, "lookup", table)
        gateway.run("ip", "route", "add", "10.0.0.0/24", "dev", name, "table", table)
        wires.append(Wire(f"/net.{table}", name, far, ((FAR4, here),)))
    return gateway, wires[0], wires[1], [f"101=addr:{HERE4}", f"102=addr:{ALSO4}"]


WIRED = {"netns": _by_namespace, "dev": _by_interface, "addr": _by_address}


@pytest.mark.parametrize("protocol", KINDS)
def test_a_dial_goes_by_the_wire_of_its_stack(two: Two, protocol: str) -> None:
    for family in two.families():
        services = [wire.answer(protocol, far) for wire, far, _ in family]
        calls = []
        for wire, far, _ in family:
            host = f"[{far}]" if ":" in far else far
            calls.append(two.session.dial(f"{wire.net}/{protocol}!{host}!{SERVICE}"))
        for call, service, (wire, _, _) in zip(calls, services, family, strict=True):
            with call:
                call.write(b"who?")
                service.once()
                assert call.read(100) == wire.words


@pytest.mark.parametrize("protocol", KINDS)
def test_a_caller_comes_to_the_stack_of_its_wire(two: Two, protocol: str) -> None:
    announced = [
        two.session.announce(f"{wire.net}/{protocol}!*!{PUBLISHED}") for wire in (two.near, two.alt)
    ]
    for family in two.families():
        callers = [wire.call(protocol, far, here) for wire, far, here in family]
        # The later wire first, so that a stack that took another's caller would have it by now.
        for caller, (wire, _, _) in reversed(list(zip(callers, family, strict=True))):
            caller.sendall(wire.words)
        for caller, port, (wire, far, _) in zip(callers, announced, family, strict=True):
            call = port.listen()
            assert call.remote == (far, OWN)
            with call.accept() as connection:
                assert connection.read(100) == wire.words
                connection.write(b"welcome")
                assert caller.recv(100) == b"welcome"
        for caller in callers:
            caller.close()
    for port in announced:
        port.close()


@pytest.mark.parametrize("protocol", KINDS)
def test_two_calls_with_the_same_ends_are_two_conversations(two: Two, protocol: str) -> None:
    for family in two.families():
        services = [wire.answer(protocol, far) for wire, far, _ in family]
        logs = [two.session.open(f"{wire.net}/log", "r+") for wire, _, _ in family]
        for log in logs:
            log.write(f"set {protocol}".encode())
        (near, far, here), (alt, _, _) = family
        # The second stack has one more, and so the numbers of the calls are not the same.
        with two.session.open(f"{alt.net}/{protocol}/clone", "r+"):
            calls = [two.dial(wire, protocol, far) for wire, far, _ in family]
            assert (two.numbers(near, protocol), two.numbers(alt, protocol)) == (["0"], ["0", "1"])
            for (_, _, conversation), (_, far, here) in zip(calls, family, strict=True):
                assert two.session.read(f"{conversation}/local") == f"{here}!{OWN}\n".encode()
                assert two.session.read(f"{conversation}/remote") == f"{far}!{SERVICE}\n".encode()
            for (_, data, _), service, (wire, _, _) in zip(calls, services, family, strict=True):
                data.write(b"who?")
                service.once()
                assert data.read(100) == wire.words
            lines = [f"{protocol} {number} connect {far}!{SERVICE}\n" for number in (0, 1)]
            assert [log.read(1000).decode() for log in logs] == lines
            # One that ends is not the other, whose state stays.
            up = two.session.read(f"{calls[1][2]}/status").split()[0]
            calls[0][0].write(b"hangup")
            assert two.session.read(f"{calls[0][2]}/status").split()[0] == b"Closed"
            assert two.session.read(f"{calls[1][2]}/status").split()[0] == up
            assert logs[0].read(1000).decode() == f"{protocol} 0 hangup\n"
            for file in (file for ctl, data, _ in calls for file in (ctl, data)):
                file.close()


def test_what_icmp_says_on_one_wire_is_not_about_the_other(two: Two) -> None:
    for family in two.families():
        (_, far, _), (alt, _, _) = family
        service = alt.answer("udp", far)
        calls = [two.dial(wire, "udp", far) for wire, far, _ in family]
        for _, data, _ in calls:
            data.write(b"who?")
        service.once()
        (_, refused, _), (_, answered, _) = calls
        with pytest.raises(NetError, match=r"^port unreachable$"):
            refused.read(100)
        assert answered.read(100) == alt.words
        for file in (file for ctl, data, _ in calls for file in (ctl, data)):
            file.close()


def test_an_answer_with_headers_goes_back_by_its_wire(two: Two) -> None:
    ports = [two.with_headers(wire) for wire in (two.near, two.alt)]
    for family in two.families():
        callers = [wire.call("udp", far, here) for wire, far, here in family]
        for caller, (wire, _, _) in reversed(list(zip(callers, family, strict=True))):
            caller.sendall(wire.words)
        for caller, (_, data), (wire, _, _) in zip(callers, ports, family, strict=True):
            asked = data.read(1000)
            assert asked[HEADERS:] == wire.words
            data.write(asked[:HEADERS] + b"welcome")
            assert caller.recv(100) == b"welcome"
        for caller in callers:
            caller.close()


@pytest.mark.parametrize("two", ["netns", "dev"], indirect=True)
def test_a_group_is_joined_on_the_wire_of_its_stack(two: Two) -> None:
    """Both wires end in the same address, and the group was joined on the first that had it."""
    ports = [two.with_headers(wire) for wire in (two.near, two.alt)]
    for group, family in zip(GROUPS, two.families(), strict=True):
        for (ctl, _), (_, _, here) in zip(ports, family, strict=True):
            ctl.write(f"addmulti {here} {group}".encode())
        for wire, far, _ in reversed(family):
            sender = wire.far.socket(_family(far), socket.SOCK_DGRAM)
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, wire.name.encode())
            sender.sendto(wire.words, (group, PUBLISHED))
        for (_, data), (wire, _, _) in zip(ports, family, strict=True):
            assert data.read(1000)[HEADERS:] == wire.words
        for (ctl, _), (_, _, here) in zip(ports, family, strict=True):
            ctl.write(f"delmulti {here} {group}".encode())


@pytest.mark.parametrize("two", ["dev"], indirect=True)
def test_a_stack_of_an_interface_has_no_group_on_another(two: Two) -> None:
    ctl, _ = two.with_headers(two.near)
    for address, group in zip(("127.0.0.1", "::1"), GROUPS, strict=True):
        with pytest.raises(NetError, match=r"^not a local IP address$"):
            ctl.write(f"addmulti {address} {group}".encode())


@pytest.mark.parametrize("two", ["netns"], indirect=True)
def test_stats_count_what_their_own_network_did(two: Two) -> None:
    before = [two.session.read(f"{wire.net}/tcp/stats") for wire in (two.near, two.alt)]
    service = two.alt.answer("tcp", FAR4)
    with two.session.dial(f"/net.alt/tcp!{FAR4}!{SERVICE}") as call:
        call.write(b"who?")
        service.once()
        assert call.read(100) == two.alt.words
    after = [two.session.read(f"{wire.net}/tcp/stats") for wire in (two.near, two.alt)]
    assert after[0] == before[0]
    assert b"ActiveOpens: 0\n" in before[1]
    assert b"ActiveOpens: 1\n" in after[1]


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
