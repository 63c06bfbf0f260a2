"""netrelay itself: the gateway alone, driven by a bare 9P client, and the two ends together."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from benches.relays.relay import Relay, Running, free_port, process

if TYPE_CHECKING:
    from collections.abc import Iterator

NETRELAY = (sys.executable, "-m", "netrelay")


@contextlib.contextmanager
def exported(core: str = "rust") -> Iterator[tuple[int, int]]:
    """`netrelay export` that may dial loopback: its port and process."""
    port = free_port()
    command = [*NETRELAY, "export", "--core", core, "--allow-dial", "127.0.0.0/8"]
    with process([*command, "--listen", f"tcp!127.0.0.1!{port}"], port) as pid:
        yield port, pid


@contextlib.contextmanager
def gateway(server: int, *, core: str = "rust") -> Iterator[Running]:
    """The gateway alone."""
    with exported(core) as (port, pid):
        yield Running(f"9p:127.0.0.1:{port},127.0.0.1:{server}", [pid])


@contextlib.contextmanager
def both_ends(server: int, *, core: str = "rust") -> Iterator[Running]:
    """The gateway and an importer with a forward."""
    with exported(core) as (gate, exporter):
        port = free_port()
        command = [*NETRELAY, "import", f"tcp!127.0.0.1!{gate}", "--core", core]
        with process([*command, "--forward", f"{port}:127.0.0.1:{server}"], port) as importer:
            yield Running(f"tcp:127.0.0.1:{port}", [exporter, importer])


@contextlib.contextmanager
def reference(server: int) -> Iterator[Running]:
    """Both ends on the pure-Python reference."""
    with both_ends(server, core="python") as running:
        yield running


OURS = (
    Relay("netrelay gateway", (), gateway),
    Relay("netrelay", (), both_ends),
    Relay("netrelay reference", (), reference),
)
