"""What docs/linux-v9fs.md shows works when it is typed in, at a gateway of each core."""

from __future__ import annotations

import fnmatch
import re
import selectors
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.integrity.relay import gateway

from . import guest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.interop, pytest.mark.timeout(guest.PATIENCE_S + 60)]

PAGE = (guest.ROOT / "docs/linux-v9fs.md").read_text()
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FAR = "127.0.0.80"
ANSWER = b"HTTP/1.0 200 OK\r\n\r\nHello from the other side of netrelay.\n"


def shown() -> list[tuple[str, str]]:
    """The page's commands, each with what it is said to print."""
    steps = [step for body in BLOCK.findall(PAGE) for step in re.split(r"(?m)^\$ ", body)[1:]]
    return [(command, output) for command, _, output in (step.partition("\n") for step in steps)]


def serve(listener: socket.socket) -> None:
    """Answer one request for a page."""
    call, _ = listener.accept()
    with call:
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += call.recv(4096)
        call.sendall(ANSWER)


def visit(port: int) -> None:
    """Call what the guest announces, once it does, and answer its question."""
    pause, deadline = selectors.DefaultSelector(), time.monotonic() + guest.PATIENCE_S
    while time.monotonic() < deadline:
        try:
            call = socket.create_connection((FAR, port), timeout=guest.PATIENCE_S)
        except ConnectionRefusedError:
            pause.select(0.05)
            continue
        with call:
            assert call.makefile("rb").readline() == b"who is there?\n"
            call.sendall(b"it is me\n")
            call.shutdown(socket.SHUT_WR)
            # The guest hangs up: a reset.
            with pytest.raises(ConnectionResetError):
                call.recv(1)
        return


@pytest.mark.parametrize("core", ["python", "rust"])
def test_the_page_does_what_it_says(core: str) -> None:
    if reason := guest.missing():
        pytest.skip(reason)
    steps = shown()
    assert len(steps) > 20
    with gateway(core) as (_, port), socket.create_server((FAR, 0)) as page:
        with socket.create_server((FAR, 0)) as free:
            announced: int = free.getsockname()[1]
        places = {
            "10.0.0.1": "10.0.2.2",
            "port=5640": f"port={port}",
            "80!8080": f"80!{page.getsockname()[1]}",
            "80!8081": f"80!{announced}",
        }

        def here(text: str) -> str:
            for ours, theirs in places.items():
                text = text.replace(ours, theirs)
            return text

        script = "".join(f"step {n}\n{here(command)}\n" for n, (command, _) in enumerate(steps))
        workers = [started(serve, page), started(visit, announced)]
        said = guest.run(port, script)
        for worker in workers:
            worker.join()
    for number, (command, wanted) in enumerate(steps):
        pattern = here(wanted).rstrip("\n").replace("[", "[[]").replace("…", "*")
        assert fnmatch.fnmatchcase(said[str(number)].rstrip("\n"), pattern), command


def started(act: Callable[..., None], *arguments: object) -> threading.Thread:
    """A thread that does it."""
    thread = threading.Thread(target=act, args=arguments)
    thread.start()
    return thread
