"""A gateway of each core, sessions of it, and peers that it may dial."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from netrelay.types import Dialect, GatewayConfig, Limits, NamespaceConfig, StackConfig
from tests.served import need

from .cable import cable
from .hostnet import Setting
from .namespaces import namespace, wait_for_route, wire
from .rawclient import PATIENCE_S, RawClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from netrelay.core import Core, GatewayCore

    from .cable import Cable

STARTED = 1_700_000_000


class Place:
    """A gateway and what a test has at it; closing it shows that nothing is left."""

    def __init__(self, core: Core, folder: Path) -> None:
        self.core = core
        self._folder = folder
        self._stack = ExitStack()
        self.gateways: list[GatewayCore] = []

    def gateway(
        self,
        *,
        root: str = "/",
        limits: Limits | None = None,
        allow_dial: tuple[str, ...] = ("127.0.0.0/8", "::1/128"),
        stacks: tuple[StackConfig, ...] = (),
        grant: tuple[str, ...] = (),
        ethers: tuple[str, ...] = (),
        namespace: NamespaceConfig | None = None,
    ) -> Door:
        """Another gateway, on a unix socket of its own."""
        core = self.core.Gateway(
            GatewayConfig(
                host_owner="gate",
                root=root,
                workers=2,
                allow_dial=allow_dial,
                ndb=b"sys=gate\n",
                started=STARTED,
                limits=limits or Limits(),
                stacks=stacks,
                grant=grant,
                ethers=ethers,
                namespace=namespace,
            )
        )
        path = str(self._folder / f"{len(self.gateways)}.sock")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(64)
        core.listen(listener.detach())
        self.gateways.append(core)
        return Door(core, path, self._stack)

    def close(self) -> None:
        """End all; a panic in one is a failure."""
        self._stack.close()
        for core in self.gateways:
            panics = core.stats()["panics"]
            core.abort()
            assert core.wait_closed(PATIENCE_S)
            assert panics == 0


class Door:
    """A gateway and the way in."""

    def __init__(self, core: GatewayCore, path: str, stack: ExitStack) -> None:
        self.core = core
        self.path = path
        self._stack = stack

    @property
    def address(self) -> str:
        """What a client is told."""
        return f"unix!{self.path}"

    def connect(self, dialect: Dialect = Dialect.P2000) -> RawClient:
        """A session that has said nothing."""
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(PATIENCE_S)
        try:
            sock.connect(self.path)
        except OSError:
            sock.close()
            raise
        return self._stack.enter_context(RawClient(sock, dialect))

    def attach(
        self,
        uname: str = "glenda",
        aname: str = "",
        *,
        dialect: Dialect = Dialect.P2000,
        msize: int = 65536,
    ) -> RawClient:
        """A session that is attached."""
        return self.connect(dialect).begin(uname, aname, msize=msize)


class Server:
    """A TCP server that the gateway dials; it does what the test says."""

    def __init__(self, host: str = "127.0.0.1", *, backlog: int = 16) -> None:
        self.listener = socket.create_server((host, 0), backlog=backlog)
        self.listener.settimeout(PATIENCE_S)
        self.port: int = self.listener.getsockname()[1]
        self._calls: list[socket.socket] = []

    def accept(self) -> socket.socket:
        """The next call."""
        call, _ = self.listener.accept()
        call.settimeout(PATIENCE_S)
        self._calls.append(call)
        return call

    def close(self) -> None:
        """The server and all of its calls."""
        for call in (*self._calls, self.listener):
            call.close()


class Peer:
    """A host that the gateway exchanges datagrams with."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.sock = socket.socket(
            socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM
        )
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.sock.settimeout(PATIENCE_S)
        self.sock.bind((host, 0))
        self.host = host
        self.port: int = self.sock.getsockname()[1]

    def __str__(self) -> str:
        return f"{self.host}!{self.port}"

    def send(self, data: bytes, to: str) -> None:
        """One datagram to `addr!port`, or to a text of `local`."""
        host, _, port = to.strip().rpartition("!")
        self.sock.sendto(data, (host, int(port)))

    def receive(self) -> tuple[bytes, str]:
        """The next datagram, and who sent it."""
        data, name = self.sock.recvfrom(70_000)
        return data, f"{name[0]}!{name[1]}"


@pytest.fixture
def place(core: Core, tmp_path: Path) -> Iterator[Place]:
    """Room for gateways."""
    place = Place(core, tmp_path)
    yield place
    place.close()


@pytest.fixture
def door(place: Place) -> Door:
    """An ordinary gateway."""
    return place.gateway()


@pytest.fixture
def client(door: Door) -> RawClient:
    """A session of glenda's."""
    return door.attach()


@pytest.fixture
def ends(core: Core) -> Iterator[Cable]:
    """A cable whose near end the gateway has."""
    need(core, "ether")
    with cable() as found:
        yield found


@pytest.fixture
def peers() -> Iterator[Callable[..., Peer]]:
    """Hosts with datagrams, as many as are asked for."""
    made: list[Peer] = []

    def another(host: str = "127.0.0.1") -> Peer:
        try:
            made.append(Peer(host))
        except OSError:
            if ":" not in host:
                raise
            pytest.skip("this machine has no IPv6")
        return made[-1]

    yield another
    for peer in made:
        peer.sock.close()


@pytest.fixture
def peer(peers: Callable[..., Peer]) -> Peer:
    """One of them."""
    return peers()


@pytest.fixture
def server() -> Iterator[Server]:
    """Someone to dial."""
    server = Server()
    yield server
    server.close()


@pytest.fixture
def setting(core: Core, tmp_path: Path) -> Iterator[Setting]:
    """A gateway's namespace with 10.0.0.1 and 2001:db8::1 on `eth0`, and a neighbour's."""
    need(core, "ipifc")
    with namespace() as own, namespace() as neighbour:
        wire(own, "eth0", neighbour, "eth0")
        own.ip("addr add 10.0.0.1/24 brd + dev eth0")
        own.ip("addr add 2001:db8::1/64 dev eth0 nodad")
        wait_for_route(own, "local 2001:db8::1 dev eth0")
        yield Setting(core, own, neighbour, tmp_path)
