"""What a shell sees of a command: bytes, one line when it fails, and how it ends.

The commands run as processes, with the descriptors and signals that a shell gives them.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from netrelay import core as cores
from tests.integrity.relay import gateway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_S = 30.0
NETRELAY = (sys.executable, "-m", "netrelay")


@pytest.fixture(scope="module")
def gate() -> Iterator[str]:
    """The address of a gateway that may dial loopback."""
    with gateway(cores.available()[0]) as (_, port):
        yield f"tcp!127.0.0.1!{port}"


def run(*arguments: str, then: str = "", stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """A command to its end; `then` is what stands behind it on the line."""
    line = f'"$@" {then}'
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line, "bash", *NETRELAY, *arguments],
        input=stdin,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )


@contextlib.contextmanager
def server(behave: Callable[[socket.socket], bytes]) -> Iterator[tuple[str, Future[bytes]]]:
    """A server of one call: its dial string, and what became of the call."""

    def serve() -> bytes:
        call, _ = listener.accept()
        with call:
            call.settimeout(PATIENCE_S)
            return behave(call)

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        listener.settimeout(PATIENCE_S)
        yield f"tcp!127.0.0.1!{listener.getsockname()[1]}", pool.submit(serve)


@pytest.mark.parametrize("command", [("cat", "/net/tcp/stats"), ("ls", "/net"), ("stat", "/net")])
def test_a_reader_that_goes_is_an_end_without_words(gate: str, command: tuple[str, str]) -> None:
    done = run(command[0], gate, command[1], then="| true")
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("command", [("cat", "/net/tcp/stats"), ("ls", "/net"), ("stat", "/net")])
def test_output_that_can_t_be_written_is_told(gate: str, command: tuple[str, str]) -> None:
    done = run(command[0], gate, command[1], then=">/dev/full")
    told = b"netrelay: can't write standard output: no space left on device\n"
    assert (done.returncode, done.stderr) == (1, told)


@pytest.mark.parametrize(
    ("command", "closed", "told"),
    [
        (("ls",), ">&-", b"netrelay: can't write standard output: bad file descriptor\n"),
        (
            ("write", "/net/log"),
            "<&-",
            b"netrelay: can't read standard input: bad file descriptor\n",
        ),
    ],
)
def test_a_standard_descriptor_that_is_closed_is_told(
    gate: str, command: tuple[str, ...], closed: str, told: bytes
) -> None:
    """A socket that takes its number is written to by whoever prints."""
    done = run(command[0], gate, *command[1:], then=closed)
    assert (done.returncode, done.stderr) == (1, told)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("cat", "/net"), b"/net: is a directory: `netrelay ls` lists it"),
        (("cat", "/no"), b"/no: file does not exist (`netrelay ls` shows what there is)"),
        (("ls", "/no"), b"/no: file does not exist (`netrelay ls` shows what there is)"),
        (("stat", "/no"), b"/no: file does not exist (`netrelay ls` shows what there is)"),
        (
            ("write", "/net/tcp/stats"),
            b"/net/tcp/stats: permission denied (`netrelay stat` shows who may)",
        ),
        (("dial", "tcp!127.0.0.1!1"), b"tcp!127.0.0.1!1: connection refused"),
        (
            ("dial", "tcp!169.254.169.254!80"),
            b"tcp!169.254.169.254!80: permission denied (the gateway forbids it: "
            b"its operator can allow it, see `netrelay export --help`)",
        ),
        (
            ("cs", "tcp!127.0.0.1!nosuch"),
            b"tcp!127.0.0.1!nosuch: cs: can't translate service (write the port as a number)",
        ),
    ],
)
def test_a_refusal_says_what_it_is_about_and_what_to_do(
    gate: str, command: tuple[str, str], told: bytes
) -> None:
    done = run(command[0], gate, command[1])
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"netrelay: " + told + b"\n")


def test_a_port_that_is_taken_is_said_to_be(gate: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("import", gate, "--publish", f"127.0.0.1:{port}:127.0.0.1:80")
        assert done.returncode == 1
        assert done.stderr.decode() == (
            f"netrelay: --publish 127.0.0.1:{port}:127.0.0.1:80: address in use "
            "(somebody has that port of the gateway: choose another)\n"
        )
        done = run("import", gate, "--socks", f"127.0.0.1:{port}")
        assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
        assert b"address already in use (another program" in done.stderr


PAYLOAD = random.Random(1).randbytes(3 << 20)


def receive(call: socket.socket) -> bytes:
    return b"".join(iter(lambda: call.recv(1 << 20), b""))


def test_dial_passes_any_bytes_and_ends_each_direction_by_itself(gate: str) -> None:
    def answer_behind_the_end(call: socket.socket) -> bytes:
        heard = receive(call)
        call.sendall(heard)
        return heard

    with server(answer_behind_the_end) as (there, _):
        done = run("dial", gate, there, stdin=PAYLOAD)
    assert (done.returncode, done.stdout, done.stderr) == (0, PAYLOAD, b"")


def test_dial_sends_on_when_the_other_end_has_ended(gate: str) -> None:
    """What standard input still held was thrown away at the other end's end."""

    def end_first(call: socket.socket) -> bytes:
        call.sendall(b"greeting")
        call.shutdown(socket.SHUT_WR)
        return receive(call)

    with server(end_first) as (there, heard):
        dial = subprocess.Popen(
            [*NETRELAY, "dial", gate, there], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with dial:
            # Who reads learns of the end, though the command goes on.
            assert dial.stdout is not None
            assert dial.stdout.read() == b"greeting"
            dial.communicate(PAYLOAD, timeout=PATIENCE_S)
        assert dial.returncode == 0
        assert heard.result() == PAYLOAD


def test_dial_tells_what_it_could_not_send(gate: str) -> None:
    def reset(call: socket.socket) -> bytes:
        call.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        return b""

    with server(reset) as (there, _):
        done = run("dial", gate, there, stdin=PAYLOAD)
    told = f"netrelay: {there}: connection refused\n"
    assert (done.returncode, done.stderr.decode()) == (1, told)


@pytest.mark.parametrize("command", [("ls",), ("import", "--socks", "0"), ("dial", "tcp!h!1")])
def test_ctrl_c_ends_even_the_wait_for_a_server_that_is_silent(command: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE_S)
        address = f"tcp!127.0.0.1!{silent.getsockname()[1]}"
        waiting = subprocess.Popen(
            [*NETRELAY, command[0], address, *command[1:]],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        with waiting, silent.accept()[0] as call:
            assert call.recv(100)
            waiting.send_signal(signal.SIGINT)
            _, said = waiting.communicate(timeout=5)
    interrupted = command[0] != "import"
    assert waiting.returncode == int(interrupted)
    assert said == (b"netrelay: interrupted\n" if interrupted else b"")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_of_its_shell(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = run("completion", shell)
    assert (script.returncode, script.stderr) == (0, b"")
    checked = subprocess.run(
        [shell, "-n"], input=script.stdout, capture_output=True, timeout=PATIENCE_S, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, b"")


def test_completion_completes() -> None:
    done = subprocess.run(
        NETRELAY,
        env=os.environ
        | {"_NETRELAY_COMPLETE": "bash_complete", "COMP_WORDS": "netrelay im", "COMP_CWORD": "1"},
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stdout == b"plain,import\n"
