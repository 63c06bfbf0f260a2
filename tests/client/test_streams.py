"""Streams and requests against a core that answers when the test says so."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from netrelay import messages as m
from netrelay.client.files import File
from netrelay.client.streams import READS, Reader, Writer
from netrelay.client.wire import Wire
from netrelay.errors import NetError, PeerError
from netrelay.types import Completion, Qid

from .scripted import Scripted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FILE = Qid(0, 0, 1)


@contextlib.asynccontextmanager
async def wired(*, windowed: bool = True) -> AsyncIterator[tuple[Wire, Scripted]]:
    core = Scripted(windowed=windowed)
    wire = Wire(core)
    await wire.ready
    try:
        yield wire, core
    finally:
        await wire.close()
        core.end()


async def turn() -> None:
    """Let the loop see what has been given to it."""
    for _ in range(3):
        await asyncio.sleep(0)


def test_a_cancelled_request_is_let_go_only_behind_its_rflush() -> None:
    async def work() -> None:
        async with wired() as (wire, core):
            task = asyncio.create_task(wire.rpc(m.Tread(1, 0, 10), m.Rread))
            await turn()
            task.cancel()
            await turn()
            assert core.flushed == [1]
            assert not task.done()
            core.finish(Completion(1, "flushed"))
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(work())


def test_bytes_that_came_before_the_rflush_are_read_next() -> None:
    async def work() -> None:
        async with wired() as (wire, core):
            file = File(wire, 1, FILE)
            task = asyncio.create_task(file.read(10))
            await turn()
            task.cancel()
            await turn()
            core.reply(1, m.Rread(b"kept"))
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await file.read(2) + await file.read(10) == b"kept"
            assert file.offset == 4

    asyncio.run(work())


def test_a_refusal_has_the_server_s_text_and_errno() -> None:
    async def work() -> None:
        async with wired() as (wire, core):
            task = asyncio.create_task(wire.rpc(m.Topen(1, 0), m.Ropen))
            await turn()
            core.reply(1, m.Rerror("connection refused"))
            with pytest.raises(NetError) as refusal:
                await task
            assert (refusal.value.text, refusal.value.errno) == ("connection refused", 111)

    asyncio.run(work())


def test_a_reply_of_another_type_is_the_peer_s_fault() -> None:
    async def work() -> None:
        async with wired() as (wire, core):
            task = asyncio.create_task(wire.rpc(m.Topen(1, 0), m.Ropen))
            await turn()
            core.reply(1, m.Rclunk())
            with pytest.raises(PeerError):
                await task

    asyncio.run(work())


@pytest.mark.parametrize(("windowed", "outstanding"), [(True, READS), (False, 1)])
def test_the_window_is_kept_on_our_gateways_only(windowed: bool, outstanding: int) -> None:
    async def work() -> None:
        async with wired(windowed=windowed) as (wire, core):
            Reader(wire, 5)
            assert len(core.asked) == outstanding

    asyncio.run(work())


def test_a_cancelled_read_of_a_stream_takes_nothing() -> None:
    async def work() -> None:
        async with wired() as (wire, core):
            reader = Reader(wire, 5)
            task = asyncio.create_task(reader.readexactly(4))
            await turn()
            core.reply(1, m.Rread(b"ab"))
            await turn()
            task.cancel()
            core.reply(2, m.Rread(b"cd\nx"))
            core.reply(3, m.Rread(b""))
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await reader.readline() == b"abcd\n"
            assert await reader.read() == b"x"
            assert reader.at_eof()
            assert await reader.read(1) == b""

    asyncio.run(work())


def test_an_early_end_is_an_incomplete_read() -> None:
    async def work() -> None:
        async with wired() as (wire, core):
            reader = Reader(wire, 5)
            core.reply(1, m.Rread(b"ab"))
            core.reply(2, m.Rread(b""))
            with pytest.raises(asyncio.IncompleteReadError) as short:
                await reader.readexactly(3)
            assert short.value.partial == b"ab"

    asyncio.run(work())


def test_bytes_before_a_reset_are_read_and_then_the_error() -> None:
    async def work() -> None:
        async with wired() as (wire, core):
            reader = Reader(wire, 5)
            core.reply(1, m.Rread(b"ab"))
            core.reply(2, m.Rerror("connection refused"))
            assert await reader.readexactly(2) == b"ab"
            with pytest.raises(NetError, match="refused"):
                await reader.read(1)

    asyncio.run(work())


def test_the_half_close_goes_out_behind_the_last_write() -> None:
    async def work() -> None:
        async with wired(windowed=False) as (wire, core):
            reader = Reader(wire, 5)
            writer = Writer(wire, 4, 5, reader, ("10.0.0.1", 80))
            writer.write(b"x" * 8192)
            writer.write(b"yz")
            writer.write_eof()
            assert [ask for ask in core.asked if isinstance(ask[1], m.Twrite)][1:] == []
            core.reply(2, m.Rwrite(8191))
            await turn()
            core.reply(3, m.Rwrite(1))
            await turn()
            core.reply(4, m.Rwrite(2))
            await turn()
            sent = [ask.data for _, ask in core.asked if isinstance(ask, m.Twrite)]
            assert sent == [b"x" * 8192, b"x", b"yz", b"shutdown write"]
            with pytest.raises(NetError):
                writer.write(b"more")

    asyncio.run(work())


def test_a_closed_session_refuses_and_says_why() -> None:
    async def work() -> None:
        async with wired() as (wire, core):
            core.finish(Completion(0, "closed", error="connection refused"))
            await turn()
            with pytest.raises(NetError, match="refused"):
                await wire.rpc(m.Tstat(0), m.Rstat)

    asyncio.run(work())
