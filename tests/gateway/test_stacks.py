"""Further stacks: `/net.NAME` on sockets of a namespace, an interface or an address."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from netrelay import messages as m
from netrelay import netns
from netrelay.errors import NetError
from netrelay.types import NOFID, ORDWR, Limits, StackConfig
from tests.served import need

from .conftest import Door, Place, Server
from .namespaces import namespace
from .rawclient import PATIENCE_S, RefusedError
from .test_files import question

if TYPE_CHECKING:
    from collections.abc import Iterator

ALT = StackConfig("alt", "addr", "127.0.0.2")


def opened(place: Place, *stacks: StackConfig) -> Door:
    """A gateway with these stacks."""
    need(place.core, "stacks")
    return place.gateway(stacks=stacks)


@pytest.fixture
def blue() -> Iterator[str]:
    """A network namespace with nothing but a loopback, by its path."""
    with namespace() as made:
        yield made.path


def test_stacks_are_listed_in_the_order_given(place: Place) -> None:
    client = opened(place, ALT, StackConfig("a_b-3", "addr", "127.0.0.3")).attach()
    assert client.names("") == ["net", "net.alt", "net.a_b-3"]
    assert client.names("net.alt") == client.names("net")
    assert client.names("net.alt/..") == client.names("")


def test_qid_and_dev_tell_the_stack(place: Place) -> None:
    client = opened(place, ALT).attach()
    for path, dev in (("net/tcp/clone", 0), ("net.alt", 1), ("net.alt/tcp/clone", 1)):
        reply = client.ask(m.Tstat(client.walk(path)))
        assert isinstance(reply, m.Rstat)
        assert reply.stat.dev == dev
        assert reply.stat.qid.path >> 32 == dev
        assert reply.stat.name == path.rpartition("/")[2]


def test_conversations_of_one_stack_are_not_in_another(place: Place, server: Server) -> None:
    client = opened(place, ALT).attach()
    client.dial(server.port)
    number, ctl, _ = client.dial(server.port, protocol="net.alt/tcp")
    assert number == 0
    server.accept()
    assert server.accept().getpeername()[0] == "127.0.0.2"
    assert client.text("net.alt/tcp/0/local").startswith("127.0.0.2!")
    client.clone()
    assert client.names("net.alt/tcp") == ["0", "clone", "stats"]
    assert client.names("net/tcp") == ["0", "1", "clone", "stats"]
    reply = client.ask(m.Tstat(ctl))
    assert isinstance(reply, m.Rstat)
    assert reply.stat.qid.path == 1 << 32 | 12


def test_a_call_comes_to_the_stack_that_announced(place: Place) -> None:
    client = opened(place, ALT).attach()
    number, _, port = client.announce("*!0", "net.alt/tcp")
    assert client.text(f"net.alt/tcp/{number}/local") == f"127.0.0.2!{port}\n"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), PATIENCE_S)
    with socket.create_connection(("127.0.0.2", port), PATIENCE_S) as call:
        listen = client.open(f"net.alt/tcp/{number}/listen", ORDWR)
        called = int(client.read(listen))
        data = client.open(f"net.alt/tcp/{called}/data", ORDWR)
        client.write(data, b"from alt")
        assert call.recv(100) == b"from alt"


def test_a_stack_of_an_address_has_no_other(place: Place, server: Server) -> None:
    client = opened(place, ALT).attach()
    for command, text in (
        (f"connect 127.0.0.1!{server.port} 127.0.0.1!0", "not a local IP address"),
        ("announce 127.0.0.1!0", "not a local IP address"),
        ("bind 127.0.0.1!0", "not a local IP address"),
        ("connect ::1!80", "no route"),
    ):
        _, ctl = client.clone("net.alt/tcp")
        with pytest.raises(RefusedError, match=f"^{text}$"):
            client.write(ctl, command.encode())


def test_ndb_log_and_questions_are_each_stacks_own(place: Place, server: Server) -> None:
    door = opened(place, ALT)
    client = door.attach("gate")
    ndb = client.open("net.alt/ndb", ORDWR)
    client.write(ndb, b"sys=other\n")
    assert client.text("net.alt/ndb") == "sys=other\n"
    assert client.text("net/ndb") == "sys=gate\n"
    logs = {net: client.open(f"{net}/log", ORDWR) for net in ("net", "net.alt")}
    for log in logs.values():
        client.write(log, b"set tcp")
    client.dial(server.port, protocol="net.alt/tcp")
    client.dial(server.port)
    line = f"tcp 0 connect 127.0.0.1!{server.port}\n".encode()
    assert [client.read(log) for log in logs.values()] == [line, line]
    for net, stack in (("net", ""), ("net.alt", "alt")):
        for file in ("cs", "dns"):
            (tag,) = client.send(m.Twrite(client.open(f"{net}/{file}", ORDWR), 0, b"x y"))
            upcall = question(door.core)
            assert upcall[1:] == (file, "gate", b"x y", stack)
            door.core.answer(upcall.id, [b"so"], None, 0)
            client.wait(tag)


def test_an_attach_may_name_a_stack(place: Place) -> None:
    door = opened(place, ALT)
    client = door.connect()
    client.ask(m.Tversion(65536, "9P2000.netrelay"), tag=0xFFFF)
    client.ask(m.Tattach(0, NOFID, "glenda", "net.alt"))
    assert "tcp" in client.names("")
    assert client.names("..") == client.names("")


def test_the_limit_of_conversations_is_each_stacks_own(place: Place) -> None:
    opened(place, ALT)
    client = place.gateway(stacks=(ALT,), limits=Limits(conversations=1)).attach()
    client.clone()
    client.clone("net.alt/tcp")
    with pytest.raises(RefusedError, match="no free devices"):
        client.clone("net.alt/tcp")


@pytest.mark.netns
def test_a_namespace_is_another_network(place: Place, blue: str) -> None:
    client = opened(place, StackConfig("blue", "netns", blue)).attach()
    namespace = netns.open_namespace(blue)
    try:
        with netns.inside(namespace):
            inner = Server()
    finally:
        os.close(namespace)
    _, _, data = client.dial(inner.port, protocol="net.blue/tcp")
    client.write(data, b"hello")
    assert inner.accept().recv(5) == b"hello"
    with pytest.raises(RefusedError, match="connection refused"):
        client.dial(inner.port)
    assert "ActiveOpens: 1\n" in client.text("net.blue/tcp/stats")
    inner.close()


@pytest.mark.netns
def test_a_namespaces_announcement_is_not_the_hosts(place: Place, blue: str) -> None:
    client = opened(place, StackConfig("blue", "netns", blue)).attach()
    _, _, port = client.announce("*!0", "net.blue/tcp")
    client.announce(f"*!{port}")


def test_a_stack_of_an_interface_leaves_by_it(place: Place, server: Server) -> None:
    if os.geteuid() != 0:
        pytest.skip("a socket is bound to an interface by root")
    client = opened(place, StackConfig("lo", "dev", "lo")).attach()
    client.dial(server.port, protocol="net.lo/tcp")
    call = server.accept()
    assert call.getpeername()[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        ("netns", "no-such-namespace", "No such file or directory"),
        ("dev", "nosuch0", "No such device"),
        ("addr", "240.0.0.1", "Cannot assign requested address"),
    ],
)
def test_a_stack_that_cannot_be_had_is_refused_at_the_start(
    place: Place, kind: str, value: str, why: str
) -> None:
    opened(place, ALT)
    with pytest.raises(NetError, match=f"^stack alt: {kind} {value}: {why}$"):
        place.gateway(stacks=(StackConfig("alt", kind, value),))
