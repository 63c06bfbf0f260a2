"""Echo requests from a gateway and their replies (`/net/icmp`, `/net/icmpv6`; docs/raw.md).

Packets are whole, as Plan 9 gives them, but of a header that is written nothing is used. What ICMP
says of a host that does not answer ends the conversation; the next ping opens another one.
"""

from __future__ import annotations

import asyncio
import os
import struct
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from netrelay import messages as m
from netrelay.client import network
from netrelay.client.packets import Packets
from netrelay.errors import NetError
from netrelay.names.dialstring import Dial, checked_host, split_remote

if TYPE_CHECKING:
    from types import TracebackType

    from netrelay.client.network import Route
    from netrelay.client.session import Session

TIMEOUT_S: Final = 5.0
SIZE: Final = 56
_LONGEST: Final = 1 << 16
_AHEAD: Final = 16
_MOST_SEQUENCES: Final = 1 << 16
_ECHO: Final = struct.Struct(">BBHHH")
# So that nobody's late reply is taken for ours.
_MARK: Final = 8
_NO_ADDRESS: Final = "translate"


@dataclass(frozen=True, slots=True)
class _Protocol:
    """Where its packets have what: types, length of the header, hops left."""

    request: int
    reply: int
    header: int
    hops: int


_PROTOCOLS: Final = {
    "icmp": _Protocol(8, 0, 20, 8),
    "icmpv6": _Protocol(128, 129, 40, 7),
}
# Which protocol a version of IP has; of a name it is the first that has an address of it.
_NETS: Final = {None: ("icmp", "icmpv6"), 4: ("icmp",), 6: ("icmpv6",)}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: bytes of its ICMP message, hops that it had left, seconds from here and back."""

    sequence: int
    size: int
    hops: int
    rtt_s: float


@dataclass(slots=True)
class _Conversation:
    """One that is open, and who waits for which sequence number."""

    ctl: int
    data: int
    packets: Packets
    reading: asyncio.Task[None] | None = None
    waiting: dict[int, asyncio.Future[bytes]] = field(default_factory=dict)


class Pings:
    """Pings of one host, which may overlap. `async with` or `close` ends it.

    `address` is the host's, in numbers. The times of replies have the way to the gateway in them.
    """

    def __init__(
        self, session: Session, net: str, route: Route, size: int, hops: int | None
    ) -> None:
        self.address = split_remote(route.remote)[0]
        self._session = session
        self._protocol = _PROTOCOLS[net]
        self._route = route
        self._hops = hops
        self._payload = os.urandom(_MARK) + bytes(max(0, size - _MARK))
        self._sequence = 0
        self._opening = asyncio.Lock()
        self._open: _Conversation | None = None

    async def __aenter__(self) -> Self:
        """Nothing to do."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it."""
        self.close()

    async def ping(self, timeout_s: float = TIMEOUT_S) -> Reply:
        """Send a request and wait for its reply.

        Errors: `TimeoutError`; `NetError` with what ICMP says, e.g. `host unreachable`.
        """
        conversation = await self._conversation()
        self._sequence = sequence = (self._sequence + 1) % _MOST_SEQUENCES
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        conversation.waiting[sequence] = answered
        echo = _ECHO.pack(self._protocol.request, 0, 0, 0, sequence)
        sent = time.perf_counter()
        try:
            async with asyncio.timeout(timeout_s):
                packet = bytes(self._protocol.header) + echo + self._payload
                try:
                    await self._session.wire.rpc(m.Twrite(conversation.data, 0, packet), m.Rwrite)
                except NetError as refusal:
                    self._end(conversation, refusal)
                    raise
                reply = await answered
        finally:
            conversation.waiting.pop(sequence, None)
            # It may have failed while the write was refused for the same reason.
            answered.cancel()
        return Reply(
            sequence,
            len(reply) - self._protocol.header,
            reply[self._protocol.hops],
            time.perf_counter() - sent,
        )

    def close(self) -> None:
        """End the conversation; pings that wait are `i/o on hungup channel`."""
        if self._open is not None:
            self._end(self._open, NetError("i/o on hungup channel"))

    async def _conversation(self) -> _Conversation:
        async with self._opening:
            if self._open is None:
                wire, route = self._session.wire, self._route
                _, ctl, data = await wire.dial(route.netdir, route.clone, route.remote)
                try:
                    if self._hops is not None:
                        await wire.rpc(m.Twrite(ctl, 0, f"ttl {self._hops}".encode()), m.Rwrite)
                except BaseException:
                    wire.clunk(data)
                    wire.clunk(ctl)
                    raise
                packets = Packets(wire, data, longest=_LONGEST, ahead=_AHEAD)
                self._open = _Conversation(ctl, data, packets)
                self._open.reading = asyncio.ensure_future(self._read(self._open))
            return self._open

    async def _read(self, conversation: _Conversation) -> None:
        try:
            async for packet in conversation.packets:
                sequence = self._answered(packet)
                answered = conversation.waiting.get(sequence) if sequence is not None else None
                if answered is not None and not answered.done():
                    answered.set_result(packet)
        except NetError as advice:
            self._end(conversation, advice)

    def _answered(self, packet: bytes) -> int | None:
        """The sequence number of a reply to one of ours."""
        message = packet[self._protocol.header :]
        if len(message) < _ECHO.size or message[0] != self._protocol.reply:
            return None
        ours = message[_ECHO.size :][:_MARK] == self._payload[:_MARK]
        sequence: int = _ECHO.unpack_from(message)[-1]
        return sequence if ours else None

    def _end(self, conversation: _Conversation, why: NetError) -> None:
        if self._open is conversation:
            self._open = None
            conversation.packets.stop()
            for fid in (conversation.data, conversation.ctl):
                self._session.wire.clunk(fid)
        for answered in conversation.waiting.values():
            if not answered.done():
                answered.set_exception(NetError(why.text, why.errno))
                answered.exception()  # who waits is told; nobody else needs to be


async def begin(
    session: Session,
    host: str,
    *,
    size: int = SIZE,
    hops: int | None = None,
    version: int | None = None,
    netdir: str | None = None,
) -> Pings:
    """Find the host's address at the gateway. Errors: `NetError` with cs's text."""
    refusal: NetError | None = None
    for net in _NETS[version or network.version_of(host)]:
        dial = Dial(net, checked_host(host, host), "1", None, netdir)
        try:
            route = (await network.routes(session, dial))[0]
        except NetError as error:
            if _NO_ADDRESS not in error.text:
                raise
            refusal = refusal or error
        else:
            return Pings(session, net, route, size=size, hops=hops)
    raise refusal or NetError("cs: can't translate address")
