"""How a gateway and an importer end: politely when asked, at once when asked again, by accident."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 30.0
# Longer than a test may take: what ends sooner was not ended by it.
LONG = "600"
pytestmark = pytest.mark.parametrize("core", ["rust", "python"])


@dataclass
class Way:
    """A call from a client through an importer and a gateway to a server."""

    export: subprocess.Popen[str]
    importer: subprocess.Popen[str]
    port: int
    client: socket.socket
    server: socket.socket

    def works(self) -> None:
        """Bytes pass both ways."""
        for one, other in ((self.client, self.server), (self.server, self.client)):
            one.sendall(b"bytes")
            assert other.recv(5, socket.MSG_WAITALL) == b"bytes"


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A command, and its first line; nothing of it is left behind."""
    with subprocess.Popen(
        [sys.executable, "-m", "netrelay", *arguments], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            yield process, process.stderr.readline()
        finally:
            process.kill()


@contextlib.contextmanager
def way(core: str, grace: str) -> Iterator[Way]:
    """The whole way, up and with a call on it."""
    options = ("--core", core, "--allow-dial", "127.0.0.0/8", "--grace", grace)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener.settimeout(PATIENCE_S)
        target = listener.getsockname()[1]
        export, said = stack.enter_context(
            started("export", "--listen", "tcp!127.0.0.1!0", *options)
        )
        address = said.split()[-1]
        importer, said = stack.enter_context(
            started("import", address, "--core", core, "--forward", f"0:127.0.0.1:{target}")
        )
        local = int(said.partition("forwarding 127.0.0.1:")[2].split()[0])
        client = socket.create_connection(("127.0.0.1", local), PATIENCE_S)
        server, _ = listener.accept()
        server.settimeout(PATIENCE_S)
        made = Way(
            export,
            importer,
            int(address.rpartition("!")[2]),
            stack.enter_context(client),
            stack.enter_context(server),
        )
        made.works()
        yield made


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its status and its last words."""
    _, said = process.communicate(timeout=PATIENCE_S)
    return process.returncode, said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_gateway_that_is_asked_to_end_lets_a_conversation_finish(
    core: str, number: signal.Signals
) -> None:
    with way(core, LONG) as made:
        made.export.send_signal(number)
        assert made.export.stderr is not None
        assert "waiting up to 600 s for 1 conversation" in made.export.stderr.readline()
        with pytest.raises(ConnectionRefusedError):
            # Its workers are told, which takes a moment, and a call that waits just then is reset.
            for _ in range(1000):
                with contextlib.suppress(ConnectionResetError):
                    socket.create_connection(("127.0.0.1", made.port)).close()
        made.works()
        made.client.close()
        assert made.server.recv(1) == b""
        made.server.close()
        assert ended(made.export) == (0, "")
        status, said = ended(made.importer)
        assert (status, "netrelay: the gateway is gone" in said) == (1, True)


def test_a_gateway_ends_at_its_deadline(core: str) -> None:
    with way(core, "0.1") as made:
        made.export.terminate()
        assert ended(made.export)[0] == 0
        with pytest.raises(ConnectionResetError):
            made.client.recv(1)


def test_a_gateway_that_is_told_twice_ends_at_once(core: str) -> None:
    with way(core, LONG) as made:
        made.export.terminate()
        assert made.export.stderr is not None
        made.export.stderr.readline()
        made.export.terminate()
        assert ended(made.export)[0] == 0


def test_an_importer_whose_gateway_dies_says_so_and_resets_its_calls(core: str) -> None:
    with way(core, LONG) as made:
        made.export.kill()
        status, said = ended(made.importer)
        assert (status, "netrelay: the gateway is gone" in said) == (1, True)
        with pytest.raises(ConnectionResetError):
            made.client.recv(1)


def test_an_importer_that_is_ended_resets_its_calls_and_ends_well(core: str) -> None:
    with way(core, LONG) as made:
        made.importer.send_signal(signal.SIGINT)
        assert ended(made.importer) == (0, "")
        with pytest.raises(ConnectionResetError):
            made.client.recv(1)
