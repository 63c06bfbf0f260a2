"""Datagrams of the gateway's network (udp of ip(3)), and asyncio's endpoint made of them.

With a remote end every datagram is a Twrite or a Tread of data. With a local one alone `headers` is
on: whoever sends is told, and each datagram says where it goes. What was sent is not waited for: a
refusal is told by the next `send` or `receive`, as a socket tells it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import struct
from typing import TYPE_CHECKING, Self

from netrelay import messages as m
from netrelay.client import network
from netrelay.client.packets import Packets
from netrelay.errors import NetError, UsageError
from netrelay.names.dialstring import Dial, split_remote, unbracketed
from netrelay.types import ORDWR

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from netrelay.client.files import File
    from netrelay.client.session import Session
    from netrelay.client.streams import PeerName
    from netrelay.types import Completion

LONGEST = 1 << 16
# Their remote address, the local one, the interface's, both ports.
HEADER = struct.Struct(">16s16s16sHH")
ANYWHERE = bytes(16)
AHEAD = 64
# Bytes that are sent and not answered: `send` waits above the first, and goes on below the second.
HIGH, LOW = 256 << 10, 64 << 10
LINE = 64


class Datagrams:
    """An open conversation of udp: `async for datagram, sender in datagrams`.

    `async with` or `close` ends it. `local` is its address and port at the gateway, `remote` the
    other end's, or None where everybody may send.
    """

    def __init__(
        self, session: Session, ctl: File, data: File, local: PeerName, remote: PeerName | None
    ) -> None:
        self.local = local
        self.remote = remote
        self._wire = session.wire
        self._ctl, self._data = ctl, data
        head = 0 if remote is not None else HEADER.size
        self._packets = Packets(
            session.wire, data.fid, longest=LONGEST + head, ahead=AHEAD, empty=True
        )
        self._unanswered = 0
        self._room = asyncio.Event()
        self._room.set()

    async def __aenter__(self) -> Self:
        """Nothing to do: it is open."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it."""
        self.close()

    def __aiter__(self) -> Self:
        """In the order in which they came."""
        return self

    async def __anext__(self) -> tuple[bytes, PeerName]:
        """The next datagram and its sender; ends after `close`."""
        packet = await anext(self._packets)
        if self.remote is not None:
            return packet, self.remote
        if len(packet) < HEADER.size:
            raise NetError("i/o on hungup channel")
        sender, _, _, port, _ = HEADER.unpack_from(packet)
        return packet[HEADER.size :], (_shown(sender), port)

    async def receive(self) -> tuple[bytes, PeerName]:
        """The next datagram and its sender. Cancelled, it takes none.

        Errors: `NetError`, once, for a datagram that was refused; behind the last one that comes,
        what ICMP said, or `i/o on hungup channel`.
        """
        try:
            return await anext(self)
        except StopAsyncIteration:
            raise NetError("i/o on hungup channel") from None

    async def send(self, datagram: bytes, to: PeerName | None = None) -> None:
        """Send one; `to` is an address in numbers, and wanted where there is no remote end.

        Waits while 256 KiB are on their way. Errors: `NetError`, for one that was sent before.
        """
        while not self._room.is_set():
            await self._room.wait()
        self.send_now(datagram, to)

    def send_now(self, datagram: bytes, to: PeerName | None = None) -> None:
        """Send one without waiting for room. Errors: as `send`; `UsageError` for no address."""
        self._packets.check()
        packet = self._head(to) + bytes(datagram)
        self._wire.submit(
            m.Twrite(self._data.fid, 0, packet), lambda outcome: self._sent(outcome, len(packet))
        )
        self._unanswered += len(packet)
        if self._unanswered > HIGH:
            self._room.clear()

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self._packets.over

    @property
    def room(self) -> asyncio.Event:
        """Set while few enough are on their way."""
        return self._room

    def close(self) -> None:
        """End the conversation; datagrams that nobody has taken are gone."""
        self._packets.stop()
        self._data.close()
        self._ctl.close()
        self._room.set()

    def _head(self, to: PeerName | None) -> bytes:
        if self.remote is not None:
            if to is not None and to != self.remote:
                raise UsageError(f"the datagrams go to {self.remote}, not to {to}")
            return b""
        if to is None:
            raise UsageError("a datagram of an unconnected endpoint needs an address")
        return HEADER.pack(_packed(to[0]), ANYWHERE, ANYWHERE, to[1], 0)

    def _sent(self, outcome: Completion, size: int) -> None:
        self._unanswered -= size
        if self._unanswered <= LOW:
            self._room.set()
        if isinstance(outcome.message, m.Rerror):
            self._packets.say(NetError(outcome.message.ename, outcome.message.errno or None))


async def open_datagrams(
    session: Session, local: PeerName | None, remote: PeerName | None, netdir: str | None
) -> Datagrams:
    """Connect to `remote`, or announce `local`. Errors: `NetError`, `UsageError`."""
    host, port = remote or local or ("*", 0)
    dial = Dial("udp", unbracketed(host), str(port), netdir=netdir)
    if remote is None:
        (route, *_) = await network.routes(session, dial)
        words = [f"announce {route.remote}", "headers"]
    else:
        (route, *_) = await network.routes(session, dial)
        own = "" if local is None else f" {_bound(local)}"
        words = [f"connect {route.remote}{own}"]
    ctl = await session.open_at((*route.netdir, *route.clone), ORDWR)
    try:
        number = (await ctl.read(LINE)).decode().strip()
        for word in words:
            await ctl.write(word.encode())
        conversation = (*route.netdir, *route.clone[:-1], number)
        data = await session.open_at((*conversation, "data"), ORDWR)
        line = await session.read_at((*conversation, "local"))
    except BaseException:
        ctl.close()
        raise
    other = None if remote is None else split_remote(route.remote)
    return Datagrams(session, ctl, data, split_remote(line.decode()), other)


class Endpoint(asyncio.DatagramTransport):
    """`Datagrams` as the transport of an asyncio protocol."""

    def __init__(self, datagrams: Datagrams, protocol: asyncio.DatagramProtocol) -> None:
        super().__init__({"sockname": datagrams.local, "peername": datagrams.remote})
        self._datagrams = datagrams
        self._protocol = protocol
        self._closing = False
        self._paused: asyncio.Task[None] | None = None
        self._reading = asyncio.create_task(self._read())

    def sendto(self, data: bytes | bytearray | memoryview, addr: PeerName | None = None) -> None:  # type: ignore[override]
        """Send a datagram; what is refused comes to `error_received`."""
        if self._closing:
            return
        try:
            self._datagrams.send_now(bytes(data), addr)
        except NetError as error:
            self._protocol.error_received(error)
        if not self._datagrams.room.is_set() and self._paused is None:
            self._protocol.pause_writing()
            self._paused = asyncio.create_task(self._resume())

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        return self._closing

    def close(self) -> None:
        """End it; `connection_lost` comes later."""
        self._lose(None)

    def abort(self) -> None:
        """The same: nothing is kept back."""
        self._lose(None)

    def _lose(self, error: NetError | None) -> None:
        if self._closing:
            return
        self._closing = True
        self._datagrams.close()
        for task in (self._reading, self._paused):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        asyncio.get_running_loop().call_soon(self._protocol.connection_lost, error)

    async def _read(self) -> None:
        while not self._closing:
            try:
                async for datagram, sender in self._datagrams:
                    self._protocol.datagram_received(datagram, sender)
            except NetError as error:
                self._protocol.error_received(error)
                if self._datagrams.over:
                    self._lose(error)

    async def _resume(self) -> None:
        await self._datagrams.room.wait()
        self._paused = None
        self._protocol.resume_writing()


def endpoint(
    datagrams: Datagrams, factory: Callable[[], asyncio.DatagramProtocol]
) -> tuple[Endpoint, asyncio.DatagramProtocol]:
    """The transport and the protocol of datagrams."""
    protocol = factory()
    transport = Endpoint(datagrams, protocol)
    protocol.connection_made(transport)
    return transport, protocol


def _bound(local: PeerName) -> str:
    host, port = local
    return str(port) if host in ("*", "") else f"{unbracketed(host)}!{port}"


def _packed(host: str) -> bytes:
    """An address in 16 bytes."""
    try:
        address = ipaddress.ip_address(unbracketed(host).partition("%")[0])
    except ValueError:
        raise UsageError(f"{host!r} is no address: resolve it first") from None
    packed = address.packed
    return packed if len(packed) == len(ANYWHERE) else bytes(10) + b"\xff\xff" + packed


def _shown(packed: bytes) -> str:
    address = ipaddress.IPv6Address(packed)
    return str(address.ipv4_mapped or address)
