"""Requests that wait hold up nothing: neither others of their session, nor its walks and clunks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netrelay import messages as m
from netrelay.conform.claims import claim, expect, same
from netrelay.conform.conversations import Conversation

if TYPE_CHECKING:
    from netrelay.conform.stage import Stage

# The 4th edition's exportfs had room for 50.
MANY = 64


@claim(
    "While a listen waits, walks, opens, reads and clunks are answered",
    "intro(5)",
    needs=("announce",),
)
async def a_parked_listen_holds_up_nothing(stage: Stage) -> None:
    announced = await stage.announced()
    session = announced.session
    listening = await announced.begin_listen()
    other = await Conversation.clone(session)
    await session.text("tcp", other.number, "status")
    await session.entries("tcp")
    await other.hang_up()
    expect(not listening.answered, "a listen that waits", "a reply")


@claim(
    "While a read waits, another conversation of the session carries bytes",
    "intro(5)",
    needs=("dial",),
)
async def a_parked_read_holds_up_nothing(stage: Stage) -> None:
    listener = stage.listener()
    session = await stage.session()
    made = []
    for _ in range(2):
        conversation = await Conversation.clone(session)
        await conversation.command(f"connect {stage.peer}!{listener.port}")
        made.append((await conversation.open_data(), await listener.accept()))
    (idle, _), (data, peer) = made
    reading = idle.begin_read()
    await peer.send(b"hello")
    same(await data.exactly(5), b"hello")
    await data.write(b"there")
    same(await peer.exactly(5), b"there")
    expect(not reading.answered, "a read that waits", "a reply")


@claim("While a connect waits, others are answered", "intro(5)", needs=("dial",))
async def a_parked_connect_holds_up_nothing(stage: Stage) -> None:
    silence = await stage.silence()
    conversation = await stage.clone()
    connecting = conversation.begin_command(f"connect {silence}")
    await conversation.text("status")
    await Conversation.clone(conversation.session)
    expect(not connecting.answered, "a connect that waits", "a reply")


@claim(
    f"{MANY} requests may wait at once, and one more is answered",
    "exportfs(4)",
    needs=("announce",),
    deadline_s=20.0,
)
async def many_may_wait_at_once(stage: Stage) -> None:
    announced = await stage.announced()
    session = announced.session
    waiting = [await announced.begin_listen() for _ in range(MANY)]
    await session.round_trip()
    expect(not any(one.answered for one in waiting), f"{MANY} that wait", "a reply")
    await announced.command("hangup")
    for one in waiting:
        reply = await one.reply()
        expect(isinstance(reply, m.Rerror | m.Rlerror), "Rerror", repr(reply))


@claim(
    "A clunk of a fid whose read waits is answered, and the session goes on",
    "clunk(5)",
    needs=("dial",),
)
async def a_clunk_under_a_parked_read(stage: Stage) -> None:
    conversation, data, _ = await stage.connected()
    session = conversation.session
    reading = data.begin_read()
    await session.round_trip()
    await data.clunk()
    await session.round_trip()
    await session.flush(reading)
    await session.round_trip()


@claim(
    "A clunk of a fid whose listen waits is answered or refused, and the session goes on",
    "clunk(5)",
    needs=("announce",),
)
async def a_clunk_under_a_parked_listen(stage: Stage) -> None:
    announced = await stage.announced()
    session = announced.session
    listening = await announced.begin_listen()
    await session.round_trip()
    request = listening.message
    fid = request.fid if isinstance(request, m.Topen | m.Tlopen) else 0
    await session.begin(m.Tclunk(fid)).reply()
    await session.flush(listening)
    await session.round_trip()


@claim(
    "Requests that wait go with their session and leave the server well",
    "exportfs(4)",
    needs=("dial", "announce"),
)
async def parked_requests_go_with_their_session(stage: Stage) -> None:
    announced = await stage.announced()
    await announced.begin_listen()
    conversation, data, peer = await stage.connected()
    data.begin_read()
    await conversation.session.round_trip()
    announced.session.stream.close()
    conversation.session.stream.close()
    end = await peer.end()
    expect(not isinstance(end, bytes) or not end, "the end of the call", end)
    await stage.clone()
