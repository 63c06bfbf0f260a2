"""Payloads arrive whole, in order and once, whatever the pace and the order of closing.

Every byte goes through a front end of `netrelay import`, 9P and `netrelay export`, as processes of
their own.
"""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from .peers import PATIENCE_S, Server, digest, exactly, payload, receive, receive_by_bytes, send
from .relay import relay, socks

pytestmark = pytest.mark.timeout(600)

MIB = 1 << 20
UP, DOWN = 1000, 2000
SIZE = 64 * MIB


def call(port: int) -> socket.socket:
    """A connection through the relay."""
    made = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def both_ways(made: socket.socket, number: int, size: int, outward: int, inward: int) -> str:
    """Send and receive at once; returns the hash of what came."""
    with ThreadPoolExecutor(1) as side:
        sent = side.submit(send, made, outward + number, size, pauses=True)
        got = receive(made)
        sent.result()
    if got != digest(inward + number, size):
        raise AssertionError(f"conversation {number} received something else")
    return got


@pytest.mark.parametrize("core", ["rust", "python"])
def test_both_directions_of_one_conversation(core: str) -> None:
    with (
        Server(lambda peer, n: both_ways(peer, n, SIZE, DOWN, UP)) as server,
        relay(core, server.port) as port,
        call(port) as client,
    ):
        both_ways(client, 0, SIZE, UP, DOWN)
        assert server.results[0].result() == digest(UP, SIZE)


@pytest.mark.parametrize("core", ["rust", "python"])
@pytest.mark.parametrize("front", ["publish", "socks"])
def test_both_directions_of_the_other_front_ends(core: str, front: str) -> None:
    with Server(lambda peer, n: both_ways(peer, n, SIZE, DOWN, UP)) as server:
        way = socks(core) if front == "socks" else relay(core, server.port, front=front)
        with way as port, call(port) as client:
            if front == "socks":
                where = socket.inet_aton("127.0.0.1") + server.port.to_bytes(2)
                client.sendall(b"\5\1\0\5\1\0\1" + where)
                assert exactly(client, 12)[:4] == b"\5\0\5\0"
            both_ways(client, 0, SIZE, UP, DOWN)
            assert server.results[0].result() == digest(UP, SIZE)


@pytest.mark.parametrize(
    ("core", "share"),
    [
        # Together they carry what one carries above.
        ("rust", SIZE // 64),
        ("python", SIZE // 64),
        pytest.param("rust", SIZE, marks=pytest.mark.long),
    ],
)
def test_sixty_four_conversations_at_once(core: str, share: int) -> None:
    def peer(made: socket.socket, _: int) -> str:
        # Conversations arrive in any order: the first bytes say which one this is.
        number = int.from_bytes(made.recv(1, socket.MSG_WAITALL))
        return both_ways(made, number, share, DOWN, UP)

    def client(port: int, number: int) -> str:
        with call(port) as made:
            made.sendall(bytes([number]))
            return both_ways(made, number, share, UP, DOWN)

    with Server(peer) as server, relay(core, server.port) as port:
        with ThreadPoolExecutor(64) as clients:
            for done in [clients.submit(client, port, number) for number in range(64)]:
                done.result()
        for result in server.results:
            result.result()


@pytest.mark.parametrize("core", ["rust", "python"])
def test_the_client_ends_first(core: str) -> None:
    def answer_after_the_end(made: socket.socket, _: int) -> str:
        got = receive(made)
        send(made, DOWN, SIZE)
        return got

    with (
        Server(answer_after_the_end) as server,
        relay(core, server.port) as port,
        call(port) as client,
    ):
        send(client, UP, SIZE)
        assert receive(client) == digest(DOWN, SIZE)
        assert server.results[0].result() == digest(UP, SIZE)


@pytest.mark.parametrize("core", ["rust", "python"])
def test_the_server_ends_first(core: str) -> None:
    def speak_then_listen(made: socket.socket, _: int) -> str:
        send(made, DOWN, SIZE)
        return receive(made)

    with (
        Server(speak_then_listen) as server,
        relay(core, server.port) as port,
        call(port) as client,
    ):
        assert receive(client) == digest(DOWN, SIZE)
        send(client, UP, SIZE)
        assert server.results[0].result() == digest(UP, SIZE)


@pytest.mark.parametrize("core", ["rust", "python"])
def test_a_reader_of_single_bytes_does_not_slow_its_neighbour(core: str) -> None:
    fast_done = threading.Event()

    def speak(made: socket.socket, _: int) -> str:
        seed = int.from_bytes(made.recv(1, socket.MSG_WAITALL))
        send(made, seed, SIZE)
        return ""

    def slow(port: int) -> str:
        with call(port) as made:
            made.sendall(b"\x01")
            return receive_by_bytes(made, fast_done)

    with Server(speak) as server, relay(core, server.port) as port:
        slowly = server.run(slow, port)
        with call(port) as made:
            made.sendall(b"\x02")
            assert receive(made) == digest(2, SIZE)
        assert not slowly.done(), "the slow reader must still be reading"
        fast_done.set()
        assert slowly.result() == digest(1, SIZE)


@pytest.mark.parametrize("core", ["rust", "python"])
def test_a_reset_by_the_server_reaches_the_client(core: str) -> None:
    def reset(made: socket.socket, _: int) -> str:
        made.recv(1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        return ""

    with Server(reset) as server, relay(core, server.port) as port, call(port) as client:
        client.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_the_payload_is_what_its_digest_says() -> None:
    assert sum(map(len, payload(5, 3 * MIB + 1))) == 3 * MIB + 1
    assert digest(5, MIB) != digest(6, MIB)
