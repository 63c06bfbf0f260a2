"""python-9p, a client over plan9port's own codec: it dials, listens and looks around.

It speaks 9P2000 with one request outstanding and leaves without clunks, as plain clients do.
"""

from __future__ import annotations

import socket
import threading

import py9p
import pytest

from tests.integrity.relay import gateway

pytestmark = pytest.mark.interop

CTL, DATA, OTHER = 1, 2, 3


def attached(port: int) -> py9p.Client:
    """A session with its root as fid 0."""
    client = py9p.Client.connect_tcp("127.0.0.1", port)
    client.negotiate()
    client.attach(0, uname="glenda")
    return client


def opened(client: py9p.Client, fid: int, path: str, mode: int = py9p.ORDWR) -> int:
    """`fid` at `path`, open."""
    client.walk(0, fid, path)
    client.open(fid, int(mode))
    return fid


@pytest.mark.parametrize("core", ["rust", "python"])
def test_it_dials_and_talks(core: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, gateway(core) as (_, port):
        client = attached(port)
        opened(client, CTL, "net/tcp/clone")
        number = client.read(CTL, 16).decode()
        client.write(CTL, f"connect 127.0.0.1!{server.getsockname()[1]}".encode())
        call, _ = server.accept()
        with call:
            opened(client, DATA, f"net/tcp/{number}/data")
            client.write(DATA, b"over there")
            assert call.recv(100) == b"over there"
            call.sendall(b"and back")
            assert client.read(DATA, 100) == b"and back"
            opened(client, OTHER, f"net/tcp/{number}/status", py9p.OREAD)
            assert client.read(OTHER, 300).startswith(b"Established ")
        assert client.read(DATA, 100) == b""
        client.close()


@pytest.mark.parametrize("core", ["rust", "python"])
def test_it_is_told_why_a_call_failed(core: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port_of_nobody = closed.getsockname()[1]
    with gateway(core) as (_, port):
        client = attached(port)
        opened(client, CTL, "net/tcp/clone")
        with pytest.raises(py9p.RemoteError, match="connection refused"):
            client.write(CTL, f"connect 127.0.0.1!{port_of_nobody}".encode())
        with pytest.raises(py9p.RemoteError, match="connection in use"):
            client.write(CTL, f"connect 127.0.0.1!{port_of_nobody}".encode())
        client.close()


@pytest.mark.parametrize("core", ["rust", "python"])
def test_it_takes_a_call(core: str) -> None:
    with gateway(core) as (_, port):
        client = attached(port)
        opened(client, CTL, "net/tcp/clone")
        number = client.read(CTL, 16).decode()
        client.write(CTL, b"announce 127.0.0.1!0")
        opened(client, OTHER, f"net/tcp/{number}/local", py9p.OREAD)
        announced = int(client.read(OTHER, 60).decode().strip().rpartition("!")[2])

        def call() -> None:
            with socket.create_connection(("127.0.0.1", announced), timeout=30) as made:
                made.sendall(b"hello")
                made.recv(1)

        caller = threading.Thread(target=call)
        caller.start()
        opened(client, DATA, f"net/tcp/{number}/listen")
        taken = client.read(DATA, 16).decode()
        opened(client, 4, f"net/tcp/{taken}/data")
        assert client.read(4, 100) == b"hello"
        client.write(4, b"!")
        caller.join()
        client.close()


@pytest.mark.parametrize("core", ["rust", "python"])
def test_it_lists_the_tree(core: str) -> None:
    with gateway(core) as (_, port):
        client = attached(port)
        opened(client, CTL, "net", py9p.OREAD)
        listing = client.read(CTL, 8000)
        for name in (b"tcp", b"ndb", b"log", b"cs", b"dns"):
            assert name in listing
        assert client.stat(CTL).name == "net"
        client.close()


@pytest.mark.parametrize("core", ["rust", "python"])
def test_it_asks_cs(core: str) -> None:
    with gateway(core) as (_, port):
        client = attached(port)
        opened(client, CTL, "net/cs")
        client.write(CTL, b"tcp!127.0.0.1!9fs")
        assert client.read(CTL, 127) == b"/net/tcp/clone 127.0.0.1!564"
        client.write(CTL, b"tcp!*!9fs")
        assert client.read(CTL, 127) == b"/net/tcp/clone 564"
        with pytest.raises(py9p.RemoteError, match="cs: can't translate service"):
            client.write(CTL, b"tcp!127.0.0.1!nosuchservice")
        client.close()
