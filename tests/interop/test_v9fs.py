"""Linux's kernel mounts the gateway and uses it by the shell alone, in each of the three dialects.

A guest boots once for each dialect and core and goes through v9fs.sh; each test looks at what a
step or two printed, or at the frames that passed. The guest reaches no address but 127.0.0.1 of
this machine, so what it hears from 127.0.0.9 has come through the mount.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netrelay import core as cores
from netrelay import messages as m
from netrelay.types import NONUNAME, Dialect
from tests.gateway.rawclient import RawClient
from tests.integrity.relay import gateway
from tests.served import net

from . import guest
from .wiretap import Wiretap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netrelay.core import Core

pytestmark = [pytest.mark.interop, pytest.mark.timeout(guest.PATIENCE_S + 60)]

SCRIPT = (Path(__file__).parent / "v9fs.sh").read_text()
FAR = "127.0.0.9"
BULK = 4 << 20
DIALECTS = [Dialect.P2000, Dialect.U, Dialect.L]
DENIED, REFUSED = "Permission denied", "Connection refused"


class Server:
    """A server at an address that the guest does not reach; a call's first line says what for."""

    def __init__(self) -> None:
        self._listener = socket.create_server((FAR, 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._calls: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Server:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        for call in self._calls:
            with contextlib.suppress(OSError):
                call.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                call, _ = self._listener.accept()
            except OSError:
                return
            self._calls.append(call)
            thread = threading.Thread(target=self._serve, args=(call,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, call: socket.socket) -> None:
        call.settimeout(guest.PATIENCE_S)
        # A guest may hang up whenever it likes.
        with call, call.makefile("rb", buffering=0) as stream, contextlib.suppress(OSError):
            match stream.readline().split():
                case [b"echo"]:
                    while data := stream.read(1 << 16):
                        call.sendall(data)
                case [b"held"]:
                    call.sendall(b"abc")
                    stream.readline()
                    call.sendall(b"def")
                case [b"sink"]:
                    seen = hashlib.sha256()
                    while data := stream.read(1 << 16):
                        seen.update(data)
                    call.sendall(f"{seen.hexdigest()}  -\n".encode())
                case [b"source"]:
                    call.sendall(payload())
                case [b"call"]:
                    port = int(stream.readline())
                    with socket.create_connection((FAR, port), guest.PATIENCE_S) as made:
                        made.sendall(b"hello\n")
                        call.sendall(made.makefile("rb").read())


def payload() -> bytes:
    """What `source` sends."""
    return random.Random(9).randbytes(BULK)


@dataclass
class Mounted:
    """A guest's run."""

    core: Core
    dialect: Dialect
    said: dict[str, str]
    sessions: list[list[m.Message]]
    gateway_port: int

    def lines(self, step: str) -> list[str]:
        """What a step printed."""
        return self.said[step].splitlines()

    def sent(self, kind: type[m.Message]) -> list[m.Message]:
        """All messages of one type, of either side."""
        return [each for session in self.sessions for each in session if isinstance(each, kind)]


@pytest.fixture(scope="module", params=["python", "rust"])
def name(request: pytest.FixtureRequest) -> str:
    """Each core's."""
    if request.param == "rust" and request.config.getoption("--ref-only"):
        pytest.skip("--ref-only")
    if reason := guest.missing():
        pytest.skip(reason)
    return str(request.param)


@pytest.fixture(scope="module", params=DIALECTS, ids=lambda dialect: dialect.value)
def mounted(request: pytest.FixtureRequest, name: str) -> Iterator[Mounted]:
    """A guest that has done its script on one dialect, and the gateway that it did it on."""
    dialect, core = request.param, cores.load(name)
    near = DIALECTS[DIALECTS.index(dialect) - 1]
    with socket.create_server((FAR, 0)) as closed:
        nobody: int = closed.getsockname()[1]
    with gateway(name) as (_, port), Wiretap(port) as tap, Server() as server:
        variables = {
            "V": dialect.value.lower().replace(".l", ".L"),
            "NEAR": near.value.lower().replace(".l", ".L"),
            "AT": f"{FAR}!{server.port}",
            "CLOSED": nobody,
            "SHORT": "yes" if dialect is Dialect.L else "no",
            "OPTIONS": ",dfltuid=1000,dfltgid=1000" if dialect is Dialect.P2000 else "",
        }
        assigned = "\n".join(f"{name}={value}" for name, value in variables.items())
        said = guest.run(tap.port, f"{assigned}\n{SCRIPT}", programs=("dd",))
        yield Mounted(core, dialect, said, tap.messages(), port)


def test_each_dialect_is_what_was_asked_for(mounted: Mounted) -> None:
    agreed = {each.version for each in mounted.sent(m.Rversion) if isinstance(each, m.Rversion)}
    assert mounted.dialect.value in agreed
    # The second mount has another one at the same port.
    assert len(agreed) == 2


def test_it_lists_the_tree(mounted: Mounted) -> None:
    rows = [line.split() for line in mounted.lines("listing")]
    assert {row[-1] for row in rows if row[0] != "total"} == set(net(mounted.core))
    assert [row[0] for row in rows if row[-1] in ("clone", "cs", "tcp")] == [
        "-rw-rw-rw-",
        "dr-xr-xr-x",
    ]
    assert "/n/net/tcp/clone" in mounted.lines("names")


def test_it_tells_what_a_file_is(mounted: Mounted) -> None:
    owner = "4294967294" if mounted.dialect is Dialect.P2000 else "65534"
    clone, tcp, ndb = mounted.lines("stat")
    assert clone == f"regular empty file 666 0 {owner}"
    assert tcp == f"directory 555 0 {owner}"
    assert ndb.startswith("regular file 666 ")


def test_it_reads_files_whose_size_is_0(mounted: Mounted) -> None:
    assert "sys=" in mounted.said["ndb"]
    assert mounted.lines("stats")[0].startswith("MaxConn: ")
    # Made anew at each read: with a digit more by then the last byte comes twice (tree.md 11).
    assert mounted.said["stats"].rstrip("\n").endswith("\nRecoveryPA: 0")


def test_it_resolves_through_cs_and_dns(mounted: Mounted) -> None:
    assert mounted.said["cs"] == "/net/tcp/clone 127.0.0.9!564"
    assert mounted.lines("no-service") == ["sh: write error: No such file or directory", "status 1"]
    assert mounted.said["dns"].startswith("localhost ip\t127.")


def test_it_dials_what_it_can_t_reach_and_talks(mounted: Mounted) -> None:
    assert mounted.said["dial"] == "hello"
    assert mounted.said["status"].startswith("Established ")
    assert mounted.said["remote"].startswith(f"{FAR}!")
    assert mounted.said["local"].startswith("127.0.0.1!")


def test_two_mounts_of_different_dialects_share_a_port_and_a_tree(mounted: Mounted) -> None:
    assert mounted.lines("near") == [mounted.lines("remote")[0], "again"]


def test_redirection_with_its_truncation_writes_to_ctl(mounted: Mounted) -> None:
    status, text = mounted.lines("hangup")
    assert status == "status 0"
    assert text.startswith("Closed ")
    if mounted.dialect is Dialect.L:
        sizes = [each.size for each in mounted.sent(m.Tsetattr) if isinstance(each, m.Tsetattr)]
    else:
        sizes = [each.stat.length for each in mounted.sent(m.Twstat) if isinstance(each, m.Twstat)]
    assert 0 in sizes


def test_bulk_arrives_whole(mounted: Mounted) -> None:
    sent, received = mounted.lines("up")
    assert sent == received
    assert mounted.lines("down") == [f"{hashlib.sha256(payload()).hexdigest()}  -"]


def test_a_descriptor_that_does_not_block_gets_what_has_come(mounted: Mounted) -> None:
    assert mounted.lines("not-blocking") == ["abc", "def"]


def test_a_read_of_as_much_as_comes_ends(mounted: Mounted) -> None:
    assert mounted.said["whole"] == "abcdef"


def test_a_read_returns_what_has_come(mounted: Mounted) -> None:
    if mounted.dialect is Dialect.L:
        assert mounted.lines("short") == ["abc", "def"]
    else:
        assert "short" not in mounted.said, "9P2000 and .u do not tell who asks"


def test_who_makes_a_descriptor_not_blocking_is_told_of_no_end(mounted: Mounted) -> None:
    if mounted.dialect is Dialect.L:
        error, *rest = mounted.lines("made-not-blocking")
        assert error.endswith("Resource temporarily unavailable")
        assert rest[-1].endswith("def")


def test_refusals_are_errors_that_linux_knows(mounted: Mounted) -> None:
    # In plain 9P2000 Linux has no words for an address in use.
    in_use = (
        "Device or resource busy" if mounted.dialect is Dialect.P2000 else "Address already in use"
    )
    said = {
        "refused": ["sh: write error: Connection refused", "status 1"],
        "in-use": [f"sh: write error: {in_use}"],
        "unknown": ["sh: write error: Invalid argument"],
        "guarded": ["sh: write error: Permission denied"],
    }
    assert {step: mounted.lines(step) for step in said} == said
    assert mounted.said["not-announced"].rstrip().endswith("Invalid argument")
    assert mounted.said["absent"].rstrip().endswith("No such file or directory")
    assert [line.rpartition(": ")[2] for line in mounted.lines("denied")] == [DENIED] * 3


def test_no_refusal_is_unknown_to_the_kernel(mounted: Mounted) -> None:
    assert mounted.said["console"] == ""


def test_it_announces_and_takes_a_call(mounted: Mounted) -> None:
    assert mounted.lines("listen") == ["hello", "and welcome"]


def test_a_killed_reader_flushes_and_takes_no_byte_along(mounted: Mounted) -> None:
    assert mounted.sent(m.Tflush)
    assert len(mounted.sent(m.Tflush)) == len(mounted.sent(m.Rflush))
    # The shell may or may not say so before it says the status.
    assert mounted.said["killed"].replace("Killed\n", "") == "abc status 137\ndef"


def test_each_user_of_a_mount_has_what_is_its_own(mounted: Mounted) -> None:
    if mounted.dialect is not Dialect.P2000:
        numbers = [each.n_uname for each in mounted.sent(m.Tattach) if isinstance(each, m.Tattach)]
        assert {NONUNAME, 1000, 1001} <= set(numbers)
    assert mounted.said["other-user"].rstrip().endswith(DENIED)
    ndb, *_, owner, mine = mounted.lines("user")
    # A gateway without an address begins with its name.
    assert ndb.startswith(("ip=", "sys="))
    assert (owner, mine) == ("1000", "mine")


def test_a_mount_with_files_open_is_busy_and_can_be_left_all_the_same(mounted: Mounted) -> None:
    busy, status, lazily, read = mounted.lines("busy")
    assert busy.endswith("Device or resource busy")
    assert (status, lazily, read) == ("status 1", "status 0", "abc")


def test_a_guest_that_is_gone_leaves_a_healthy_gateway_with_nothing_open(mounted: Mounted) -> None:
    with RawClient(socket.create_connection(("127.0.0.1", mounted.gateway_port))) as client:
        client.begin()
        used = [name for name in client.names("net/tcp") if name.isdecimal()]
        assert used
        for name in used:
            assert client.text(f"net/tcp/{name}/status").startswith("Closed ")
