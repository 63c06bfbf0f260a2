"""Garbage on the port: each stream ends its own session and costs nobody else anything."""

from __future__ import annotations

import random
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netrelay import messages as m
from netrelay.reference.codec import decode, encode
from netrelay.types import Dialect

from .relay import gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .relay import Started

pytestmark = pytest.mark.timeout(900)

WIRE = Path(__file__).parents[1] / "vectors" / "wire"
STREAMS = 10_000
ROUNDS = 100


def recorded() -> list[bytes]:
    """What foreign clients have sent, a whole session each."""
    found = []
    for path in sorted(WIRE.glob("*.wire")):
        lines = (line.split() for line in path.read_text().splitlines())
        frames = [bytes.fromhex(words[2]) for words in lines if words and words[0] == ">"]
        found.append(b"".join(frames)[:20_000])
    assert found, "the vectors are missing"
    return found


def streams(count: int, seed: int) -> Iterator[bytes]:
    """Random bytes and recorded sessions with mutations."""
    whim = random.Random(seed)
    sessions = recorded()
    for _ in range(count):
        if whim.random() < 0.2:
            yield whim.randbytes(whim.randrange(200))
            continue
        data = bytearray(whim.choice(sessions))
        for _ in range(whim.randrange(1, 6)):
            match whim.randrange(4):
                case 0:
                    data[whim.randrange(len(data))] = whim.randrange(256)
                case 1:
                    del data[whim.randrange(len(data)) :]
                case 2:
                    at = whim.randrange(len(data) + 1)
                    data[at:at] = whim.randbytes(whim.randrange(1, 40))
                case _:
                    at = whim.randrange(len(data) + 1)
                    del data[at : at + whim.randrange(40)]
            data = data or bytearray(b"\0")
        yield bytes(data)


class Healthy:
    """A well-behaved session that must not notice."""

    def __init__(self, port: int) -> None:
        self.call = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.rpc(m.Tversion(8192, "9P2000"), tag=0xFFFF)
        self.rpc(m.Tattach(0, 0xFFFFFFFF, "glenda", ""))

    def rpc(self, message: m.Message, tag: int = 0) -> m.Message:
        """One request, its reply."""
        self.call.sendall(encode(tag, message, Dialect.P2000))
        size = self.call.recv(4, socket.MSG_WAITALL)
        rest = self.call.recv(int.from_bytes(size, "little") - 4, socket.MSG_WAITALL)
        return decode(size + rest, Dialect.P2000)[1]


def throw(port: int, stream: bytes) -> None:
    """Send one stream, say it is all, and see the session end."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as call:
        try:
            call.sendall(stream)
            call.shutdown(socket.SHUT_WR)
            while call.recv(65536):
                pass
        except (ConnectionResetError, BrokenPipeError):
            pass  # the gateway had seen enough


def throw_all(port: int, healthy: Healthy, count: int, seed: int) -> None:
    """`count` streams, with the healthy session at work in between."""
    for number, stream in enumerate(streams(count, seed)):
        throw(port, stream)
        if number % ROUNDS == 0:
            assert isinstance(healthy.rpc(m.Tstat(0)), m.Rstat)


@pytest.mark.parametrize("core", ["rust", "python"])
def test_each_stream_ends_its_own_session_only(core: str) -> None:
    with gateway(core) as (started, port):
        healthy = Healthy(port)
        throw_all(port, healthy, 300, seed=1)
        base = settled(started, healthy)
        before = started.resident()
        throw_all(port, healthy, STREAMS, seed=2)
        assert settled(started, healthy) <= base
        assert started.resident() <= before + (8 << 20)
        assert started.process.poll() is None
        healthy.call.close()


def settled(started: Started, healthy: Healthy) -> int:
    """The descriptors, once the sessions just thrown have been seen off."""
    least = started.descriptors()
    for _ in range(200):
        healthy.rpc(m.Tstat(0))
        least = min(least, started.descriptors())
    return least
