"""A server that is wrong in one way: our own gateway behind a proxy that lies.

The suite speaks to the proxy. What goes up to the gateway and what comes down pass through the two
functions of a lie, which may change, drop or add messages. Everything that the lie leaves alone is
right, so that a check which fails has caught just that lie. 9P2000 only.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from netrelay import core as cores
from netrelay.errors import DecodeError
from netrelay.names.dialstring import TcpAddress, parse_address
from netrelay.types import DEFAULT_MSIZE, Dialect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from netrelay.messages import Message

CORE = cores.load("python")


class Said(NamedTuple):
    """A message and its tag."""

    tag: int
    message: Message


@dataclass
class Talk:
    """One session through the proxy, for a lie to look at."""

    requests: dict[int, Message] = field(default_factory=dict)
    # Whatever a lie remembers, by tag or fid.
    notes: dict[int, str] = field(default_factory=dict)
    # Messages of the lie's own, to go down before anything else does.
    answers: list[Said] = field(default_factory=list)
    serial: asyncio.Lock | None = None


def honest(talk: Talk, said: Said) -> Iterable[Said]:
    """Leave a message as it is."""
    del talk
    return (said,)


@dataclass(frozen=True)
class Lie:
    """`up` is told each request before the gateway is, `down` each reply before the suite is.

    `one_by_one` keeps a request back until the one before is answered; `stays` keeps the gateway's
    side open when the suite has gone.
    """

    up: Callable[[Talk, Said], Iterable[Said]] = honest
    down: Callable[[Talk, Said], Iterable[Said]] = honest
    one_by_one: bool = False
    stays: bool = False


@contextlib.asynccontextmanager
async def lying(address: str, lie: Lie) -> AsyncIterator[str]:
    """A proxy in front of the gateway; its address."""
    where = parse_address(address)
    if not isinstance(where, TcpAddress):
        raise TypeError(f"no tcp address: {address}")
    stayed: list[asyncio.StreamWriter] = []
    sessions: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            sessions.add(task)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            up_reader, up_writer = await asyncio.open_connection(where.host, where.port)
            stayed.append(up_writer)
            talk = Talk(serial=asyncio.Lock() if lie.one_by_one else None)
            up = asyncio.create_task(_up(talk, lie, reader, writer, up_writer))
            down = asyncio.create_task(_down(talk, lie, up_reader, writer))
            try:
                await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in (up, down):
                    one.cancel()
                await asyncio.gather(up, down, return_exceptions=True)
                if not lie.stays:
                    up_writer.transport.abort()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"tcp!127.0.0.1!{port}"
    finally:
        server.close()
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        for writer in stayed:
            writer.transport.abort()


async def _up(
    talk: Talk,
    lie: Lie,
    reader: asyncio.StreamReader,
    down: asyncio.StreamWriter,
    up: asyncio.StreamWriter,
) -> None:
    async for frame in _frames(reader):
        if talk.serial is not None:
            await talk.serial.acquire()
        said = _said(frame)
        if said is None:
            up.write(frame)
            continue
        talk.requests[said.tag] = said.message
        for one in lie.up(talk, said):
            up.write(CORE.encode(one.tag, one.message, Dialect.P2000))
        _send(talk, down)


async def _down(
    talk: Talk, lie: Lie, reader: asyncio.StreamReader, down: asyncio.StreamWriter
) -> None:
    async for frame in _frames(reader):
        if talk.serial is not None:
            talk.serial.release()
        said = _said(frame)
        if said is None:
            down.write(frame)
            continue
        talk.answers += lie.down(talk, said)
        _send(talk, down)


def _send(talk: Talk, down: asyncio.StreamWriter) -> None:
    answers, talk.answers = talk.answers, []
    for one in answers:
        down.write(CORE.encode(one.tag, one.message, Dialect.P2000))


async def _frames(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    deframer = CORE.Deframer(DEFAULT_MSIZE)
    while data := await reader.read(1 << 16):
        deframer.feed(data)
        while (frame := deframer.next_frame()) is not None:
            yield frame


def _said(frame: bytes) -> Said | None:
    try:
        return Said(*CORE.decode(frame, Dialect.P2000))
    except DecodeError:
        return None  # what is no message passes as it is
