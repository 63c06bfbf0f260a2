"""What 4th edition's import says before 9P, byte by byte (exportfs(4), import.c)."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING

import pytest

import netrelay
from netrelay import messages as m
from netrelay.gateway import exportfs
from netrelay.reference.codec import decode
from netrelay.types import NOTAG, Dialect

from .rawclient import PATIENCE_S, RawClient, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from netrelay.core import Core

HERE = ("127.0.0.1", 0)


class Gate:
    """A gateway in a thread of its own, and calls to where old import is served."""

    def __init__(self, core: Core, folder: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._gateway = netrelay.Gateway(
            f"unix!{folder}/gate",
            core=core.name,
            stacks=["alt=addr:127.0.0.2"],
            plan9_exportfs=["tcp!127.0.0.1!0"],
            grace_s=0,
        )
        self._run(self._gateway.__aenter__())
        (address,) = self._gateway.exportfs_addresses
        assert isinstance(address, netrelay.TcpAddress)
        self.port = address.port
        self._calls: list[socket.socket] = []

    def call(self) -> socket.socket:
        """A call that has said nothing."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
        self._calls.append(made)
        return made

    def close(self) -> None:
        """End all."""
        for call in self._calls:
            call.close()
        self._run(self._gateway.shutdown())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)  # type: ignore[arg-type]


@pytest.fixture
def gate(core: Core, tmp_path: Path) -> Iterator[Gate]:
    """A gateway that serves old import."""
    made = Gate(core, tmp_path)
    yield made
    made.close()


def mounted(call: socket.socket) -> RawClient:
    """The session behind the handshake, attached as the original's mount does."""
    client = RawClient(call, Dialect.P2000)
    version = client.ask(m.Tversion(8216, "9P2000"), tag=NOTAG)
    assert version == m.Rversion(8216, "9P2000")
    client.ask(m.Tattach(0, 0xFFFF_FFFF, "glenda", ""))
    return client


@pytest.mark.parametrize("line", [b"", b"impo nofilter clear\n", b"impo nofilter clear\0"])
def test_an_import_mounts_the_tree_that_it_names(gate: Gate, line: bytes) -> None:
    call = gate.call()
    call.sendall(b"/net.alt")
    assert call.recv(100) == b"OK"
    call.sendall(line)
    client = mounted(call)
    assert client.names("")[:2] == ["tcp", "udp"]
    reply = client.ask(m.Tstat(client.walk("tcp/..")))
    assert isinstance(reply, m.Rstat)
    assert (reply.stat.name, reply.stat.dev) == ("net.alt", 1)
    with pytest.raises(RefusedError, match="file does not exist"):
        client.walk("net")


def test_all_of_it_may_be_mounted(gate: Gate) -> None:
    call = gate.call()
    call.sendall(b"/")
    assert call.recv(100) == b"OK"
    assert mounted(call).names("") == ["net", "net.alt"]


@pytest.mark.parametrize(
    ("tree", "why"),
    [
        (b"/nowhere", b'chdir(8:"/nowhere"): file does not exist\n'),
        (b"/net/cs", b'chdir(7:"/net/cs"): not a directory\n'),
        (b"\xff", 'chdir(1:"\N{REPLACEMENT CHARACTER}"): file does not exist\n'.encode()),
    ],
)
def test_a_tree_that_is_not_there_is_told(gate: Gate, tree: bytes, why: bytes) -> None:
    call = gate.call()
    call.sendall(tree)
    assert b"".join(iter(lambda: call.recv(1000), b"")) == why


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"impo aan clear\n", "import filter argument unsupported: aan"),
        (b"impo nofilter ssl\n", "import encryption proto unsupported: ssl"),
        (b"impo nofilter\n", "impo arguments invalid: impo nofilter"),
        (b"impo a b c\n", "impo arguments invalid: impo a b c"),
        (b"impo " + b"x" * 200, "impo arguments invalid: impo " + "x" * 123),
    ],
)
def test_what_is_not_carried_is_told_where_the_caller_looks(
    gate: Gate, line: bytes, why: str
) -> None:
    """In the reply to the Tversion that it sends next."""
    call = gate.call()
    call.sendall(b"/net")
    assert call.recv(100) == b"OK"
    call.sendall(line)
    frame = b"".join(iter(lambda: call.recv(1000), b"")) if len(line) < 100 else call.recv(1000)
    assert decode(frame, Dialect.P2000) == (NOTAG, m.Rerror(why, 0))


@pytest.mark.parametrize(
    "say",
    [
        lambda call: None,
        lambda call: call.sendall(b"/net"),
        lambda call: (call.sendall(b"/net"), call.recv(2), call.sendall(b"im")),
        lambda call: (call.sendall(b"/net"), call.recv(2), call.sendall(b"impo nof")),
    ],
    ids=["nothing", "a tree", "half a mark", "half a line"],
)
def test_a_caller_that_leaves_early_costs_nothing(
    gate: Gate, say: Callable[[socket.socket], object]
) -> None:
    for _ in range(2 * exportfs.CALLERS):
        call = gate.call()
        say(call)
        call.close()
    call = gate.call()
    call.sendall(b"/net")
    assert call.recv(100) == b"OK"
    assert mounted(call).names("")[0] == "tcp"


def test_a_caller_that_says_nothing_is_given_up(
    core: Core, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exportfs, "PATIENCE_S", 0.05)
    gate = Gate(core, tmp_path)
    try:
        assert gate.call().recv(1) == b""
    finally:
        gate.close()


def test_off_loopback_it_wants_the_switch_that_says_so(core: Core, tmp_path: Path) -> None:
    async def work() -> None:
        gateway = netrelay.Gateway(
            f"unix!{tmp_path}/gate", core=core.name, plan9_exportfs=["tcp!*!0"]
        )
        with pytest.raises(netrelay.UsageError, match="--insecure-no-auth"):
            async with gateway:
                pass

    asyncio.run(work())
    with pytest.raises(netrelay.UsageError, match="calls by TCP"):
        netrelay.Gateway(f"unix!{tmp_path}/gate", plan9_exportfs=["unix!/x"])
