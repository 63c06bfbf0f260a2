"""data of tcp: a stream of bytes, in order and whole, whatever pieces it is written and read in."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from netrelay.conform.claims import claim, expect, same
from netrelay.conform.expectations import refused
from netrelay.conform.peer import beside
from netrelay.types import IOHDRSZ, ORDWR

if TYPE_CHECKING:
    from netrelay.conform.stage import Stage

SOURCE = "ip(3), qio.c"
BULK = 1 << 20
FLOOD = 64
SMALL = 8192
COUNTERS = {"ActiveOpens", "PassiveOpens", "CurrEstab", "InSegs", "OutSegs", "RetransSegs"}
# Plan 9 keeps writes below 64 KiB, as larger ones are cut in its queues.
PIECE = 60_000


@claim("Bytes written arrive, bytes sent are read", SOURCE, needs=("dial",))
async def carries_bytes_both_ways(stage: Stage) -> None:
    _, data, peer = await stage.connected()
    same(await data.write(b"ping"), 4)
    same(await peer.exactly(4), b"ping")
    await peer.send(b"pong")
    same(await data.exactly(4), b"pong")


@claim(
    "A read gives what is there and does not wait for the rest of its count",
    SOURCE,
    needs=("dial",),
)
async def reads_do_not_wait_to_fill(stage: Stage) -> None:
    _, data, peer = await stage.connected()
    await peer.send(b"x")
    same(await data.read(), b"x")


@claim("A read waits while there is nothing", SOURCE, needs=("dial",))
async def reads_wait_for_a_byte(stage: Stage) -> None:
    conversation, data, peer = await stage.connected()
    reading = data.begin_read()
    await conversation.session.round_trip()
    expect(not reading.answered, "a read that waits", "Rread")
    await peer.send(b"x")
    await reading.reply()


@claim("What a read had no room for is there for the next", SOURCE, needs=("dial",))
async def leftovers_remain(stage: Stage) -> None:
    _, data, peer = await stage.connected()
    await peer.send(b"0123456789")
    same(await data.exactly(3), b"012")
    same(await data.exactly(7), b"3456789")


@claim("The offsets of reads and writes mean nothing", SOURCE, needs=("dial",))
async def offsets_are_ignored(stage: Stage) -> None:
    _, data, peer = await stage.connected()
    await data.write(b"one", offset=1 << 40)
    await data.write(b"two", offset=7)
    same(await peer.exactly(6), b"onetwo")
    await peer.send(b"three")
    same(await data.read(64, 1 << 40), b"three")


@claim(
    "A read gives no more than leaves 24 bytes of msize for its header, as clients count",
    "mnt(3), read(5)",
    needs=("dial",),
)
async def reads_leave_room_for_a_header(stage: Stage) -> None:
    conversation, data, peer = await stage.connected(msize=SMALL)
    most = conversation.session.msize - IOHDRSZ
    got = 0
    async with beside(peer.send(_bytes(8 * SMALL))):
        while got < 8 * SMALL:
            piece = await data.read(8 * SMALL)
            expect(0 < len(piece) <= most, f"at most {most} bytes", f"{len(piece)} bytes")
            got += len(piece)


@claim("A read of 0 bytes gives 0 bytes and takes none", SOURCE, needs=("dial",))
async def a_read_of_nothing_takes_nothing(stage: Stage) -> None:
    _, data, peer = await stage.connected()
    await peer.send(b"abc")
    same(await data.exactly(1), b"a")
    same(await data.read(0), b"")
    same(await data.exactly(2), b"bc")


@claim("A write of 0 bytes sends nothing and ends nothing", SOURCE, needs=("dial",))
async def a_write_of_nothing_sends_nothing(stage: Stage) -> None:
    _, data, peer = await stage.connected()
    same(await data.write(b""), 0)
    await data.write(b"x")
    same(await peer.exactly(1), b"x")


@claim("A mebibyte written arrives whole and in order", SOURCE, needs=("dial",), deadline_s=60.0)
async def bulk_out_is_whole(stage: Stage) -> None:
    conversation, data, peer = await stage.connected()
    most = min(conversation.session.msize - IOHDRSZ, PIECE)
    sent = _bytes(BULK)
    async with beside(peer.exactly(BULK)) as receiving:
        done = 0
        while done < BULK:
            done += await data.write(sent[done : done + most], done)
        got = await receiving
    expect(got == sent, "the bytes that were written", "other bytes")


@claim("A mebibyte sent is read whole and in order", SOURCE, needs=("dial",), deadline_s=60.0)
async def bulk_in_is_whole(stage: Stage) -> None:
    _, data, peer = await stage.connected()
    sent = _bytes(BULK)
    async with beside(peer.send(sent)):
        got = await data.exactly(BULK)
    expect(got == sent, "the bytes that were sent", "other bytes")


@claim(
    "A peer that sends faster than it is read is held back, and nothing is lost",
    SOURCE,
    needs=("dial",),
    deadline_s=60.0,
)
async def a_slow_reader_holds_the_sender_back(stage: Stage) -> None:
    _, data, peer = await stage.connected()
    sent = _bytes(BULK)
    async with beside(peer.send(sent * FLOOD)) as sending:
        got = await data.exactly(BULK)
        # More than any host's buffers: who took all of it keeps it in memory without bound.
        expect(not sending.done(), "a sender that waits", f"{FLOOD} MiB taken, one of them read")
    expect(got == sent, "the bytes that were sent", "other bytes")


@claim("data may be open more than once: it is one stream", SOURCE, needs=("dial",))
async def two_fids_share_the_stream(stage: Stage) -> None:
    conversation, data, peer = await stage.connected()
    again = await conversation.open("data", mode=ORDWR)
    await data.write(b"one")
    await again.write(b"two")
    same(await peer.exactly(6), b"onetwo")
    await peer.send(b"abcd")
    same(await data.exactly(2) + await again.exactly(2), b"abcd")


@claim("A read and a write of one file can wait at the same time", SOURCE, needs=("dial",))
async def reading_does_not_hold_writing_up(stage: Stage) -> None:
    conversation, data, peer = await stage.connected()
    reading = data.begin_read()
    await conversation.session.round_trip()
    await data.write(b"question")
    same(await peer.exactly(8), b"question")
    await peer.send(b"answer")
    await reading.reply()


@claim("stats is lines of a name, a colon and a number", "ip(3), tcp.c", needs=("tcp",))
async def stats_are_names_and_numbers(stage: Stage) -> None:
    session = await stage.session()
    text = await session.text("tcp", "stats")
    for line in text.splitlines():
        name, colon, number = line.partition(": ")
        expect(bool(name and colon) and number.strip().isdigit(), "Name: N", repr(line))


@claim("stats has the counters of tcp", "tcp.c", needs=("tcp",))
async def stats_has_its_counters(stage: Stage) -> None:
    session = await stage.session()
    names = {line.partition(":")[0] for line in (await session.text("tcp", "stats")).splitlines()}
    expect(names >= COUNTERS, ", ".join(sorted(COUNTERS)), sorted(names))


@claim("status is one line", "ip(3), tcp.c", needs=("dial",))
async def status_is_one_line(stage: Stage) -> None:
    conversation, _, _ = await stage.connected()
    status = await conversation.text("status")
    expect(status.count("\n") == 1 and status.endswith("\n"), "one line", repr(status))


@claim("A read of err waits, or tells of an error; it is no end of file", "ip(3)", needs=("dial",))
async def err_is_a_queue(stage: Stage) -> None:
    conversation, _, _ = await stage.connected()
    file = await conversation.open("err", mode=ORDWR)
    reading = file.begin_read()
    await conversation.session.round_trip()
    if reading.answered:
        await refused(reading.expect(object))
    else:
        await conversation.session.flush(reading)


def _bytes(count: int) -> bytes:
    """Bytes of which no two stretches are alike, so that none can stand in for another."""
    return hashlib.shake_128(b"conform").digest(count)
