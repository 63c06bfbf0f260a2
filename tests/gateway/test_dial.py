"""Calls out: clone, connect, data, and what a failed connect is told (docs/tree.md 5)."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from netrelay import messages as m
from netrelay.types import ORDWR, Dialect, Limits

from .rawclient import RefusedError

if TYPE_CHECKING:
    from .conftest import Door, Place, Server
    from .rawclient import RawClient


def test_a_call_carries_bytes_both_ways(client: RawClient, server: Server) -> None:
    _, _, data = client.dial(server.port)
    peer = server.accept()
    assert client.write(data, b"question") == 8
    assert peer.recv(100) == b"question"
    peer.sendall(b"answer")
    assert client.read(data) == b"answer"


def test_opening_clone_makes_the_fid_ctl(client: RawClient) -> None:
    fid = client.walk("net/tcp/clone")
    reply = client.ask(m.Topen(fid, ORDWR))
    assert isinstance(reply, m.Ropen)
    assert (reply.qid.path, reply.qid.type) == (12, 0)
    assert reply.iounit == 65536 - 24
    stat = client.ask(m.Tstat(fid))
    assert isinstance(stat, m.Rstat)
    assert (stat.stat.name, stat.stat.mode, stat.stat.uid) == ("ctl", 0o660, "glenda")


def test_ctl_reads_as_the_number_without_a_newline(client: RawClient) -> None:
    _, ctl = client.clone()
    assert client.read(ctl) == b"0"
    assert client.read(ctl, offset=1) == b""
    assert client.read(ctl, offset=0) == b"0"


def test_a_refused_connect_leaves_the_conversation_in_use(client: RawClient) -> None:
    _, ctl = client.clone()
    for text in ("connection refused", "connection in use"):
        with pytest.raises(RefusedError, match=f"^{text}$"):
            client.write(ctl, b"connect 127.0.0.1!1")
    assert client.text("net/tcp/0/status").startswith("Closed ")


def test_a_refused_connect_has_its_errno_in_the_unix_dialects(door: Door) -> None:
    for dialect in (Dialect.U, Dialect.L):
        client = door.attach(dialect=dialect)
        ctl = client.open("net/tcp/clone", ORDWR)
        with pytest.raises(RefusedError) as refused:
            client.write(ctl, b"connect 127.0.0.1!1")
        assert refused.value.errno == 111


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"frob", "unknown control request"),
        (b"   ", "short control request"),
        (b"", "short control request"),
        (b"connect", "bad args to connect"),
        (b"connect 1.2.3.4!1 2 3", "bad args to connect"),
        (b"connect 1.2.3.4", "malformed address"),
        (b"connect x!1", "bad ip address syntax"),
        (b"connect 1.2.3.4!http", "bad numeric port"),
        (b"connect 1.2.3.4!65536", "bad numeric port"),
        (b"connect 1.2.3.4!", "bad numeric port"),
        (b"announce", "bad args to announce"),
        (b"announce *!*", "permission denied"),
        (b"announce 1.2.3.4!0", "not a local IP address"),
        (b"bind", "bad args to bind"),
        (b"keepalive", "connection must be in Establised state"),
        (b"ttl x", "bad args to ttl"),
        (b"tos 256", "bad args to tos"),
        (b"shutdown read", "bad args to shutdown"),
    ],
)
def test_a_bad_command_is_refused_and_the_state_stays_idle(
    client: RawClient, server: Server, line: bytes, text: str
) -> None:
    _, ctl = client.clone()
    with pytest.raises(RefusedError) as refused:
        client.write(ctl, line)
    assert str(refused.value) == text
    client.write(ctl, f"connect 127.0.0.1!{server.port}".encode())


def test_words_of_ctl_may_be_quoted(client: RawClient, server: Server) -> None:
    _, ctl = client.clone()
    client.write(ctl, f"'connect'\t'127.0.0.1!{server.port}'\n".encode())
    assert client.text("net/tcp/0/remote") == f"127.0.0.1!{server.port}\n"


def test_an_ipv4_address_in_ipv6_dress_is_an_ipv4_address(
    client: RawClient, server: Server
) -> None:
    _, ctl = client.clone()
    client.write(ctl, f"connect ::ffff:127.0.0.1!{server.port}".encode())
    assert client.text("net/tcp/0/remote") == f"127.0.0.1!{server.port}\n"


def test_a_connect_may_name_its_local_end(client: RawClient, server: Server) -> None:
    _, ctl = client.clone()
    client.write(ctl, f"connect 127.0.0.1!{server.port} 127.0.0.7!0".encode())
    assert server.accept().getpeername()[0] == "127.0.0.7"
    assert client.text("net/tcp/0/local").startswith("127.0.0.7!")


def test_bind_takes_the_local_end_of_a_later_connect(client: RawClient, server: Server) -> None:
    _, ctl = client.clone()
    client.write(ctl, b"bind 127.0.0.8!0")
    client.write(ctl, f"connect 127.0.0.1!{server.port}".encode())
    assert server.accept().getpeername()[0] == "127.0.0.8"


def test_dialling_inwards_is_denied_unless_allowed(place: Place) -> None:
    client = place.gateway(allow_dial=()).attach()
    for address in (
        "127.0.0.1", "::1", "0.0.0.0", "::", "169.254.169.254", "fe80::1", "224.0.0.1",  # noqa: S104  dialled, not bound
        "ff02::1", "fd00:ec2::254", "::ffff:127.0.0.1",
    ):  # fmt: skip
        _, ctl = client.clone()
        with pytest.raises(RefusedError, match=r"^permission denied$"):
            client.write(ctl, f"connect {address}!80".encode())


def test_the_lowest_free_number_is_taken(client: RawClient) -> None:
    numbers = [client.clone() for _ in range(3)]
    assert [number for number, _ in numbers] == [0, 1, 2]
    client.clunk(numbers[1][1])
    assert client.clone()[0] == 1
    assert client.names("net/tcp") == ["0", "1", "2", "clone", "stats"]


def test_the_last_clunk_ends_the_call_with_fin_and_frees_the_number(
    client: RawClient, server: Server
) -> None:
    _, ctl, data = client.dial(server.port)
    peer = server.accept()
    client.clunk(ctl)
    client.write(data, b"last words")
    peer.sendall(b"unread")
    client.clunk(data)
    received = b""
    while chunk := peer.recv(100):
        received += chunk
    assert received == b"last words"
    assert client.text("net/tcp/0/status").startswith("Closed ")
    assert client.clone()[0] == 0


def test_a_number_that_is_not_used_is_the_networks(client: RawClient) -> None:
    _, ctl = client.clone()
    client.clunk(ctl)
    for path in ("net/tcp/0", "net/tcp/0/ctl"):
        stat = client.ask(m.Tstat(client.walk(path)))
        assert isinstance(stat, m.Rstat)
        assert (stat.stat.uid, stat.stat.gid) == ("network", "gate")


def test_conversations_are_bounded(place: Place) -> None:
    client = place.gateway(limits=Limits(conversations=2)).attach()
    client.clone()
    client.clone()
    with pytest.raises(RefusedError, match=r"^no free devices$"):
        client.clone()


def test_a_connect_that_is_flushed_leaves_nothing_behind(client: RawClient) -> None:
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = full.getsockname()[1]
    filler = socket.create_connection(("127.0.0.1", port))
    _, ctl = client.clone()
    # The host's queue of completed calls is full, so the next SYN is not answered.
    (tag,) = client.send(m.Twrite(ctl, 0, f"connect 127.0.0.1!{port}".encode()))
    assert client.text("net/tcp/0/status").startswith("Syn_sent ")
    assert client.ask(m.Tflush(tag)) == m.Rflush()
    assert tag not in client.order
    assert client.text("net/tcp/0/status").startswith("Closed ")
    assert client.text("net/tcp/0/remote") == "::!0\n"
    filler.close()
    full.close()


def test_a_clunk_interrupts_a_connect_before_it_is_answered(client: RawClient) -> None:
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    filler = socket.create_connection(full.getsockname())
    _, ctl = client.clone()
    command = f"connect 127.0.0.1!{full.getsockname()[1]}".encode()
    connect, clunk = client.send(m.Twrite(ctl, 0, command), m.Tclunk(ctl))
    assert client.reply(clunk) == m.Rclunk()
    assert client.reply(connect) == m.Rerror("interrupted", 0)
    assert client.order[-2:] == [connect, clunk]
    filler.close()
    full.close()
