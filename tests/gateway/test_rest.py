"""What Linux's client is told when it asks for the rest of a short read (docs/tree.md 12).

A client that is not known to be Linux's asks for the same bytes, as ReadFull of Go and readall of
Python do, and must never be told of an end that is not there.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

import pytest

from netrelay import messages as m
from netrelay.types import ORDWR, Dialect
from tests.served import need

from .rawclient import PATIENCE_S, ROOT, RefusedError

if TYPE_CHECKING:
    from netrelay.core import Core

    from .conftest import Door, Server
    from .rawclient import RawClient

LOOKUP, BASIC, ALL = 0x17FF, 0x7FF, 0x3FFF
NONBLOCK, LARGEFILE = 0o4000, 0o100000


class Call:
    """A call whose data is open with some flags, and the server's end of it."""

    def __init__(self, client: RawClient, server: Server, flags: int) -> None:
        self.client = client
        number, self.ctl = client.clone()
        client.write(self.ctl, f"connect 127.0.0.1!{server.port}".encode())
        self.far = server.accept()
        self.data = client.open(f"net/tcp/{number}/data", flags)

    def read(self, count: int, offset: int) -> bytes:
        """A Tread that is answered now."""
        return self.client.read(self.data, count, offset)

    def waits(self, count: int, offset: int) -> None:
        """A Tread that waits until something comes, which it then gets."""
        (tag,) = self.client.send(m.Tread(self.data, offset, count))
        self.client.ask(m.Tgetattr(ROOT, BASIC))
        assert tag not in self.client.seen
        self.far.sendall(b"late")
        reply = self.client.wait(tag)
        assert isinstance(reply, m.Rread)
        assert bytes(reply.data) == b"late"[:count]


def linux(door: Door) -> RawClient:
    """A session that has looked a file up as Linux does."""
    client = door.attach(dialect=Dialect.L)
    client.ask(m.Tgetattr(ROOT, LOOKUP))
    return client


def test_the_rest_of_a_short_read_is_nothing_and_then_waits(door: Door, server: Server) -> None:
    call = Call(linux(door), server, ORDWR)
    call.far.sendall(b"abc")
    assert call.read(4096, 0) == b"abc"
    assert call.read(4093, 3) == b""
    call.waits(4093, 3)


def test_an_old_linux_is_told_to_try_again(door: Door, server: Server) -> None:
    call = Call(linux(door), server, ORDWR | LARGEFILE)
    call.far.sendall(b"abc")
    assert call.read(4096, 0) == b"abc"
    with pytest.raises(RefusedError) as refused:
        call.read(4093, 3)
    assert refused.value.errno == errno.EAGAIN
    call.waits(4093, 3)


def test_every_short_read_has_its_rest(door: Door, server: Server) -> None:
    call = Call(linux(door), server, ORDWR)
    offset = 0
    for said in (b"one", b"two and", b"three"):
        call.far.sendall(said)
        assert call.read(4096, offset) == said
        offset += len(said)
        assert call.read(4096 - len(said), offset) == b""


def test_what_was_answered_late_has_a_rest_too(door: Door, server: Server) -> None:
    call = Call(linux(door), server, ORDWR)
    call.waits(4096, 0)
    assert call.read(4092, 4) == b""


def test_the_rest_of_log_is_nothing(door: Door, server: Server) -> None:
    client = linux(door)
    log = client.open("net/log", ORDWR)
    client.write(log, b"set tcp")
    client.dial(server.port)
    line = client.read(log)
    assert line.endswith(b"\n")
    assert client.read(log, 8192 - len(line), len(line)) == b""


def test_the_rest_of_a_datagram_is_not_the_next(core: Core, door: Door) -> None:
    need(core, "udp")
    client = linux(door)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(PATIENCE_S)
        _, _, data = client.dial(peer.getsockname()[1], protocol="net/udp")
        client.write(data, b"hello")
        _, sender = peer.recvfrom(100)
        for message in (b"one", b"another"):
            peer.sendto(message, sender)
        assert client.read(data, 4096, 0) == b"one"
        assert client.read(data, 4093, 3) == b""
        assert client.read(data, 4096, 3) == b"another"


def test_the_rest_brings_what_has_come(door: Door, server: Server) -> None:
    call = Call(linux(door), server, ORDWR)
    call.far.sendall(b"abcdef")
    assert call.read(3, 0) == b"abc"
    assert call.read(4096, 3) == b"def"
    call.far.sendall(b"ghi")
    # It has come once the conversation says so.
    status = call.client.walk("net/tcp/0/status")
    call.client.ask(m.Tlopen(status, 0))
    while b" qin 3 " not in call.client.read(status):
        pass
    assert call.read(4093, 6) == b"ghi"


def test_the_rest_of_an_end_is_the_end(door: Door, server: Server) -> None:
    call = Call(linux(door), server, ORDWR)
    call.far.sendall(b"abc")
    assert call.read(4096, 0) == b"abc"
    call.far.shutdown(socket.SHUT_WR)
    ends = [call.read(4096, 3) for _ in range(3)]
    assert ends == [b"", b"", b""]
    with pytest.raises(RefusedError) as refused:
        call.read(4096, 3)
    assert refused.value.errno == errno.EPIPE


@pytest.mark.parametrize(
    ("count", "offset"),
    [(4096, 3), (4092, 3), (4094, 3), (4093, 2), (4093, 4), (4093, 0), (3, 0), (1, 3)],
)
def test_what_is_not_the_rest_waits(door: Door, server: Server, count: int, offset: int) -> None:
    call = Call(linux(door), server, ORDWR)
    call.far.sendall(b"abc")
    assert call.read(4096, 0) == b"abc"
    call.waits(count, offset)


def test_the_rest_is_what_is_asked_for_next(door: Door, server: Server) -> None:
    call = Call(linux(door), server, ORDWR)
    call.far.sendall(b"abc")
    assert call.read(4096, 0) == b"abc"
    call.waits(100, 3)
    call.waits(4093, 3)


def test_a_full_read_has_no_rest(door: Door, server: Server) -> None:
    call = Call(linux(door), server, ORDWR)
    call.far.sendall(b"abc")
    assert call.read(3, 0) == b"abc"
    assert call.read(0, 3) == b""
    call.waits(3, 3)


def test_the_rest_of_another_fid_waits(door: Door, server: Server) -> None:
    call = Call(linux(door), server, ORDWR)
    other = call.client.open("net/tcp/0/data", ORDWR)
    call.far.sendall(b"abc")
    assert call.client.read(other, 4096, 0) == b"abc"
    call.waits(4093, 3)


def test_what_is_opened_not_to_block_is_left_alone(door: Door, server: Server) -> None:
    call = Call(linux(door), server, ORDWR | NONBLOCK | LARGEFILE)
    call.far.sendall(b"abc")
    assert call.read(4096, 0) == b"abc"
    call.waits(4093, 3)


@pytest.mark.parametrize("mask", [None, BASIC, ALL, 0x2E1])
def test_nobody_else_is_told_of_an_end(door: Door, server: Server, mask: int | None) -> None:
    client = door.attach(dialect=Dialect.L)
    if mask is not None:
        client.ask(m.Tgetattr(ROOT, mask))
    call = Call(client, server, ORDWR | LARGEFILE)
    call.far.sendall(b"abc")
    assert call.read(4096, 0) == b"abc"
    call.waits(4093, 3)


@pytest.mark.parametrize("dialect", [Dialect.P2000, Dialect.U])
def test_other_dialects_wait(door: Door, server: Server, dialect: Dialect) -> None:
    client = door.attach("nobody", dialect=dialect)
    number, ctl = client.clone()
    client.write(ctl, f"connect 127.0.0.1!{server.port}".encode())
    far = server.accept()
    data = client.open(f"net/tcp/{number}/data", ORDWR)
    far.sendall(b"abc")
    assert client.read(data, 4096, 0) == b"abc"
    (tag,) = client.send(m.Tread(data, 3, 4093))
    client.ask(m.Tstat(ROOT))
    assert tag not in client.seen
    far.sendall(b"def")
    assert client.wait(tag) == m.Rread(b"def")


def test_a_new_version_is_a_new_client(door: Door, server: Server) -> None:
    client = linux(door).begin()
    call = Call(client, server, ORDWR)
    call.far.sendall(b"abc")
    assert call.read(4096, 0) == b"abc"
    call.waits(4093, 3)
