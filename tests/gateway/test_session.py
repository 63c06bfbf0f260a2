"""Sessions and the gateway's own life: bad bytes, vanishing clients, shutdown."""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING

import pytest

from netrelay import messages as m
from netrelay.reference.codec import encode
from netrelay.types import NOTAG, Dialect, Limits

from .rawclient import PATIENCE_S, RawClient, RefusedError

if TYPE_CHECKING:
    from .conftest import Door, Place, Server


def test_a_tcp_listener_serves_too(door: Door) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    door.core.listen(listener.detach())
    with RawClient(socket.create_connection(address, PATIENCE_S)) as client:
        assert client.begin().names("") == ["net"]


def test_requests_ahead_of_bytes_that_are_no_9p_are_answered(door: Door) -> None:
    client = door.attach()
    stat = encode(7, m.Tstat(0), Dialect.P2000)
    client.sock.sendall(stat + b"\x03\x00\x00\x00")
    assert isinstance(client.reply(7), m.Rstat)
    with pytest.raises(EOFError):
        client.next_reply()
    assert door.core.stats()["broken_sessions"] == 1


def test_a_frame_above_msize_ends_the_session(door: Door) -> None:
    client = door.attach(msize=8192)
    client.sock.sendall((8193).to_bytes(4, "little"))
    with pytest.raises(EOFError):
        client.next_reply()


def test_a_session_in_trouble_leaves_others_alone(door: Door) -> None:
    client, bad = door.attach(), door.attach()
    bad.sock.sendall(b"\0" * 7)
    with pytest.raises(EOFError):
        bad.next_reply()
    assert client.names("") == ["net"]


def test_requests_cut_anywhere_are_the_same_requests(door: Door) -> None:
    client = door.connect()
    for byte in encode(NOTAG, m.Tversion(8192, "9P2000"), Dialect.P2000):
        client.sock.sendall(bytes([byte]))
    assert client.reply(NOTAG) == m.Rversion(8192, "9P2000")


def test_a_client_that_says_nothing_is_dropped(place: Place) -> None:
    client = place.gateway(limits=Limits(handshake_s=0.05)).connect()
    with pytest.raises(EOFError):
        client.next_reply()


def test_sessions_are_bounded(place: Place) -> None:
    door = place.gateway(limits=Limits(sessions=1))
    door.attach()
    extra = door.connect()
    with pytest.raises((EOFError, ConnectionResetError)):
        extra.next_reply()


def test_shutdown_waits_for_conversations_and_takes_no_session_more(
    door: Door, server: Server
) -> None:
    idle, client = door.attach(), door.attach()
    _, ctl, data = client.dial(server.port)
    peer = server.accept()
    door.core.shutdown(60)
    with pytest.raises(EOFError):
        idle.next_reply()
    assert not door.core.wait_closed(0)
    client.write(data, b"going on")
    assert peer.recv(100) == b"going on"
    client.clunk(data)
    client.clunk(ctl)
    peer.close()
    with pytest.raises(EOFError):
        client.next_reply()
    assert door.core.wait_closed(PATIENCE_S)
    assert select.select([door.core.closed_fd()], [], [], 0)[0]
    with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
        door.connect()


def test_shutdown_ends_all_at_its_deadline(door: Door, server: Server) -> None:
    client = door.attach()
    client.dial(server.port)
    peer = server.accept()
    door.core.shutdown(0.05)
    assert peer.recv(1) == b""
    peer.close()
    assert door.core.wait_closed(PATIENCE_S)


def test_stop_listening_lets_sessions_go_on(door: Door) -> None:
    client = door.attach()
    door.core.stop_listening()
    assert client.names("") == ["net"]
    with pytest.raises(ConnectionRefusedError):
        door.connect()


def test_everything_is_given_back(door: Door, server: Server) -> None:
    client = door.attach()
    _, ctl, data = client.dial(server.port)
    client.send(m.Tread(data, 0, 1))
    client.clunk(data)
    client.clunk(ctl)
    server.accept().close()
    fids = [client.walk("net") for _ in range(3)]
    stats = door.core.stats()
    assert (stats["fids"], stats["conversations"], stats["sessions"]) == (4, 0, 1)
    assert (stats["parked_bytes"], stats["dials"], stats["accepted"]) == (0, 1, 1)
    for fid in fids:
        client.clunk(fid)
    assert door.core.stats()["fids"] == 1


def test_full_upcalls_stop_the_session_that_asks_and_nobody_else(place: Place) -> None:
    door = place.gateway(limits=Limits(upcalls=1))
    asking, other = door.attach(), door.attach()
    fids = [asking.open("net/cs", 2) for _ in range(3)]
    tags = asking.send(*(m.Twrite(fid, 0, b"query") for fid in fids), m.Tstat(0))
    for tag in tags[:3]:
        assert other.names("") == ["net"]
        assert select.select([door.core.upcall_fd()], [], [], PATIENCE_S)[0]
        (upcall,) = door.core.upcalls()
        door.core.answer(upcall.id, [b"reply"], None, 0)
        assert asking.wait(tag) == m.Rwrite(5)
    assert isinstance(asking.wait(tags[3]), m.Rstat)


def test_a_tree_is_not_served_before_a_version(door: Door) -> None:
    client = door.connect()
    with pytest.raises(RefusedError, match=r"^no version negotiated$"):
        client.ask(m.Tstat(0))
