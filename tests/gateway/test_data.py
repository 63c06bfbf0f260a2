"""The data file: order, ends, flushes and bounds (docs/tree.md 5)."""

from __future__ import annotations

import random
import socket
import threading
from collections import deque
from typing import TYPE_CHECKING

import pytest

from netrelay import messages as m
from netrelay.types import ORDWR, Limits

from .rawclient import PATIENCE_S, RefusedError, data_of

if TYPE_CHECKING:
    from .conftest import Door, Place, Server
    from .rawclient import RawClient

HUNGUP = r"^i/o on hungup channel$"
ABORT = b"\x01\0\0\0\0\0\0\0"


def reset(call: socket.socket) -> None:
    """End a call with a reset."""
    call.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    call.close()


SMALL, LARGE = 60_000, 900_000


def fill(client: RawClient, data: int, size: int = SMALL) -> list[int]:
    """Twrites until three have to wait; the tags of those that do.

    While the kernel's buffers still grow one may wait for a moment only.
    """
    chunk = bytes(size)
    waiting: list[int] = []
    while len(waiting) < 3:
        write, stat = client.send(m.Twrite(data, 0, chunk), m.Tstat(data))
        client.reply(stat)
        waiting = [tag for tag in (*waiting, write) if tag not in client.order]
    return waiting


def test_parked_reads_are_answered_in_order_of_arrival(client: RawClient, server: Server) -> None:
    _, _, data = client.dial(server.port)
    peer = server.accept()
    tags = client.send(*(m.Tread(data, 0, 3) for _ in range(3)))
    peer.sendall(b"abcdefghi")
    assert [data_of(client.wait(tag)) for tag in tags] == [b"abc", b"def", b"ghi"]
    assert client.order[-3:] == tags


def test_a_write_is_answered_though_the_peer_says_nothing(
    client: RawClient, server: Server
) -> None:
    """An Rwrite waits a moment for the Rread of an answer; no answer must not keep it for ever."""
    _, _, data = client.dial(server.port)
    peer = server.accept()
    for _ in range(2):
        read, write = client.send(m.Tread(data, 0, 8), m.Twrite(data, 0, b"hello"))
        assert client.wait(write) == m.Rwrite(5)
        assert read not in client.order
        assert peer.recv(8) == b"hello"
        peer.sendall(b"answer")
        assert data_of(client.wait(read)) == b"answer"


def test_a_read_of_no_bytes_is_answered_at_once(client: RawClient, server: Server) -> None:
    _, _, data = client.dial(server.port)
    assert client.read(data, 0) == b""


def test_an_empty_write_does_nothing(client: RawClient, server: Server) -> None:
    _, _, data = client.dial(server.port)
    assert client.write(data, b"") == 0


def test_an_idle_conversation_has_no_data(client: RawClient) -> None:
    client.clone()
    data = client.open("net/tcp/0/data", ORDWR)
    for message in (m.Tread(data, 0, 1), m.Twrite(data, 0, b"x"), m.Tread(data, 0, 0)):
        with pytest.raises(RefusedError, match=HUNGUP):
            client.ask(message)


def test_a_flushed_read_takes_no_byte(client: RawClient, server: Server) -> None:
    _, _, data = client.dial(server.port)
    peer = server.accept()
    first, second = client.send(m.Tread(data, 0, 3), m.Tread(data, 0, 3))
    assert client.ask(m.Tflush(first)) == m.Rflush()
    peer.sendall(b"abc")
    assert data_of(client.wait(second)) == b"abc"
    assert first not in client.order


def test_several_flushes_of_one_read_are_answered_in_order(
    client: RawClient, server: Server
) -> None:
    _, _, data = client.dial(server.port)
    tag, *flushes = client.send(m.Tread(data, 0, 3), m.Tstat(data))
    client.reply(flushes[0])
    flushes = client.send(m.Tflush(tag), m.Tflush(tag))
    assert [client.wait(flush) for flush in flushes] == [m.Rflush(), m.Rflush()]
    assert client.order[-2:] == flushes


def test_a_fin_is_three_ends_of_file_and_then_an_error(client: RawClient, server: Server) -> None:
    _, _, data = client.dial(server.port)
    peer = server.accept()
    peer.sendall(b"last")
    peer.shutdown(socket.SHUT_WR)
    assert [client.read(data) for _ in range(4)] == [b"last", b"", b"", b""]
    for _ in range(2):
        with pytest.raises(RefusedError, match=HUNGUP):
            client.read(data)
    assert client.text("net/tcp/0/status").startswith("Close_wait ")
    assert client.write(data, b"still") == 5
    assert peer.recv(10) == b"still"


def test_parked_reads_beyond_the_third_end_of_file_are_refused(
    client: RawClient, server: Server
) -> None:
    _, _, data = client.dial(server.port)
    peer = server.accept()
    tags = client.send(*(m.Tread(data, 0, 3) for _ in range(5)))
    peer.shutdown(socket.SHUT_WR)
    replies = [client.reply(tag) for tag in tags]
    assert [isinstance(reply, m.Rread) for reply in replies] == [True] * 3 + [False] * 2


def test_a_reset_is_read_after_what_arrived(client: RawClient, server: Server) -> None:
    _, _, data = client.dial(server.port)
    peer = server.accept()
    (tag,) = client.send(m.Tread(data, 0, 100))
    reset(peer)
    with pytest.raises(RefusedError, match=r"^connection refused$"):
        client.wait(tag)
    for message in (m.Tread(data, 0, 1), m.Twrite(data, 0, b"x")):
        with pytest.raises(RefusedError, match=r"^connection refused$"):
            client.ask(message)
    assert client.text("net/tcp/0/status").startswith("Closed ")


def test_hangup_resets_and_readers_get_what_arrived(client: RawClient, server: Server) -> None:
    _, ctl, data = client.dial(server.port)
    peer = server.accept()
    peer.sendall(b"abcdef")
    assert client.read(data, 3) == b"abc"
    client.write(ctl, b"hangup")
    with pytest.raises(ConnectionResetError):
        peer.recv(1)
    assert [client.read(data) for _ in range(4)] == [b"def", b"", b"", b""]
    with pytest.raises(RefusedError, match=HUNGUP):
        client.read(data)
    with pytest.raises(RefusedError, match=HUNGUP):
        client.write(data, b"x")


def test_hangup_wakes_parked_reads(client: RawClient, server: Server) -> None:
    _, ctl, data = client.dial(server.port)
    server.accept()
    (tag,) = client.send(m.Tread(data, 0, 3))
    client.write(ctl, b"hangup")
    assert data_of(client.wait(tag)) == b""


def test_close_sends_fin_behind_what_is_written(client: RawClient, server: Server) -> None:
    _, ctl, data = client.dial(server.port)
    peer = server.accept()
    client.write(data, b"goodbye")
    client.write(ctl, b"close")
    received = b""
    while chunk := peer.recv(100):
        received += chunk
    assert received == b"goodbye"
    assert client.read(data) == b""
    with pytest.raises(RefusedError, match=HUNGUP):
        client.write(data, b"x")


def test_shutdown_write_ends_our_direction_only(client: RawClient, server: Server) -> None:
    _, ctl, data = client.dial(server.port)
    peer = server.accept()
    client.write(data, b"question")
    client.write(ctl, b"shutdown write")
    assert peer.recv(100) == b"question"
    assert peer.recv(1) == b""
    peer.sendall(b"answer")
    assert client.read(data) == b"answer"
    with pytest.raises(RefusedError, match=HUNGUP):
        client.write(data, b"more")
    assert client.text("net/tcp/0/status").startswith("Finwait2 ")


def test_a_clunk_interrupts_parked_reads_before_it_is_answered(
    client: RawClient, server: Server
) -> None:
    _, _, data = client.dial(server.port)
    read, clunk = client.send(m.Tread(data, 0, 3), m.Tclunk(data))
    assert client.reply(clunk) == m.Rclunk()
    assert client.reply(read) == m.Rerror("interrupted", 0)
    assert client.order[-2:] == [read, clunk]


def test_a_waiting_write_goes_on_after_the_last_clunk(client: RawClient, server: Server) -> None:
    _, ctl, data = client.dial(server.port)
    peer = server.accept()
    waiting = fill(client, data)
    client.clunk(ctl)
    client.clunk(data)
    total = 0
    while chunk := peer.recv(1 << 20):
        total += len(chunk)
    assert [client.wait(tag) for tag in waiting] == [m.Rwrite(60_000)] * 3
    assert total % 60_000 == 0
    assert client.order[-3:] == waiting


def test_a_write_that_waits_holds_nobody_up(client: RawClient, server: Server) -> None:
    _, _, data = client.dial(server.port)
    server.accept()
    waiting = fill(client, data)
    _, _, other = client.dial(server.port)
    peer = server.accept()
    client.write(other, b"hello")
    assert peer.recv(5) == b"hello"
    assert not set(waiting) & set(client.order)


def test_a_flushed_write_that_has_not_begun_is_withdrawn(client: RawClient, server: Server) -> None:
    _, _, data = client.dial(server.port)
    peer = server.accept()
    waiting = fill(client, data)
    assert client.ask(m.Tflush(waiting[-1])) == m.Rflush()
    assert waiting[-1] not in client.order
    while not set(waiting[:-1]) <= set(client.order):
        assert peer.recv(1 << 20)
        client.ask(m.Tstat(data))
    assert waiting[-1] not in client.order


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_flushed_write_that_has_begun_says_how_much_went(
    door: Door, server: Server, size: int
) -> None:
    client = door.attach(msize=1 << 20)
    _, ctl, data = client.dial(server.port)
    peer = server.accept()
    dialled = len(client.order)
    begun, *_ = fill(client, data, size)
    client.ask(m.Tflush(begun))
    client.write(ctl, b"shutdown write")
    shutdown = client.order[-1]
    total = 0
    while chunk := peer.recv(1 << 20):
        total += len(chunk)
    client.ask(m.Tstat(data))
    answers = [client.seen[tag] for tag in client.order[dialled:] if tag != shutdown]
    assert total == sum(reply.count for reply in answers if isinstance(reply, m.Rwrite))


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_reset_in_the_middle_of_writes_costs_nobody_else_anything(
    door: Door, server: Server, size: int
) -> None:
    client = door.attach(msize=1 << 20)
    _, _, data = client.dial(server.port)
    peer = server.accept()
    _, _, other = client.dial(server.port)
    second = server.accept()
    waiting = fill(client, data, size)
    reset(peer)
    for tag in waiting:
        with pytest.raises(RefusedError, match=r"^connection refused$"):
            client.wait(tag)
    payload = random.Random(size).randbytes(size)
    (tag,) = client.send(m.Twrite(other, 0, payload))
    got = b""
    while len(got) < size:
        got += second.recv(1 << 20)
    assert (client.wait(tag), got) == (m.Rwrite(size), payload)


def test_a_stream_in_full_flow_is_read_in_order_and_to_its_end(door: Door, server: Server) -> None:
    """Large pieces are spliced and small ones copied; both come in turns here."""
    client = door.attach(msize=4 << 20)
    _, _, data = client.dial(server.port)
    peer = server.accept()
    chance = random.Random(9)
    sent = chance.randbytes(24 << 20)

    def send() -> None:
        peer.sendall(sent)
        peer.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    got, reads = bytearray(), deque(client.send(*(m.Tread(data, 0, 1 << 20) for _ in range(4))))
    while piece := data_of(client.wait(reads.popleft())):
        got += piece
        reads += client.send(m.Tread(data, 0, chance.choice((1, 4096, 70_000, 1 << 20, 3 << 20))))
    sender.join()
    assert got == sent


def test_waiting_writes_of_a_fid_are_bounded_and_leave_no_hole(
    place: Place, server: Server
) -> None:
    client = place.gateway(limits=Limits(fid_write_bytes=200_000)).attach()
    _, _, data = client.dial(server.port)
    peer = server.accept()
    chunk = bytes(60_000)
    answers: list[m.Message] = []
    refused = 0
    while not refused:
        write, stat = client.send(m.Twrite(data, 0, chunk), m.Tstat(data))
        client.reply(stat)
        if write in client.order:
            answers.append(client.reply(write))
            refused += isinstance(answers[-1], m.Rerror)
    assert answers[-1] == m.Rerror("write queue full", 0)
    with pytest.raises(RefusedError, match=r"^write queue full$"):
        client.write(data, b"x")
    stats = place.gateways[0].stats()
    assert 200_000 <= stats["parked_bytes"] <= 260_000
    while place.gateways[0].stats()["parked_bytes"]:
        peer.recv(1 << 20)
    assert client.write(data, b"y") == 1


def test_waiting_writes_of_a_session_are_bounded(place: Place, server: Server) -> None:
    client = place.gateway(limits=Limits(session_write_bytes=100_000)).attach()
    _, _, first = client.dial(server.port)
    _, _, second = client.dial(server.port)
    fill_until_waiting(client, first, 100_000, place)
    with pytest.raises(RefusedError, match=r"^write queue full$"):
        client.write(second, b"x")


def test_waiting_writes_of_a_gateway_are_bounded(place: Place, server: Server) -> None:
    door = place.gateway(limits=Limits(gateway_write_bytes=100_000))
    mine, yours = door.attach(), door.attach()
    _, _, data = mine.dial(server.port)
    _, _, other = yours.dial(server.port)
    fill_until_waiting(mine, data, 100_000, place)
    with pytest.raises(RefusedError, match=r"^write queue full$"):
        yours.write(other, b"x")


def fill_until_waiting(client: RawClient, data: int, least: int, place: Place) -> None:
    """Twrites until so many bytes wait."""
    while place.gateways[0].stats()["parked_bytes"] < least:
        _, stat = client.send(m.Twrite(data, 0, bytes(60_000)), m.Tstat(data))
        client.reply(stat)


def test_parked_reads_of_a_fid_are_bounded(place: Place, server: Server) -> None:
    client = place.gateway(limits=Limits(fid_reads=4)).attach()
    _, _, data = client.dial(server.port)
    parked = client.send(*(m.Tread(data, 0, 1) for _ in range(4)))
    with pytest.raises(RefusedError, match=r"^too many requests$"):
        client.read(data)
    client.ask(m.Tflush(parked[0]))
    (again,) = client.send(m.Tread(data, 0, 1))
    client.ask(m.Tstat(data))
    assert again not in client.order


def test_a_client_that_reads_no_replies_gets_none_and_stalls_nobody(
    place: Place, server: Server
) -> None:
    door = place.gateway(limits=Limits(session_unread_bytes=1 << 20))
    stuck, other = door.attach(), door.attach()
    _, _, data = stuck.dial(server.port)
    peer = server.accept()
    peer.setblocking(False)
    _, _, quick = other.dial(server.port)
    second = server.accept()
    stuck.send(*(m.Tread(data, 0, 60_000) for _ in range(500)))
    sent = 0
    payload = bytes(1 << 20)
    other.write(quick, b"x")
    assert second.recv(1) == b"x"
    try:
        while sent < 64 << 20:
            sent += peer.send(payload)
            second.sendall(b"y")
            assert other.read(quick) == b"y"
    except BlockingIOError:
        pass
    assert sent < 64 << 20
    received = 0
    while received < min(sent, 1 << 20):
        _, reply = stuck.next_reply()
        received += len(data_of(reply))


def test_a_session_that_vanishes_frees_what_it_had(door: Door, server: Server) -> None:
    client = door.attach()
    _, _, _ = client.dial(server.port)
    peer = server.accept()
    _, _, port = client.announce()
    client.close()
    assert peer.recv(1) == b""
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.settimeout(PATIENCE_S)
        other = door.attach()
        number, ctl = other.clone()
        assert number == 0
        other.write(ctl, f"announce 127.0.0.1!{port}".encode())


def test_tversion_ends_all_that_was(client: RawClient, server: Server) -> None:
    _, _, data = client.dial(server.port)
    peer = server.accept()
    client.send(m.Tread(data, 0, 3))
    client.begin()
    assert peer.recv(1) == b""
    with pytest.raises(RefusedError, match=r"^unknown fid$"):
        client.read(data)
    assert client.clone()[0] == 0
