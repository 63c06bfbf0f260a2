"""Tflush: always answered, and what it took back leaves nothing behind (flush(5)).

The rule that matters most for a network: a flushed read has taken no bytes and a flushed listen no
call, unless the reply was sent ahead of Rflush. A reply that does come first is honoured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netrelay import messages as m
from netrelay.conform.claims import Failed, claim, expect, same
from netrelay.conform.dialects import opening
from netrelay.conform.stream import shown
from netrelay.types import NOTAG, ORDWR

if TYPE_CHECKING:
    from netrelay.conform.raw import Raw
    from netrelay.conform.stage import Stage

PARKED, FIRST, SECOND, THIRD = 10, 11, 12, 13
LISTEN = 2


@claim("A flush of a tag that is not in flight is answered by Rflush", "flush(5)")
async def of_an_unknown_tag_is_answered(stage: Stage) -> None:
    raw = await stage.raw_session()
    for oldtag in (PARKED, 0, NOTAG):
        await raw.rpc(m.Tflush(oldtag), m.Rflush)


@claim("A flush of a request that has been answered is answered by Rflush", "flush(5)")
async def of_an_answered_request_is_answered(stage: Stage) -> None:
    raw = await stage.raw_session()
    await raw.rpc(m.Twalk(0, 5, ()), m.Rwalk, tag=PARKED)
    await raw.rpc(m.Tflush(PARKED), m.Rflush, tag=FIRST)
    await raw.rpc(m.Twalk(0, 6, ()), m.Rwalk, tag=PARKED)


@claim(
    "A flush right behind its request is answered last, and the reply that won is honoured",
    "flush(5)",
)
async def right_behind_its_request(stage: Stage) -> None:
    raw = await stage.raw_session()
    raw.send(PARKED, m.Twalk(0, 5, ()))
    raw.send(FIRST, m.Tflush(PARKED))
    came = await _until(raw, FIRST)
    made = any(isinstance(reply, m.Rwalk) for tag, reply in came if tag == PARKED)
    # The fid exists exactly if Rwalk came.
    raw.send(SECOND, m.Tclunk(5))
    got = await raw.receive()
    expect(
        got is not None and isinstance(got[1], m.Rclunk) is made,
        "Rclunk" if made else "Rerror",
        "the end of the session" if got is None else raw.shown(got[1]),
    )


@claim(
    "A parked listen can be flushed, and nothing more comes for it",
    "flush(5), ip(3)",
    needs=("announce",),
)
async def of_a_parked_listen_is_answered(stage: Stage) -> None:
    raw = await _listening(stage)
    raw.send(FIRST, m.Tflush(PARKED))
    await _until(raw, FIRST)
    # The tag is free, so a reply under it can only be that of its new request.
    await raw.rpc(m.Twalk(0, 5, ()), m.Rwalk, tag=PARKED)


@claim("Several flushes of one request are answered in order", "flush(5)", needs=("announce",))
async def several_times_is_answered_in_order(stage: Stage) -> None:
    raw = await _listening(stage)
    flushes = (FIRST, SECOND, THIRD)
    for tag in flushes:
        raw.send(tag, m.Tflush(PARKED))
    came = [tag for tag, reply in await _until(raw, THIRD) if isinstance(reply, m.Rflush)]
    # An Rflush answers those before it, so the earlier ones may be left out.
    same(came, [tag for tag in flushes if tag in came])


@claim(
    "A flush may be flushed; that is answered, and the session goes on",
    "flush(5)",
    needs=("announce",),
)
async def of_a_flush_is_answered(stage: Stage) -> None:
    raw = await _listening(stage)
    raw.send(FIRST, m.Tflush(PARKED))
    raw.send(SECOND, m.Tflush(FIRST))
    # The flush that was taken back may be answered or not, and so may what it was for.
    await _until(raw, SECOND)
    raw.send(THIRD, m.Tflush(THIRD + 1))
    await _until(raw, THIRD)


@claim(
    "A flushed listen takes no call: the next listen gets it", "flush(5), ip(3)", needs=("call",)
)
async def of_a_listen_takes_no_call(stage: Stage) -> None:
    announced = await stage.announced()
    listening = await announced.begin_listen()
    await announced.session.round_trip()
    won = await announced.session.flush(listening)
    expect(won is None or isinstance(won, m.Rerror | m.Rlerror), "Rflush", str(won))
    caller = await stage.call(await announced.port())
    taken = await announced.taken(await announced.begin_listen())
    await (await taken.open_data()).write(b"hello")
    same(await caller.exactly(5), b"hello")


@claim("A flushed read takes no bytes: the next read gets them all", "flush(5)", needs=("dial",))
async def of_a_read_takes_no_bytes(stage: Stage) -> None:
    conversation, data, peer = await stage.connected()
    reading = data.begin_read()
    await conversation.session.round_trip()
    won = await conversation.session.flush(reading)
    expect(won is None or isinstance(won, m.Rerror | m.Rlerror), "Rflush", str(won))
    await peer.send(b"all of it")
    same(await data.exactly(9), b"all of it")


@claim(
    "Reads flushed while bytes come lose none: each byte is in a reply that came, or in the next",
    "flush(5)",
    needs=("dial",),
)
async def in_a_race_loses_no_bytes(stage: Stage) -> None:
    conversation, data, peer = await stage.connected()
    sent, got = b"", b""
    for round_ in range(50):
        reading = data.begin_read()
        piece = bytes([round_]) * 3
        await peer.send(piece)
        sent += piece
        match await conversation.session.flush(reading):
            case m.Rread(won):
                got += bytes(won)
            case None | m.Rerror() | m.Rlerror():
                pass
            case other:
                raise Failed("Rread or Rflush", shown(conversation.session.core, other))
    got += await data.exactly(len(sent) - len(got))
    same(got, sent)


@claim(
    "A parked connect can be flushed, and its conversation be hung up", "flush(5)", needs=("dial",)
)
async def of_a_parked_connect_is_answered(stage: Stage) -> None:
    silence = await stage.silence()
    conversation = await stage.clone()
    connecting = conversation.begin_command(f"connect {silence}")
    await conversation.session.round_trip()
    expect(not connecting.answered, "a connect that waits", "a reply")
    await conversation.session.flush(connecting)
    await conversation.hang_up()
    await conversation.session.round_trip()


async def _listening(stage: Stage) -> Raw:
    """A session with a listen parked under the tag `PARKED`."""
    raw = await stage.raw_session()
    await raw.open(1, stage.net("tcp", "clone"), ORDWR)
    number = bytes((await raw.rpc(m.Tread(1, 0, 64), m.Rread)).data).decode()
    await raw.write(1, b"announce 0")
    await raw.rpc(m.Twalk(0, LISTEN, stage.net("tcp", number, "listen")), m.Rwalk)
    raw.send(PARKED, opening(stage.dialect, LISTEN, ORDWR))
    return raw


async def _until(raw: Raw, tag: int) -> list[tuple[int, m.Message]]:
    """What comes up to the Rflush under a tag."""
    came = []
    while (got := await raw.receive()) is not None:
        came.append(got)
        if got[0] == tag:
            expect(isinstance(got[1], m.Rflush), "Rflush", raw.shown(got[1]))
            return came
    raise Failed("Rflush", "the end of the session")
