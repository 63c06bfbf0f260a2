"""The network of a gateway through its files: cs, dns, dial and announce (dial(2)).

A dial asks cs, then places the calls it names in order until one comes up, as dial(2) does; an
address of numbers needs no cs. Everything is relative to a net directory, `/net` if the dial
string names none.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from netrelay import messages as m
from netrelay.client.files import File
from netrelay.client.streams import PeerName, Reader, Writer
from netrelay.errors import NetError
from netrelay.names.dialstring import Dial, parse_dial, split_remote, unbracketed
from netrelay.types import ORDWR

if TYPE_CHECKING:
    import socket
    from types import TracebackType

    from netrelay.client.session import Session

# The most that one reply of cs holds.
REPLY = 256
_LINE = 128
# The versions of IP that a protocol's addresses are of.
_VERSIONS: Final = {"tcp": (4, 6), "udp": (4, 6), "icmp": (4,), "icmpv6": (6,)}


@dataclass(frozen=True, slots=True)
class Route:
    """One line of cs: the clone file below the net directory, and what connect is told."""

    netdir: tuple[str, ...]
    clone: tuple[str, ...]
    remote: str


async def ask(session: Session, name: str, netdir: tuple[str, ...], query: str) -> list[str]:
    """Write a query to `cs` or `dns` and read its replies. Errors: `NetError`."""
    async with await session.open_at((*netdir, name), ORDWR) as file:
        await file.write(query.encode())
        file.seek(0)
        replies = []
        while reply := await file.read(8192 if name == "dns" else REPLY):
            replies.append(reply.decode(errors="replace"))
        return replies


async def routes(session: Session, dial: Dial) -> list[Route]:
    """Where a dial string leads, best first. Errors: `NetError` with cs's text."""
    netdir = await session.netdir(dial.netdir)
    literal = _literal(dial)
    if literal is not None:
        return [Route(netdir, (dial.net, "clone"), literal)]
    found = []
    for line in await ask(session, "cs", netdir, dial.query()):
        path, _, remote = line.partition(" ")
        # dial(2) strips the reply's own mount point and puts its net directory there.
        clone = tuple(part for part in path.split("/")[2:] if part)
        found.append(Route(netdir, clone, remote.strip()))
    if not found:
        raise NetError("cs: can't translate address")
    return found


async def place(session: Session, dial: Dial) -> tuple[Route, int, int, int]:
    """Dial: the route that came up, the conversation's number, its ctl fid and its data fid.

    Errors: `NetError` of the last route tried.
    """
    refusal: NetError | None = None
    for route in await routes(session, dial):
        try:
            return (route, *await session.wire.dial(route.netdir, route.clone, route.remote))
        except NetError as error:
            refusal = error
    raise refusal or NetError("cs: can't translate address")


async def dial(session: Session, text: str) -> tuple[Reader, Writer]:
    """Call and give the call's streams."""
    route, _, ctl, data = await place(session, parse_dial(text))
    reader = Reader(session.wire, data)
    return reader, Writer(session.wire, ctl, data, reader, split_remote(route.remote))


@dataclass(slots=True)
class Call:
    """A call that has come to an announced port and waits for a decision."""

    session: Session
    conversation: tuple[str, ...]
    ctl: File
    remote: PeerName
    _decided: bool = field(default=False, init=False)

    async def accept(self) -> tuple[Reader, Writer]:
        """Take it: its streams. Errors: `NetError` when the caller has gone."""
        ctl, data = await self.fids()
        reader = Reader(self.session.wire, data)
        return reader, Writer(self.session.wire, ctl, data, reader, self.remote)

    async def accept_socket(self) -> socket.socket:
        """Take it as a socket of this machine; see `Session.dial_socket`."""
        return self.session.sockets.begin(self.session, *await self.fids())

    async def fids(self) -> tuple[int, int]:
        """Take it as fids of ctl and data, for a pump."""
        data = await self.session.open_at((*self.conversation, "data"), ORDWR)
        self._decided = True
        return self.ctl.detach(), data.detach()

    async def reject(self) -> None:
        """Reset it (`hangup`), as TCP knows no other refusal."""
        if not self._decided:
            self._decided = True
            try:
                await self.ctl.write(b"hangup")
            finally:
                self.ctl.close()


class Announced:
    """An announced port: `async for call in announced`. `async with` or `close` ends it."""

    def __init__(self, session: Session, conversation: tuple[str, ...], ctl: File) -> None:
        self._session = session
        self._conversation = conversation
        self._ctl = ctl
        # Calls that had come when whoever listened for them was cancelled.
        self._taken: deque[File] = deque()

    async def __aenter__(self) -> Self:
        """Nothing to do: it is announced."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the announcement."""
        self.close()

    def __aiter__(self) -> Self:
        """Calls, one after the other."""
        return self

    async def __anext__(self) -> Call:
        """The next call; ends when the announcement is hung up."""
        try:
            return await self.listen()
        except NetError as error:
            if error.text in ("listen hungup", "not announced"):
                raise StopAsyncIteration from None
            raise

    async def listen(self) -> Call:
        """Wait for a call. Cancelled, it takes none: the next one gets it. Errors: `NetError`."""
        ctl = self._taken.popleft() if self._taken else await self._open()
        try:
            ctl.seek(0)
            number = (await ctl.read(_LINE)).decode()
            conversation = (*self._conversation[:-1], number)
            line = await self._session.read_at((*conversation, "remote"))
        except asyncio.CancelledError:
            self._taken.appendleft(ctl)
            raise
        except BaseException:
            ctl.close()
            raise
        return Call(self._session, conversation, ctl, split_remote(line.decode()))

    async def _open(self) -> File:
        """Open `listen`, which becomes the ctl of a call; one that comes too late is kept."""
        wire = self._session.wire
        fid = await self._session.walk((*self._conversation, "listen"))
        kept = False

        def keep(opened: m.Ropen) -> None:
            nonlocal kept
            kept = True
            self._taken.append(File(wire, fid, opened.qid))

        try:
            return File(wire, fid, (await wire.rpc(m.Topen(fid, ORDWR), m.Ropen, late=keep)).qid)
        except BaseException:
            if not kept:
                wire.clunk(fid)
            raise

    async def local(self) -> PeerName:
        """The address and port that callers reach; an announced port 0 is known from here."""
        line = await self._session.read_at((*self._conversation, "local"))
        return split_remote(line.decode())

    def close(self) -> None:
        """End the announcement; calls not taken are reset by the gateway."""
        for taken in self._taken:
            taken.close()
        self._taken.clear()
        self._ctl.close()


async def announce(session: Session, text: str) -> Announced:
    """Announce a port at the gateway. Errors: `NetError`, e.g. `address in use`."""
    dial = parse_dial(text)
    route = (await routes(session, dial))[0]
    ctl = await session.open_at((*route.netdir, *route.clone), ORDWR)
    try:
        number = (await ctl.read(_LINE)).decode().strip()
        await ctl.write(f"announce {route.remote}".encode())
    except BaseException:
        ctl.close()
        raise
    return Announced(session, (*route.netdir, *route.clone[:-1], number), ctl)


def _literal(dial: Dial) -> str | None:
    """`addr!port` when the dial string is all numbers, so that cs need not be asked."""
    if dial.rem is not None or not (dial.service or "").isdecimal():
        return None
    version = version_of(dial.host)
    if version is None or version not in _VERSIONS.get(dial.net, ()):
        return None
    return f"{ipaddress.ip_address(unbracketed(dial.host))}!{dial.service}"


def version_of(host: str) -> int | None:
    """4 or 6 of a host that is an address, none of a name."""
    try:
        return ipaddress.ip_address(unbracketed(host)).version
    except ValueError:
        return None
