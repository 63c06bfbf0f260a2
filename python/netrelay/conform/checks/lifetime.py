"""How long a conversation lives: while its ctl, data or err is open on any session (ip(3))."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from netrelay.conform.claims import PLAIN, claim, expect, same
from netrelay.conform.conversations import Conversation
from netrelay.conform.exchange import Refusal
from netrelay.types import ORDWR

if TYPE_CHECKING:
    from netrelay.conform.stage import Stage

SOURCE = "devip.c"


@claim(
    "With its last ctl the conversation ends: Closed again, and its port free",
    SOURCE,
    needs=("announce",),
)
async def the_last_clunk_ends_it(stage: Stage) -> None:
    session = await stage.session()
    conversation = await Conversation.clone(session)
    await conversation.command("announce 0")
    port = await conversation.port()
    await conversation.hang_up()
    status = await session.text("tcp", conversation.number, "status")
    expect(status.startswith("Closed"), "Closed …", status)
    await (await Conversation.clone(session)).command(f"announce {port}")


@claim("An ended conversation belongs to `network`", SOURCE, needs=("tcp",), dialects=PLAIN)
async def an_ended_one_is_nobodys(stage: Stage) -> None:
    conversation = await stage.clone()
    session = conversation.session
    await conversation.hang_up()
    same((await session.attributes("tcp", conversation.number, "ctl")).uid, "network")


@claim("data alone keeps a conversation, as dial(2) relies on", "dial(2), devip.c", needs=("dial",))
async def data_alone_keeps_it(stage: Stage) -> None:
    conversation, data, peer = await stage.connected()
    await conversation.ctl.clunk()
    await conversation.session.round_trip()
    await data.write(b"still here")
    same(await peer.exactly(10), b"still here")
    await peer.send(b"so am I")
    same(await data.exactly(7), b"so am I")


@claim("ctl alone keeps a conversation", SOURCE, needs=("dial",))
async def ctl_alone_keeps_it(stage: Stage) -> None:
    conversation, data, peer = await stage.connected()
    await data.clunk()
    again = await conversation.open("data", mode=ORDWR)
    await again.write(b"still here")
    same(await peer.exactly(10), b"still here")


@claim("local, remote and status do not keep a conversation", SOURCE, needs=("dial",))
async def texts_do_not_keep_it(stage: Stage) -> None:
    conversation, _, peer = await stage.connected()
    session = conversation.session
    status = await session.open("tcp", conversation.number, "status")
    await session.open("tcp", conversation.number, "local")
    await session.open("tcp", conversation.number, "remote")
    await conversation.hang_up()
    same(await peer.end(), b"")
    expect(not (await status.text()).startswith("Established"), "no Established …", "Established")


@claim("A fid that was only walked keeps nothing and ends nothing", SOURCE, needs=("dial",))
async def walked_fids_do_not_count(stage: Stage) -> None:
    conversation, data, peer = await stage.connected()
    session = conversation.session
    idle = await session.walk("tcp", conversation.number, "data")
    await session.clunk(idle)
    await data.write(b"still here")
    same(await peer.exactly(10), b"still here")
    await session.walk("tcp", conversation.number, "data")
    await conversation.hang_up()
    same(await peer.end(), b"")


@claim(
    "ctl is opened again by number, of a conversation that lives: both are the same",
    SOURCE,
    needs=("announce",),
)
async def ctl_opens_by_number(stage: Stage) -> None:
    conversation = await stage.announced()
    again = await Conversation.of(
        conversation.session, "tcp", await conversation.open("ctl", mode=ORDWR)
    )
    same(again.number, conversation.number)
    await conversation.ctl.clunk()
    status = await again.text("status")
    expect(status.startswith("Listen"), "Listen …", status)


@claim("An ended conversation is taken by whoever opens its ctl by number", SOURCE, needs=("tcp",))
async def an_ended_one_may_be_opened(stage: Stage) -> None:
    first = await stage.clone()
    session = first.session
    await first.hang_up()
    ctl = await session.open("tcp", first.number, "ctl", mode=ORDWR)
    again = await Conversation.of(session, "tcp", ctl)
    same(again.number, first.number)
    # In use: clone gives another.
    expect((await Conversation.clone(session)).number != first.number, "another number", "it")


@claim("A session that is cut off leaves no call behind", "exportfs(4)", needs=("dial",))
async def a_cut_session_ends_its_calls(stage: Stage) -> None:
    conversation, _, peer = await stage.connected()
    conversation.session.stream.close()
    end = await peer.end()
    expect(not isinstance(end, bytes) or not end, "the end of the call", end)


@claim("A session that is cut off leaves no port announced", "exportfs(4)", needs=("announce",))
async def a_cut_session_frees_its_ports(stage: Stage) -> None:
    conversation = await stage.announced()
    port = await conversation.port()
    conversation.session.stream.close()
    other = await stage.session()
    # The server learns of the end in its own time; the deadline of the check is its limit.
    while True:
        try:
            await (await Conversation.clone(other)).command(f"announce {port}")
        except Refusal:
            await asyncio.sleep(0.05)
        else:
            return


@claim(
    "Conversations of other sessions live on when one is cut off", "exportfs(4)", needs=("dial",)
)
async def a_cut_session_ends_no_others(stage: Stage) -> None:
    (gone, _, lost), (_, data, peer) = await stage.connected(), await stage.connected()
    gone.session.stream.close()
    await lost.end()
    await data.write(b"still here")
    same(await peer.exactly(10), b"still here")


@claim(
    "A thousand conversations one after the other end where they began",
    SOURCE,
    needs=("tcp",),
    deadline_s=60.0,
)
async def numbers_are_used_again(stage: Stage) -> None:
    session = await stage.session()
    first = await Conversation.clone(session)
    number = first.number
    await first.hang_up()
    for _ in range(1000):
        conversation = await Conversation.clone(session)
        same(conversation.number, number)
        await conversation.hang_up()
