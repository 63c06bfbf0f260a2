"""A session with a gateway: its files and, through them, its network.

`async with netrelay.connect("tcp!127.0.0.1!5640") as gateway:` attaches to the root. Any 9P2000
server will do for the files; the network needs one with a `/net`. Works on any
asyncio loop that can watch a descriptor, uvloop too.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

from netrelay import core as cores
from netrelay import hosts
from netrelay import messages as m
from netrelay.client import connections, frames, lookup, network, pings, tables
from netrelay.client.datagrams import endpoint, open_datagrams
from netrelay.client.files import File
from netrelay.client.frames import ALL_TYPES
from netrelay.client.pings import SIZE
from netrelay.client.sockets import Sockets
from netrelay.client.wire import Wire
from netrelay.errors import NetError, PeerError
from netrelay.il import carrier as il
from netrelay.names.dialstring import IlAddress, TcpAddress, UnixAddress, parse_address
from netrelay.types import MAXWELEM, NOFID, ORDWR, OREAD, OTRUNC, OWRITE, QTDIR, Dialect, Stat

if TYPE_CHECKING:
    import ssl as tls
    from collections.abc import AsyncIterator, Callable

    from netrelay.client.datagrams import Datagrams, Endpoint
    from netrelay.client.frames import Frames
    from netrelay.client.pings import Pings
    from netrelay.client.streams import PeerName, Reader, Writer
    from netrelay.il.carrier import Carrier
    from netrelay.texts.interfaces import Interface
    from netrelay.texts.neighbours import Neighbour
    from netrelay.texts.routes import Route

ROOT = 0
CONNECT_S = 20.0
# IL's own; TCP's is the kernel's.
FAREWELL_S = 1.0
MODES = {"r": OREAD, "w": OWRITE, "r+": ORDWR, "w+": ORDWR | OTRUNC}


class Session:
    """An attached session. Paths have slashes; the texts of errors are the server's."""

    def __init__(self, wire: Wire, core: cores.Core) -> None:
        self.wire = wire
        self.core = core
        self.sockets = Sockets()
        self._net: tuple[str, ...] | None = None

    async def open(self, path: str, mode: str | int = "r") -> File:
        """Walk to a file and make it ready; `mode` is `r`, `w`, `r+`, `w+`, or a mode bit set.

        Blocks as long as the file does (`listen` waits for a call). Errors: `NetError`.
        """
        return await self.open_at(split(path), MODES[mode] if isinstance(mode, str) else mode)

    async def read(self, path: str) -> bytes:
        """All of a file."""
        return await self.read_at(split(path))

    async def write(self, path: str, data: bytes) -> int:
        """Write all of `data` at the start of a file; returns the bytes taken."""
        async with await self.open(path, "w") as file:
            return await file.write(data)

    async def stat(self, path: str) -> Stat:
        """The stat record (stat(5))."""
        fid = await self.walk(split(path))
        try:
            return (await self.wire.rpc(m.Tstat(fid), m.Rstat)).stat
        finally:
            self.wire.clunk(fid)

    async def ls(self, path: str) -> list[Stat]:
        """The entries of a directory in the server's order; of a file, its own record."""
        return await self.ls_at(split(path))

    async def dial(self, text: str) -> tuple[Reader, Writer]:
        """Call `[netdir/]net!host!service` from the gateway: a reader and a writer.

        Errors: `NetError` with the gateway's text, `UsageError` for a bad dial string.
        """
        return await network.dial(self, text)

    async def announce(self, text: str) -> network.Announced:
        """Announce `net!*!port` at the gateway: an asynchronous iterator of calls.

        Errors: `NetError`, e.g. `address in use`.
        """
        return await network.announce(self, text)

    async def dial_socket(self, text: str) -> socket.socket:
        """Call `[netdir/]tcp!host!service` from the gateway: a socket of this machine.

        It is connected and non-blocking, for whatever wants one: an event loop, `ssl`, a driver.
        Its peer's address is loopback's; a call that breaks off is a reset. Close it when done.
        Errors: as `dial`.
        """
        return await self.sockets.dial(self, text)

    async def open_connection(
        self,
        host: str,
        port: int | str,
        *,
        limit: int = connections.LIMIT,
        ssl: tls.SSLContext | bool | None = None,
        server_hostname: str | None = None,
        netdir: str | None = None,
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """`asyncio.open_connection` from the gateway: the streams are asyncio's own.

        With `ssl` they are encrypted to the other end, which must be `server_hostname`, the host
        unless it is given. Errors: `NetError`, `ssl.SSLError`.
        """
        where = connections.target(host, port, netdir)
        name = host if server_hostname is None else server_hostname
        return await connections.open_connection(
            self, where, limit=limit, ssl=ssl, server_hostname=name
        )

    async def start_server(
        self,
        connected: connections.Connected,
        host: str = "*",
        port: int | str = 0,
        *,
        limit: int = connections.LIMIT,
        ssl: tls.SSLContext | None = None,
        netdir: str | None = None,
    ) -> connections.Server:
        """`asyncio.start_server` at a port of the gateway's; `server.local` says which.

        `connected` gets asyncio's streams of each call, in a task of its own, and closes the
        writer. Errors: `NetError`, e.g. `address in use`.
        """
        where = connections.target(host, port, netdir)
        return await connections.start_server(self, connected, where, limit=limit, ssl=ssl)

    async def datagrams(
        self,
        remote: PeerName | None = None,
        *,
        local: PeerName | None = None,
        netdir: str | None = None,
    ) -> Datagrams:
        """Datagrams of the gateway's: to and from `remote`, or with everybody at `local`.

        Hosts are names, addresses or `*`; port 0 is chosen. Errors: `NetError`.
        """
        return await open_datagrams(self, local, remote, netdir)

    async def create_datagram_endpoint(
        self,
        protocol_factory: Callable[[], asyncio.DatagramProtocol],
        local_addr: PeerName | None = None,
        remote_addr: PeerName | None = None,
        *,
        netdir: str | None = None,
    ) -> tuple[Endpoint, asyncio.DatagramProtocol]:
        """`loop.create_datagram_endpoint` at the gateway: a transport and your protocol.

        What ICMP says of a connected endpoint ends it, behind `error_received`. Errors: `NetError`.
        """
        opened = await self.datagrams(remote_addr, local=local_addr, netdir=netdir)
        return endpoint(opened, protocol_factory)

    async def resolve(self, host: str, *, netdir: str | None = None) -> list[str]:
        """The addresses of a host as the gateway knows it, best first. Errors: `NetError`."""
        return await lookup.resolve(self, host, netdir)

    async def getaddrinfo(
        self,
        host: str,
        port: int | str,
        *,
        family: int = 0,
        type: int = 0,
        netdir: str | None = None,
    ) -> list[lookup.AddressInfo]:
        """`socket.getaddrinfo` at the gateway: families, kinds, addresses. Errors: `NetError`."""
        return await lookup.getaddrinfo(self, host, port, family=family, kind=type, netdir=netdir)

    async def cs(self, query: str, *, netdir: str | None = None) -> list[str]:
        """What the gateway's connection server replies. Errors: `NetError`."""
        return await network.ask(self, "cs", await self.netdir(netdir), query)

    async def dns(self, query: str, *, netdir: str | None = None) -> list[str]:
        """What the gateway's resolver replies to `name type`. Errors: `NetError`."""
        return await network.ask(self, "dns", await self.netdir(netdir), query)

    async def frames(
        self,
        interface: str = "ether0",
        *,
        ethertype: int = ALL_TYPES,
        promiscuous: bool = False,
        netdir: str | None = None,
    ) -> Frames:
        """Ethernet frames of a gateway's interface: an asynchronous iterator of them.

        `ethertype` is the type of those wanted, all without one; `promiscuous` adds those for
        others and the gateway's own. Errors: `NetError`, e.g. `device or object already in use`.
        """
        return await frames.open_slot(
            self, await self.netdir(netdir), interface, ethertype=ethertype, promiscuous=promiscuous
        )

    async def pings(
        self,
        host: str,
        *,
        size: int = SIZE,
        hops: int | None = None,
        version: int | None = None,
        netdir: str | None = None,
    ) -> Pings:
        """Make ready to ping a host from the gateway: `reply = await pings.ping()`.

        `size` is the payload's bytes, 8 at least; `hops` after how many routers a request is given
        up; `version` 4 or 6, if it matters. Errors: `NetError`, e.g. cs's.
        """
        return await pings.begin(self, host, size=size, hops=hops, version=version, netdir=netdir)

    async def conversations(
        self, *nets: str, free: bool = False, netdir: str | None = None
    ) -> list[tables.Conversation]:
        """The conversations of the gateway, of all protocols unless some are named.

        `free` adds the numbers that nobody uses now. Errors: `NetError`.
        """
        return await tables.conversations(self, await self.netdir(netdir), nets, free=free)

    async def interfaces(self, *, netdir: str | None = None) -> list[Interface]:
        """The gateway's interfaces and their addresses. Errors: `NetError`."""
        return await tables.interfaces(self, await self.netdir(netdir))

    async def routes(self, *, netdir: str | None = None) -> list[Route]:
        """The gateway's routes. Errors: `NetError`."""
        return await tables.routes(self, await self.netdir(netdir))

    async def neighbours(self, *, netdir: str | None = None) -> list[Neighbour]:
        """Whom the gateway knows on its links. Errors: `NetError`."""
        return await tables.neighbours(self, await self.netdir(netdir))

    def stats(self) -> dict[str, int]:
        """Counters of the core that drives this session."""
        return self.wire.stats()

    @property
    def closed(self) -> bool:
        """Whether the session has ended."""
        return self.wire.closed.done()

    async def wait_closed(self) -> str | None:
        """Wait until the session ends; why it ended, or None when we ended it."""
        return await asyncio.shield(self.wire.closed)

    async def open_at(self, path: tuple[str, ...], mode: int) -> File:
        """Walk and open. Cancelled, nothing stays open."""
        fid = await self.walk(path)
        try:
            return File(self.wire, fid, (await self.wire.rpc(m.Topen(fid, mode), m.Ropen)).qid)
        except BaseException:
            self.wire.clunk(fid)
            raise

    async def ls_at(self, path: tuple[str, ...]) -> list[Stat]:
        """The entries of a directory by its names."""
        async with await self.open_at(path, OREAD) as file:
            if not file.qid.type & QTDIR:
                return [await file.stat()]
            return self.core.unpack_stats(await file.read(), Dialect.P2000)

    async def read_at(self, path: tuple[str, ...]) -> bytes:
        """All of a file by its names."""
        async with await self.open_at(path, OREAD) as file:
            return await file.read()

    async def netdir(self, named: str | None) -> tuple[str, ...]:
        """The net directory's names: the one named, `/net`, or the root if it has none."""
        if named is not None:
            return split(named)
        if self._net is None:
            try:
                self.wire.clunk(await self.walk(("net",)))
            except NetError as error:
                if "does not exist" not in error.text:
                    raise
                self._net = ()
            else:
                self._net = ("net",)
        return self._net

    async def walk(self, path: tuple[str, ...]) -> int:
        """A new fid of what the names lead to. Cancelled, there is none. Errors: `NetError`."""
        fid = self.wire.new_fid()
        start, rest = ROOT, path
        made = False
        try:
            while True:
                names, rest = rest[:MAXWELEM], rest[MAXWELEM:]
                reply = await self.wire.rpc(
                    m.Twalk(start, fid, names), m.Rwalk, late=lambda _: self.wire.clunk(fid)
                )
                if len(reply.wqid) < len(names):
                    raise NetError("file does not exist")
                start, made = fid, True
                if not rest:
                    return fid
        except (NetError, PeerError):
            if made:
                self.wire.clunk(fid)
            raise


@contextlib.asynccontextmanager
async def connect(
    address: str, *, uname: str | None = None, aname: str = "", core: str | None = None
) -> AsyncIterator[Session]:
    """Connect to a gateway, attach as `uname` (the user we are) and give the session.

    `core` is `rust`, `python` or None for the best there is. Gives up after 20 s.
    Errors: `UsageError` for a bad address; `NetError` when the gateway can't be reached or refuses.
    """
    chosen = cores.load(core or cores.available()[0])
    try:
        async with asyncio.timeout(CONNECT_S):
            call, carrier = await _call(address, chosen)
    except TimeoutError:
        raise NetError(f"can't reach {address}: connection timed out") from None
    wire = Wire(chosen.Importer(call.detach()))
    try:
        try:
            async with asyncio.timeout(CONNECT_S):
                await asyncio.shield(wire.ready)
                user = hosts.own_user() if uname is None else uname
                await wire.rpc(m.Tattach(ROOT, NOFID, user, aname), m.Rattach)
        except TimeoutError:
            raise NetError(f"{address} does not answer 9P: connection timed out") from None
        session = Session(wire, chosen)
        try:
            yield session
        finally:
            await session.sockets.linger()
    finally:
        await wire.close()
        if carrier is not None:
            await _hang_up(carrier)


def split(path: str) -> tuple[str, ...]:
    """The names of a path; empty ones and `.` mean nothing."""
    return tuple(name for name in path.split("/") if name not in ("", "."))


async def _call(address: str, core: cores.Core) -> tuple[socket.socket, Carrier | None]:
    loop = asyncio.get_running_loop()
    try:
        match parse_address(address):
            case UnixAddress(path):
                call = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                call.setblocking(False)
                try:
                    await loop.sock_connect(call, path)
                except BaseException:
                    call.close()
                    raise
                return call, None
            case TcpAddress(host, port):
                call = await hosts.call(host, port)
                call.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                return call, None
            case IlAddress(host, port):
                return await il.call(host, port, core.Il)
    except NetError as refusal:
        raise NetError(f"can't reach {address}: {refusal.text}", refusal.errno) from None
    except OSError as error:
        raise NetError(f"can't reach {address}: {_words(error)}", error.errno) from None


async def _hang_up(carrier: Carrier) -> None:
    """Let what was sent arrive and the gateway know, but wait for neither for long."""
    carrier.close()
    await asyncio.wait([carrier.closed], timeout=FAREWELL_S)
    carrier.abandon()


def _words(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused (is a gateway listening there?)"
    return hosts.words(error)
