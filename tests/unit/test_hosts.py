"""Names of this machine's own world, as sockets."""

from __future__ import annotations

import asyncio
import getpass
import os
import socket

import pytest

from netrelay import hosts
from netrelay.errors import NetError

NOBODY_S_PORT = 1


def anyhow(_: socket.socket, __: str) -> None:
    """No preparation."""


def close(made: list[socket.socket]) -> None:
    for each in made:
        each.close()


def test_any_is_every_address_and_one_port() -> None:
    made = hosts.listen("*", 0, anyhow)
    port = made[0].getsockname()[1]
    for address in ("127.0.0.1", "::1"):
        socket.create_connection((address, port)).close()
    close(made)


def test_a_family_that_the_machine_lacks_is_left_out() -> None:
    def without_ipv6(made: socket.socket, _: str) -> None:
        if made.family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")

    made = hosts.listen("*", 0, without_ipv6)
    assert [each.family for each in made] == [socket.AF_INET]
    close(made)


def test_a_machine_without_any_family_says_so() -> None:
    def without(_: socket.socket, __: str) -> None:
        raise OSError(97, "Address family not supported by protocol")

    with pytest.raises(NetError, match="not supported"):
        hosts.listen("*", 0, without)


@pytest.mark.parametrize("name", ["a..b", "x" * 80, "nosuch.invalid"])
def test_what_is_no_name_is_not_translated(name: str) -> None:
    """IDNA refuses the first two with an error that is no OSError."""
    with pytest.raises(NetError, match="can't translate address"):
        hosts.listen(name, 0, anyhow)
    with pytest.raises(NetError, match="can't translate address"):
        asyncio.run(hosts.call(name, NOBODY_S_PORT))


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert hosts.own_user() == str(os.getuid())
