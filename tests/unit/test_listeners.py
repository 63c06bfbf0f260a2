"""Listeners of a gateway: who may listen where, and what a dead gateway leaves behind."""

from __future__ import annotations

import contextlib
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from netrelay.errors import NetError, UsageError
from netrelay.gateway import listeners
from netrelay.names.dialstring import TcpAddress, UnixAddress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def listening(
    address: TcpAddress | UnixAddress, *, insecure: bool = False
) -> Iterator[list[socket.socket]]:
    made = listeners.listen(address, insecure_no_auth=insecure, session_timeout_s=3)
    try:
        yield made
    finally:
        for listener in made:
            listener.close()


def test_off_loopback_a_listener_must_be_asked_for_in_so_many_words() -> None:
    with pytest.raises(UsageError, match="--insecure-no-auth"), listening(TcpAddress("*", 0)):
        pass


def test_an_open_relay_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with listening(TcpAddress("*", 0), insecure=True) as made:
        ports = {listener.getsockname()[1] for listener in made}
        assert len(made) == 2, "IPv6 and IPv4"
        assert len(ports) == 1
    assert "open relay" in caplog.text


def test_what_a_vanished_importer_holds_is_given_back_in_the_session_s_timeout() -> None:
    with (
        listening(TcpAddress("127.0.0.1", 0)) as (listener,),
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as session,
    ):
        assert session.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert session.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 1
        assert session.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 3000


def test_a_port_that_is_taken_is_said_to_be() -> None:
    with listening(TcpAddress("127.0.0.1", 0)) as (listener,):
        taken = TcpAddress("127.0.0.1", listener.getsockname()[1])
        with pytest.raises(NetError, match=r"(?i)address already in use"), listening(taken):
            pass


def test_a_unix_socket_is_the_owner_s_alone_and_a_dead_one_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "gate"
    with listening(UnixAddress(str(path))):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises(NetError), listening(UnixAddress(str(path))):
            pass
    with listening(UnixAddress(str(path))) as (listener,):
        assert listeners.bound_address(listener) == UnixAddress(str(path))


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("mine")
    with pytest.raises(NetError), listening(UnixAddress(str(path))):
        pass
    assert path.read_text() == "mine"
