"""Clients in Go that others wrote: plan9port's own (9P2000) and gVisor's (9P2000.L).

The second asks for 9P2000.L.Google.7. Both read a stream as Go programs do, which is to say that
they ask for the rest of a short read: they must never be told of an end that is not there.
"""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from netrelay import messages as m
from tests.integrity.relay import gateway
from tests.netns.lab import until

from .wiretap import Wiretap

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = Path(__file__).parent / "goclients"
# Of install-test-deps, where the system has none that is new enough.
OURS = Path(__file__).resolve().parents[2] / "target/go/bin"
PATIENCE_S = 30
BULK = 2 << 20

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]


class Client(Protocol):
    """Starts a scenario of one client on a gateway of one core."""

    def __call__(self, scenario: str, *arguments: str) -> subprocess.Popen[str]:
        """The running scenario."""


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scenarios, built."""
    go = shutil.which("go", path=str(OURS)) or shutil.which("go")
    if go is None:
        pytest.skip("go is not installed (tools/install-test-deps)")
    built = tmp_path_factory.mktemp("goclients") / "goclients"
    command = [go, "build", "-o", str(built), "."]
    done = subprocess.run(
        command, cwd=SOURCES, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return built


@pytest.fixture(params=["python", "rust"], scope="module")
def tap(request: pytest.FixtureRequest) -> Iterator[Wiretap]:
    """A gateway of each core, with its frames written down."""
    if request.param == "rust" and request.config.getoption("--ref-only"):
        pytest.skip("--ref-only")
    with gateway(request.param) as (_, listening), Wiretap(listening) as tap:
        yield tap


@pytest.fixture(params=["9fans", "hugelgupf"])
def client(request: pytest.FixtureRequest, program: Path, tap: Wiretap) -> Iterator[Client]:
    """Each client in turn; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(scenario: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [program, request.param, f"127.0.0.1:{tap.port}", scenario, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """Someone to dial."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)
        yield server


def accepted(server: socket.socket) -> socket.socket:
    """The next call."""
    call, _ = server.accept()
    call.settimeout(PATIENCE_S)
    return call


def at(server: socket.socket) -> str:
    """Its address, as ctl has it."""
    return f"127.0.0.1!{server.getsockname()[1]}"


def test_it_lists_the_tree(client: Client) -> None:
    out, err = client("list", "net").communicate(timeout=PATIENCE_S)
    assert {"tcp", "ndb", "log", "cs", "dns"} <= set(out.split()), err


def test_it_dials_and_reads_to_the_end(client: Client, server: socket.socket) -> None:
    dialling = client("dial", at(server))
    with accepted(server) as call:
        assert call.recv(100) == b"over there"
        call.sendall(b"and back")
    assert dialling.communicate(timeout=PATIENCE_S) == ("and back", "")


def test_bulk_arrives_whole(client: Client, server: socket.socket) -> None:
    dialling = client("sum", at(server))
    block = bytes(range(256)) * (BULK // 256)
    with accepted(server) as call:
        call.sendall(block)
    wanted = f"{BULK} {hashlib.sha256(block).hexdigest()}\n"
    assert dialling.communicate(timeout=PATIENCE_S) == (wanted, "")


def test_who_asks_for_the_rest_waits_for_it(
    client: Client, server: socket.socket, tap: Wiretap
) -> None:
    reading = client("full", at(server), "6")
    with accepted(server) as call:
        call.sendall(b"abc")
        rest = m.Tread(0, 3, 3)
        until(
            lambda: any(
                isinstance(each, m.Tread) and each._replace(fid=0) == rest
                for each in tap.messages()[-1]
            ),
            "the rest is asked for",
        )
        call.sendall(b"def")
        assert reading.communicate(timeout=PATIENCE_S) == ("abcdef", "")


def test_it_is_told_why_a_call_failed(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = at(closed)
    dialling = client("dial", nobody)
    _, err = dialling.communicate(timeout=PATIENCE_S)
    assert dialling.returncode == 1
    assert "connection refused" in err


def test_it_takes_a_call(client: Client) -> None:
    taking = client("call")
    assert taking.stdout is not None
    _, _, announced = taking.stdout.readline().strip().partition("!")
    with socket.create_connection(("127.0.0.1", int(announced)), timeout=PATIENCE_S) as caller:
        caller.sendall(b"hello")
        assert caller.recv(100) == b"hello"
    _, err = taking.communicate(timeout=PATIENCE_S)
    assert taking.returncode == 0, err


def test_it_asks_cs(client: Client) -> None:
    out, err = client("cs", "tcp!127.0.0.1!9fs").communicate(timeout=PATIENCE_S)
    assert (out, err) == ("/net/tcp/clone 127.0.0.1!564\n", "")


def test_it_is_told_what_cs_can_t_translate(client: Client) -> None:
    _, err = client("cs", "tcp!127.0.0.1!nosuchservice").communicate(timeout=PATIENCE_S)
    # In 9P2000.L there is no text, only a number.
    assert err in ("cs: can't translate service\n", "no such file or directory\n")
