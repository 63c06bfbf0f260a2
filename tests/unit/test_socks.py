"""The SOCKS handshake over a real local port, with a session that only notes what is asked."""

from __future__ import annotations

import asyncio
import os
import struct
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from netrelay.client import network
from netrelay.errors import NetError
from netrelay.proxy import socks
from netrelay.types import Completion

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from netrelay.client.session import Session
    from netrelay.names.dialstring import Dial

HELLO = b"\x05\x01\x00"


class Gate:
    """Dials that are noted, refused with a text, or brought up and pumped by nobody."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refusal: str | None = None) -> None:
        self.dialled: list[str] = []
        self.refusal = refusal
        monkeypatch.setattr(network, "place", self._place)

    async def _place(self, session: Session, dial: Dial) -> tuple[None, int, int, int]:
        self.dialled.append(str(dial))
        if self.refusal is not None:
            raise NetError(self.refusal)
        return None, 0, 1, 2

    async def _pump(self, ctl: int, data: int, descriptor: int) -> Completion:
        os.close(descriptor)
        return Completion(1, "pump")

    def session(self) -> Session:
        wire = SimpleNamespace(pump=self._pump, clunk=lambda fid: None)
        return cast("Session", SimpleNamespace(wire=wire))


async def exchange(gate: Gate, sent: bytes, *, handshake_s: float = 5.0, eof: bool = True) -> bytes:
    """Everything that the server says to a client that sends this."""
    async with socks.Socks(gate.session(), "127.0.0.1", 0, handshake_s=handshake_s) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(sent)
        if eof:
            writer.write_eof()
        said = await reader.read()
        writer.close()
        await writer.wait_closed()
        return said


def run(work: Callable[[], Coroutine[object, object, bytes]]) -> bytes:
    async def bounded() -> bytes:
        async with asyncio.timeout(20):
            return await work()

    return asyncio.run(bounded())


def request(kind: int, address: bytes, port: int = 80, command: int = 1) -> bytes:
    return HELLO + bytes((5, command, 0, kind)) + address + struct.pack(">H", port)


@pytest.mark.parametrize(
    ("kind", "address", "dialled"),
    [
        (1, bytes((10, 0, 0, 1)), "tcp!10.0.0.1!80"),
        (3, b"\x0bexample.com", "tcp!example.com!80"),
        (4, bytes(15) + b"\x01", "tcp!::1!80"),
    ],
)
def test_each_kind_of_address_is_dialled_at_the_gateway(
    monkeypatch: pytest.MonkeyPatch, kind: int, address: bytes, dialled: str
) -> None:
    gate = Gate(monkeypatch)
    said = run(lambda: exchange(gate, request(kind, address)))
    assert said == b"\x05\x00" + b"\x05\x00\x00\x01" + bytes(6)
    assert gate.dialled == [dialled]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("connection refused", 5),
        ("permission denied", 2),
        ("no route", 3),
        ("host unreachable", 4),
        ("connection timed out", 4),
        ("cs: can't translate address: dns: name does not exist", 4),
        ("no free devices", 1),
    ],
)
def test_refusals_become_reply_codes(monkeypatch: pytest.MonkeyPatch, text: str, code: int) -> None:
    said = run(lambda: exchange(Gate(monkeypatch, text), request(1, bytes(4))))
    assert said[2:4] == bytes((5, code))


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"\x04\x01", b""),
        (b"\x05\x01\x02", b"\x05\xff"),
        (request(1, bytes(4), command=2), b"\x05\x00\x05\x07\x00\x01" + bytes(6)),
        (HELLO + b"\x05\x01\x00\x09", b"\x05\x00\x05\x08\x00\x01" + bytes(6)),
        (request(3, b"\x03a!b"), b"\x05\x00\x05\x01\x00\x01" + bytes(6)),
        (request(3, b"\x00"), b"\x05\x00\x05\x01\x00\x01" + bytes(6)),
        (HELLO + b"\x05", b"\x05\x00"),
    ],
)
def test_what_is_no_connect_is_refused_and_never_dialled(
    monkeypatch: pytest.MonkeyPatch, sent: bytes, said: bytes
) -> None:
    gate = Gate(monkeypatch)
    assert run(lambda: exchange(gate, sent)) == said
    assert gate.dialled == []


def test_a_client_that_says_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    assert run(lambda: exchange(gate, b"\x05", handshake_s=0.01, eof=False)) == b""
