"""Streams and requests against a core that answers when the test says so."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from netrelay import messages as m
from netrelay.client import wire as wires
from netrelay.client.files import File
from netrelay.client.streams import Reader, Writer
from netrelay.client.wire import Wire
from netrelay.errors import NetError, PeerError
from netrelay.types import Completion, Qid
from netrelay.window import CROWDED, FULL, TWRITES

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


def test_a_server_that_answers_no_flush_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A timeout of the caller's, or a Ctrl-C, waited for ever for such a server's Rflush."""
    monkeypatch.setattr(wires, "FLUSH_S", 0.01)

    async def work() -> None:
        async with wired() as (wire, core):
            file = File(wire, 1, FILE)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await file.read(10)
            assert core.flushed == [1]
            core.reply(1, m.Rread(b"late"))
            await turn()
            assert await file.read(10) == b"late"

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


@pytest.mark.parametrize(("windowed", "outstanding"), [(True, 8), (False, 1)])
def test_a_busy_reader_opens_its_window_on_our_gateways_only(
    windowed: bool, outstanding: int
) -> None:
    async def work() -> None:
        async with wired(windowed=windowed) as (wire, core):
            Reader(wire, 5)
            assert len(core.asked) == 1
            for number in (1, 2, 3):
                core.reply(number, m.Rread(b"x" * 8192))
                await turn()
            assert len(core.asked) - 3 == outstanding

    asyncio.run(work())


def test_readers_that_nobody_waits_for_leave_room_for_requests() -> None:
    """Each took sixteen of the 4096 that a gateway admits, so that 300 idle calls choked all."""

    async def work() -> None:
        async with wired() as (wire, core):
            readers = [Reader(wire, number) for number in range(CROWDED + 100)]
            assert len(core.asked) == CROWDED + 1
            reading = asyncio.create_task(readers[-1].read(1))
            await turn()
            number, asked = core.asked[-1]
            assert isinstance(asked, m.Tread)
            assert asked.fid == CROWDED + 99
            core.reply(number, m.Rread(b"x"))
            assert await reading == b"x"
            assert len(core.asked) == CROWDED + 2

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
            core.reply(3, m.Rwrite(3))
            await turn()
            sent = [ask.data for _, ask in core.asked if isinstance(ask, m.Twrite)]
            assert sent == [b"x" * 8192, b"xyz", b"shutdown write"]
            with pytest.raises(NetError):
                writer.write(b"more")

    asyncio.run(work())


def written(core: Scripted, fid: int = 5) -> list[tuple[int, bytes]]:
    """The Twrites of a fid: their ids and payloads."""
    asked = [(number, ask) for number, ask in core.asked if isinstance(ask, m.Twrite)]
    return [(number, bytes(ask.data)) for number, ask in asked if ask.fid == fid]


def test_a_read_that_a_gateway_would_refuse_is_refused_here_and_may_be_tried_again() -> None:
    async def work() -> None:
        async with wired() as (wire, core):
            readers = [Reader(wire, number) for number in range(FULL + 1)]
            reads = [asyncio.create_task(reader.read(1)) for reader in readers]
            await turn()
            assert len(core.asked) == FULL
            with pytest.raises(NetError, match="too many requests"):
                await reads[-1]
            core.reply(1, m.Rread(b"x"))
            assert await reads[0] == b"x"
            again = asyncio.create_task(readers[-1].read(1))
            await turn()
            core.reply(FULL + 1, m.Rread(b"y"))
            assert await again == b"y"

    asyncio.run(work())


def test_many_small_writes_are_few_requests_and_lose_no_order() -> None:
    async def work() -> None:
        async with wired() as (wire, core):
            writer = Writer(wire, 4, 5, Reader(wire, 5), ("10.0.0.1", 80))
            data = bytes(range(250)) * 20
            for at in range(len(data)):
                writer.write(data[at : at + 1])
            assert len(written(core)) == TWRITES
            for number, piece in written(core):
                core.reply(number, m.Rwrite(len(piece)))
                await turn()
            assert b"".join(piece for _, piece in written(core)) == data

    asyncio.run(work())


def test_writers_share_what_a_gateway_takes_of_a_session() -> None:
    async def work() -> None:
        async with wired() as (wire, core):
            writers = [
                Writer(wire, 4, fid, Reader(wire, fid), ("10.0.0.1", 80)) for fid in range(5, 4000)
            ]
            for writer in writers:
                writer.write(bytes(64 << 10))
            assert wire.unanswered < 64 << 20
            assert len(core.asked) <= FULL + 1
            last = len(writers) + 4
            assert written(core, last) == []
            answered = 0
            while wire.unanswered:
                for number, ask in core.asked[answered:]:
                    if isinstance(ask, m.Twrite):
                        core.reply(number, m.Rwrite(len(ask.data)))
                answered = len(core.asked)
                await turn()
            assert len(written(core, last)) == 8
            for writer in writers:
                await writer.drain()

    asyncio.run(work())


def test_what_could_not_be_written_is_told_and_the_other_end_gets_no_orderly_end() -> None:
    async def work() -> None:
        async with wired() as (wire, core):
            writer = Writer(wire, 4, 5, Reader(wire, 5), ("10.0.0.1", 80))
            writer.write(b"first")
            writer.write(b"second")
            writer.write_eof()
            core.reply(2, m.Rerror("write queue full"))
            core.reply(3, m.Rwrite(6))
            await turn()
            with pytest.raises(NetError, match="write queue full"):
                await writer.drain()
            with pytest.raises(NetError, match="write queue full"):
                writer.write(b"third")
            writer.close()
            with pytest.raises(NetError, match="write queue full"):
                await writer.wait_closed()
            assert [data for _, data in written(core, 4)] == [b"hangup"]
            assert [ask for _, ask in core.asked[-2:]] == [m.Tclunk(5), m.Tclunk(4)]

    asyncio.run(work())


def test_a_reader_gives_its_lines() -> None:
    async def work() -> None:
        async with wired() as (wire, core):
            reader = Reader(wire, 5)
            core.reply(1, m.Rread(b"one\ntwo\nrest"))
            core.reply(2, m.Rread(b""))
            assert [line async for line in reader] == [b"one\n", b"two\n", b"rest"]

    asyncio.run(work())


def test_a_closed_session_refuses_and_says_why() -> None:
    async def work() -> None:
        async with wired() as (wire, core):
            core.finish(Completion(0, "closed", error="connection refused"))
            await turn()
            with pytest.raises(NetError, match="refused"):
                await wire.rpc(m.Tstat(0), m.Rstat)

    asyncio.run(work())
