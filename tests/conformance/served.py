"""Gateways of ours for the suite to try, each served by a loop in a thread of its own.

A check runs on a loop that lives as long as the check; a gateway must go on answering its questions
from one to the next. Names are looked up in a table here, so that nothing leaves the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import threading
import time
from typing import TYPE_CHECKING, Final

from netrelay import conform, gateway
from netrelay.names.resolver import NO_NAME, LookupRefused

from .liar import lying

if TYPE_CHECKING:
    import socket
    from collections.abc import Coroutine, Iterator
    from typing import TypeVar

    from netrelay.types import Dialect

    from .liar import Lie

    _R = TypeVar("_R")

NAMES: Final = {"example.com": "192.0.2.7"}
PATIENCE_S = 20.0
HELD = ("sessions", "conversations", "fids", "parked_bytes")


class Table:
    """A resolver that knows what is in `NAMES`."""

    async def addresses(self, name: str, family: socket.AddressFamily) -> list[str]:
        """An address of the table. Errors: `LookupRefused`."""
        del family
        if name not in NAMES:
            raise LookupRefused(NO_NAME)
        return [NAMES[name]]

    async def records(self, name: str, kind: str) -> list[str]:
        """The same as a record."""
        del kind
        return await self.addresses(name, 0)  # type: ignore[arg-type]

    def refresh(self) -> None:
        """There is nothing to forget."""


class Served:
    """A gateway and what the suite found out of it, once a dialect."""

    def __init__(self, core: str) -> None:
        self.core = core
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"served-{core}")
        self._thread.start()
        self._gateway = gateway.Gateway(
            "tcp!127.0.0.1!0",
            core=core,
            allow_dial=["127.0.0.0/8"],
            resolver=Table(),
            # Frames take a privilege; who has none is told that ether0 is not offered.
            ethers=["lo"] if os.geteuid() == 0 else [],
            grace_s=0.0,
        )
        self._run(self._gateway.__aenter__())
        self.address = str(self._gateway.addresses[0])
        self._subjects: dict[Dialect, conform.Subject] = {}

    def subject(self, dialect: Dialect) -> conform.Subject:
        """The gateway as a subject of the suite."""
        if dialect not in self._subjects:
            options = conform.Options(self.address, dialect, uname="glenda")
            self._subjects[dialect] = asyncio.run(conform.examine(options))
        return self._subjects[dialect]

    @contextlib.contextmanager
    def behind(self, lie: Lie) -> Iterator[str]:
        """The address of a proxy that tells a lie."""
        proxy = lying(self.address, lie)
        address = self._run(proxy.__aenter__())
        try:
            yield address
        finally:
            self._run(proxy.__aexit__(None, None, None))

    def calm(self) -> None:
        """Wait until the gateway holds nothing of anybody's."""
        deadline = time.monotonic() + PATIENCE_S
        pause = selectors.DefaultSelector()
        while held := {name: self._gateway.stats()[name] for name in HELD}:
            if not any(held.values()):
                return
            assert time.monotonic() < deadline, f"still held: {held}"
            pause.select(0.001)

    def close(self) -> None:
        """End the gateway and its thread."""
        try:
            self._run(self._gateway.shutdown(grace_s=0.0))
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(PATIENCE_S)
            self._loop.close()

    def _run(self, work: Coroutine[object, object, _R]) -> _R:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)


@contextlib.contextmanager
def served(core: str) -> Iterator[Served]:
    """A gateway for as long as the body takes."""
    found = Served(core)
    try:
        yield found
    finally:
        found.close()
