"""A stack's network where the kernel can't be asked: the gateway goes on without these files."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from typing import NoReturn

import pytest

# Before the sandbox: pyroute2 derives a class from the socket that it takes away.
import netrelay.gateway.host.files  # noqa: F401
from netrelay.errors import NetError
from netrelay.gateway.host.network import HostNetwork


def no_netlink(*_: object) -> NoReturn:
    """What a sandbox says to whoever wants a netlink socket."""
    raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))


def test_a_kernel_that_is_not_to_be_asked_is_logged_and_no_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def use() -> None:
        told: list[int] = []
        host = HostNetwork()
        with monkeypatch.context() as sandbox:
            sandbox.setattr("netrelay.gateway.host.network.socket.socket", no_netlink)
            await host.open()
        await host.watch(told.append)
        for query in ("read arp", "read ipifc/0/status", "write arp\nflush"):
            with pytest.raises(NetError, match=r"^i/o error$"):
                await host.answer(query, "glenda")
        assert (await host.ndb()).startswith("sys=")
        assert told == []
        await host.close()

    with caplog.at_level(logging.WARNING):
        asyncio.run(use())
    assert "the kernel's network can't be read for /net: [Errno 97]" in caplog.text
