"""The import side against a gateway of the same core: rpcs, dials, pumps and their ends."""

from __future__ import annotations

import random
import select
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from netrelay import messages as m
from netrelay.types import NOFID, ORDWR

from .rawclient import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netrelay.core import Core
    from netrelay.types import Completion

    from .conftest import Door, Server

CLONE = (("net",), ("tcp", "clone"))


class Program:
    """A program that embeds an importer and waits for its completions."""

    def __init__(self, core: Core, door: Door) -> None:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(door.path)
        self.core = core.Importer(sock.detach())
        self._early: list[Completion] = []

    def wait(self, id: int, kind: str | None = None) -> Completion:
        """The next completion of a call."""
        while True:
            for completion in self._early:
                if completion.id == id and kind in {None, completion.kind}:
                    self._early.remove(completion)
                    return completion
            ready, _, _ = select.select([self.core.completion_fd()], [], [], PATIENCE_S)
            assert ready, f"nothing came of {id}"
            self._early += self.core.completions()

    def ask(self, message: m.Message) -> m.Message | None:
        """One rpc."""
        return self.wait(self.core.rpc(message)).message


@pytest.fixture
def program(core: Core, door: Door) -> Iterator[Program]:
    """A program that is attached."""
    program = Program(core, door)
    ready = program.wait(0)
    assert (ready.kind, ready.windowed, ready.number) == ("ready", True, 1 << 20)
    assert isinstance(program.ask(m.Tattach(0, NOFID, "glenda", "")), m.Rattach)
    yield program
    program.core.close()
    assert program.wait(0, "closed").error is None


def test_a_dial_gives_open_fids_of_a_call_that_is_up(program: Program, server: Server) -> None:
    up = program.wait(program.core.dial(*CLONE, f"127.0.0.1!{server.port}"))
    assert (up.kind, up.number, up.error) == ("dial", 0, None)
    peer = server.accept()
    assert program.ask(m.Twrite(up.data, 0, b"hello")) == m.Rwrite(5)
    assert peer.recv(10) == b"hello"
    assert program.ask(m.Tread(up.ctl, 0, 10)) == m.Rread(b"0")


def test_a_refused_dial_leaves_no_fid_behind(program: Program, door: Door) -> None:
    down = program.wait(program.core.dial(*CLONE, "127.0.0.1!1"))
    assert (down.kind, down.error) == ("dial", "connection refused")
    stats = door.core.stats()
    assert (stats["conversations"], stats["fids"]) == (0, 1)


def test_a_pump_moves_megabytes_both_ways_and_passes_half_closes(
    program: Program, server: Server, door: Door
) -> None:
    near, far = socket.socketpair()
    near.settimeout(PATIENCE_S)
    pump = program.core.dial_and_pump(*CLONE, f"127.0.0.1!{server.port}", far.detach())
    assert program.wait(pump).kind == "dial"
    peer = server.accept()
    payload = bytes(range(256)) * 4096
    near.setblocking(True)
    near.settimeout(PATIENCE_S)
    sent = 0
    received = b""
    while sent < len(payload) or len(received) < len(payload):
        if sent < len(payload):
            sent += near.send(payload[sent : sent + 65536])
            if sent == len(payload):
                near.shutdown(socket.SHUT_WR)
        if select.select([peer], [], [], 0 if sent < len(payload) else PATIENCE_S)[0]:
            received += peer.recv(1 << 20)
    assert received == payload
    assert peer.recv(1) == b""
    peer.sendall(b"answer after the end")
    peer.shutdown(socket.SHUT_WR)
    assert near.recv(100) == b"answer after the end"
    assert near.recv(1) == b""
    ended = program.wait(pump)
    assert (ended.kind, ended.error) == ("pump", None)
    assert (ended.bytes_up, ended.bytes_down) == (len(payload), 20)
    assert door.core.stats()["conversations"] == 0
    near.close()


def feed(near: socket.socket, data: bytes) -> None:
    """Send in pieces of every size, as programs do, and end."""
    whim = random.Random(len(data))
    at = 0
    while at < len(data):
        at += near.send(data[at : at + whim.choice((1, 100, 1460, 32_768, 65_483, 1 << 20))])
    near.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("pumps", [1, 20])
def test_a_pump_sends_no_more_than_the_gateway_takes(
    program: Program, server: Server, pumps: int
) -> None:
    """Twenty together could park more than the gateway takes of one session (64 MiB)."""
    data = random.Random(1).randbytes(8 << 20)
    with ThreadPoolExecutor(pumps) as feeders:
        calls = []
        for _ in range(pumps):
            near, far = socket.socketpair()
            near.settimeout(PATIENCE_S)
            where = f"127.0.0.1!{server.port}"
            pump = program.core.dial_and_pump(*CLONE, where, far.detach())
            assert program.wait(pump).kind == "dial"
            calls.append((pump, near, server.accept(), feeders.submit(feed, near, data)))
        for _, _, peer, fed in calls:
            got = bytearray()
            while piece := peer.recv(4096):
                got += piece
            assert got == data
            fed.result()
            peer.close()
        for pump, near, _, _ in calls:
            ended = program.wait(pump)
            assert (ended.error, ended.bytes_up) == (None, len(data))
            near.close()


def test_a_reset_by_the_remote_resets_the_local_side(program: Program, server: Server) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    near = socket.create_connection(listener.getsockname(), PATIENCE_S)
    far, _ = listener.accept()
    pump = program.core.dial_and_pump(*CLONE, f"127.0.0.1!{server.port}", far.detach())
    assert program.wait(pump).kind == "dial"
    peer = server.accept()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    peer.close()
    ended = program.wait(pump)
    assert ended.error == "connection refused"
    with pytest.raises(ConnectionResetError):
        near.recv(1)
    near.close()
    listener.close()


def test_a_flushed_rpc_completes_as_flushed(program: Program, server: Server) -> None:
    up = program.wait(program.core.dial(*CLONE, f"127.0.0.1!{server.port}"))
    read = program.core.rpc(m.Tread(up.data, 0, 100))
    program.core.flush(read)
    assert program.wait(read).kind == "flushed"


def test_a_listen_gives_the_call(program: Program) -> None:
    core = program.core
    ctl = core.new_fid()
    program.ask(m.Twalk(0, ctl, ("net", "tcp", "clone")))
    program.ask(m.Topen(ctl, ORDWR))
    program.ask(m.Twrite(ctl, 0, b"announce 127.0.0.1!0"))
    local = core.new_fid()
    program.ask(m.Twalk(0, local, ("net", "tcp", "0", "local")))
    program.ask(m.Topen(local, 0))
    reply = program.ask(m.Tread(local, 0, 100))
    assert isinstance(reply, m.Rread)
    port = int(bytes(reply.data).decode().strip().rpartition("!")[2])
    listen = core.listen(("net", "tcp", "0"))
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as caller:
        call = program.wait(listen)
        assert (call.number, call.error) == (1, None)
        caller.sendall(b"hello")
        assert program.ask(m.Tread(call.data, 0, 100)) == m.Rread(b"hello")


def test_the_end_of_the_session_completes_everything(program: Program, door: Door) -> None:
    blocked = program.core.rpc(m.Tread(program.core.new_fid(), 0, 1))
    assert isinstance(program.wait(blocked).message, m.Rerror)
    err = program.core.new_fid()
    program.ask(m.Twalk(0, err, ("net", "log")))
    program.ask(m.Topen(err, 0))
    parked = program.core.rpc(m.Tread(err, 0, 100))
    program.core.close()
    assert program.wait(parked).error == "i/o on hungup channel"
