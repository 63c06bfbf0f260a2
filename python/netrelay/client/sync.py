"""The same session for scripts without a loop: `with netrelay.sync.connect(...) as gateway:`.

A thread runs a loop of its own, and each call here waits for a coroutine there.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from netrelay.client import session as sessions
from netrelay.client.blocking import (
    Connection,
    Loop,
    SyncAnnounced,
    SyncDatagrams,
    SyncFile,
    SyncFrames,
    SyncPings,
)
from netrelay.client.frames import ALL_TYPES
from netrelay.client.pings import SIZE

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from netrelay.client.lookup import AddressInfo
    from netrelay.client.streams import PeerName
    from netrelay.client.tables import Conversation
    from netrelay.texts.interfaces import Interface
    from netrelay.texts.neighbours import Neighbour
    from netrelay.texts.routes import Route
    from netrelay.types import Stat


class SyncSession:
    """`Session`, waiting. Every method blocks; errors are the same."""

    def __init__(self, loop: Loop, session: sessions.Session) -> None:
        self._loop = loop
        self._session = session

    def open(self, path: str, mode: str | int = "r") -> SyncFile:
        """Walk to a file and make it ready; see `netrelay.Session.open`."""
        return SyncFile(self._loop, self._loop.run(self._session.open(path, mode)))

    def read(self, path: str) -> bytes:
        """All of a file."""
        return self._loop.run(self._session.read(path))

    def write(self, path: str, data: bytes) -> int:
        """Write to the start of a file; the bytes taken."""
        return self._loop.run(self._session.write(path, data))

    def stat(self, path: str) -> Stat:
        """The stat record."""
        return self._loop.run(self._session.stat(path))

    def ls(self, path: str) -> list[Stat]:
        """The entries of a directory."""
        return self._loop.run(self._session.ls(path))

    def cs(self, query: str, *, netdir: str | None = None) -> list[str]:
        """What the connection server replies."""
        return self._loop.run(self._session.cs(query, netdir=netdir))

    def dns(self, query: str, *, netdir: str | None = None) -> list[str]:
        """What the resolver replies."""
        return self._loop.run(self._session.dns(query, netdir=netdir))

    def dial(self, text: str) -> Connection:
        """Call a dial string from the gateway."""
        return Connection(self._loop, *self._loop.run(self._session.dial(text)))

    def dial_socket(self, text: str) -> socket.socket:
        """A blocking socket of a call from the gateway; see `netrelay.Session.dial_socket`."""
        made = self._loop.run(self._session.dial_socket(text))
        made.setblocking(True)
        return made

    def datagrams(
        self,
        remote: PeerName | None = None,
        *,
        local: PeerName | None = None,
        netdir: str | None = None,
    ) -> SyncDatagrams:
        """Datagrams of the gateway's; see `netrelay.Session.datagrams`."""
        work = self._session.datagrams(remote, local=local, netdir=netdir)
        return SyncDatagrams(self._loop, self._loop.run(work))

    def resolve(self, host: str, *, netdir: str | None = None) -> list[str]:
        """The addresses of a host as the gateway knows it, best first."""
        return self._loop.run(self._session.resolve(host, netdir=netdir))

    def getaddrinfo(
        self,
        host: str,
        port: int | str,
        *,
        family: int = 0,
        type: int = 0,
        netdir: str | None = None,
    ) -> list[AddressInfo]:
        """`socket.getaddrinfo` at the gateway."""
        found = self._session.getaddrinfo(host, port, family=family, type=type, netdir=netdir)
        return self._loop.run(found)

    def announce(self, text: str) -> SyncAnnounced:
        """Announce a port at the gateway."""
        return SyncAnnounced(self._loop, self._loop.run(self._session.announce(text)))

    def frames(
        self,
        interface: str = "ether0",
        *,
        ethertype: int = ALL_TYPES,
        promiscuous: bool = False,
        netdir: str | None = None,
    ) -> SyncFrames:
        """Frames of a gateway's interface; see `netrelay.Session.frames`."""
        work = self._session.frames(
            interface, ethertype=ethertype, promiscuous=promiscuous, netdir=netdir
        )
        return SyncFrames(self._loop, self._loop.run(work))

    def pings(
        self,
        host: str,
        *,
        size: int = SIZE,
        hops: int | None = None,
        version: int | None = None,
        netdir: str | None = None,
    ) -> SyncPings:
        """Make ready to ping a host from the gateway; see `netrelay.Session.pings`."""
        work = self._session.pings(host, size=size, hops=hops, version=version, netdir=netdir)
        return SyncPings(self._loop, self._loop.run(work))

    def conversations(
        self, *nets: str, free: bool = False, netdir: str | None = None
    ) -> list[Conversation]:
        """The conversations of the gateway."""
        return self._loop.run(self._session.conversations(*nets, free=free, netdir=netdir))

    def interfaces(self, *, netdir: str | None = None) -> list[Interface]:
        """The gateway's interfaces and their addresses."""
        return self._loop.run(self._session.interfaces(netdir=netdir))

    def routes(self, *, netdir: str | None = None) -> list[Route]:
        """The gateway's routes."""
        return self._loop.run(self._session.routes(netdir=netdir))

    def neighbours(self, *, netdir: str | None = None) -> list[Neighbour]:
        """Whom the gateway knows on its links."""
        return self._loop.run(self._session.neighbours(netdir=netdir))


@contextlib.contextmanager
def connect(
    address: str, *, uname: str | None = None, aname: str = "", core: str | None = None
) -> Iterator[SyncSession]:
    """Connect, attach and give the session; see `netrelay.connect`."""
    loop = Loop()
    try:
        context = sessions.connect(address, uname=uname, aname=aname, core=core)
        session = loop.run(context.__aenter__())
        try:
            yield SyncSession(loop, session)
        finally:
            loop.run(context.__aexit__(None, None, None))
    finally:
        loop.close()
