"""What relays datagrams: nothing, a relay in Python, and a gateway's /net/udp on each core."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benches.relays.ours import gateway
from benches.relays.relay import Relay, Running, bound, free_port, process

if TYPE_CHECKING:
    from collections.abc import Iterator

_UVLOOP = Path(__file__).with_name("uvloop_datagrams.py")


@contextlib.contextmanager
def direct(server: int) -> Iterator[Running]:
    """No relay at all."""
    yield Running(f"udp:127.0.0.1:{server},127.0.0.1:{server}", [])


@contextlib.contextmanager
def uvloop_relay(server: int) -> Iterator[Running]:
    """A good relay in Python: protocols on uvloop, a connected socket a caller."""
    port = free_port()
    command = [sys.executable, str(_UVLOOP), str(port), str(server)]
    with process(command, port, ready=bound) as pid:
        yield Running(f"udp:127.0.0.1:{port},127.0.0.1:{server}", [pid])


@contextlib.contextmanager
def reference(server: int) -> Iterator[Running]:
    """The gateway alone on the pure-Python reference."""
    with gateway(server, core="python") as running:
        yield running


OURS = (
    Relay("netrelay gateway", (), gateway),
    Relay("netrelay gateway reference", (), reference),
)
RELAYS = (Relay("direct", (), direct), Relay("uvloop", (), uvloop_relay), *OURS)
