"""listen: an open that waits for a call and becomes the call's ctl (ip(3), listen in dial(2))."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from netrelay.conform.claims import PLAIN, claim, expect, same
from netrelay.conform.expectations import refused
from netrelay.types import ORDWR, OREAD

if TYPE_CHECKING:
    from netrelay.conform.stage import Stage

SOURCE = "ip(3), devip.c"


@claim("An open of listen waits until a call comes", SOURCE, needs=("call",))
async def waits_for_a_call(stage: Stage) -> None:
    announced = await stage.announced()
    listening = await announced.begin_listen()
    await announced.session.round_trip()
    expect(not listening.answered, "an open that waits", "Ropen")
    await stage.call(await announced.port())
    await announced.taken(listening)


@claim(
    "The open gives the ctl of a new conversation: its qid, its number, its remote",
    SOURCE,
    needs=("call",),
)
async def becomes_the_calls_ctl(stage: Stage) -> None:
    announced = await stage.announced()
    listening = await announced.begin_listen()
    caller = await stage.call(await announced.port())
    taken = await announced.taken(listening)
    expect(taken.number != announced.number, "a number of its own", taken.number)
    same(taken.ctl.qid, (await taken.open("ctl", mode=ORDWR)).qid)
    same(await taken.text("remote"), f"{caller.ours[0]}!{caller.ours[1]}\n")
    status = await taken.text("status")
    expect(status.startswith("Established"), "Established …", status)


@claim("local of a call is where it came to", SOURCE, needs=("call",))
async def local_is_where_the_call_came_to(stage: Stage) -> None:
    announced = await stage.announced()
    port = await announced.port()
    listening = await announced.begin_listen()
    await stage.call(port)
    taken = await announced.taken(listening)
    same(await taken.text("local"), f"{stage.subject.gateway}!{port}\n")


@claim("listen may be opened for reading alone: the mode grants no less", SOURCE, needs=("call",))
async def opens_for_reading(stage: Stage) -> None:
    announced = await stage.announced()
    fid = await announced.session.walk("tcp", announced.number, "listen")
    listening = announced.session.begin_open(fid, OREAD)
    await stage.call(await announced.port())
    await announced.taken(listening)


@claim(
    "A call belongs to the owner of the announcement",
    SOURCE,
    needs=("call",),
    dialects=PLAIN,
)
async def calls_belong_to_the_announcer(stage: Stage) -> None:
    announced = await stage.announced()
    listening = await announced.begin_listen()
    await stage.call(await announced.port())
    taken = await announced.taken(listening)
    same((await taken.ctl.attributes()).uid, (await announced.ctl.attributes()).uid)


@claim(
    "A stat of the opened listen describes the new ctl",
    "devip.c, exportfs(4)",
    needs=("call",),
    dialects=PLAIN,
)
async def stat_says_ctl(stage: Stage) -> None:
    announced = await stage.announced()
    listening = await announced.begin_listen()
    await stage.call(await announced.port())
    taken = await announced.taken(listening)
    same((await taken.ctl.attributes()).name, "ctl")


@claim("A call can be talked over in both directions", SOURCE, needs=("call",))
async def calls_carry_bytes(stage: Stage) -> None:
    announced = await stage.announced()
    listening = await announced.begin_listen()
    caller = await stage.call(await announced.port())
    taken = await announced.taken(listening)
    data = await taken.open_data()
    await caller.send(b"ping")
    same(await data.exactly(4), b"ping")
    await data.write(b"pong")
    same(await caller.exactly(4), b"pong")


@claim("A call that comes while nobody listens waits for the next listen", SOURCE, needs=("call",))
async def calls_are_queued(stage: Stage) -> None:
    announced = await stage.announced()
    callers = [await stage.call(await announced.port()) for _ in range(3)]
    remotes = []
    for _ in callers:
        taken = await announced.taken(await announced.begin_listen())
        remotes.append(await taken.text("remote"))
    same(sorted(remotes), sorted(f"{one.ours[0]}!{one.ours[1]}\n" for one in callers))


@claim("What a caller sends before the call is taken is not lost", SOURCE, needs=("call",))
async def early_bytes_are_kept(stage: Stage) -> None:
    announced = await stage.announced()
    caller = await stage.call(await announced.port())
    await caller.send(b"early")
    taken = await announced.taken(await announced.begin_listen())
    same(await (await taken.open_data()).exactly(5), b"early")


@claim("Two that listen get a call each", SOURCE, needs=("call",))
async def two_listeners_get_a_call_each(stage: Stage) -> None:
    announced = await stage.announced()
    port = await announced.port()
    first, second = await announced.begin_listen(), await announced.begin_listen()
    await stage.call(port)
    await stage.call(port)
    one, other = await announced.taken(first), await announced.taken(second)
    expect(one.number != other.number, "two conversations", one.number)


@claim("listen of what is not announced is `not announced`", SOURCE, needs=("tcp",))
async def without_an_announcement_is_refused(stage: Stage) -> None:
    conversation = await stage.clone()
    await refused(conversation.open("listen", mode=ORDWR), "not announced")


@claim("listen of a call that is up is `not announced`", SOURCE, needs=("dial",))
async def of_a_call_is_refused(stage: Stage) -> None:
    conversation, _, _ = await stage.connected()
    await refused(conversation.open("listen", mode=ORDWR), "not announced")


@claim(
    "A hangup of the announcement ends a listen that waits: `listen hungup`",
    SOURCE,
    needs=("announce",),
)
async def a_hangup_ends_it(stage: Stage) -> None:
    announced = await stage.announced()
    listening = await announced.begin_listen()
    await announced.session.round_trip()
    await announced.command("hangup")
    await refused(announced.session.finish_open(listening), "listen hungup")


@claim(
    "A listen that waits keeps the announcement: its ctl may be clunked, and calls still come",
    SOURCE,
    needs=("call",),
)
async def a_parked_listen_keeps_it(stage: Stage) -> None:
    announced = await stage.announced()
    port = await announced.port()
    listening = await announced.begin_listen()
    await announced.session.round_trip()
    await announced.ctl.clunk()
    await stage.call(port)
    await announced.taken(listening)


@claim("Calls that nobody took end with the announcement", SOURCE, needs=("call",))
async def untaken_calls_are_ended(stage: Stage) -> None:
    announced = await stage.announced()
    callers = [await stage.call(await announced.port()) for _ in range(3)]
    await announced.hang_up()
    for caller in callers:
        end = await caller.end()
        expect(not isinstance(end, bytes) or not end, "the end of the call", end)


@claim("A call outlives the announcement that it came by", SOURCE, needs=("call",))
async def taken_calls_live_on(stage: Stage) -> None:
    announced = await stage.announced()
    listening = await announced.begin_listen()
    caller = await stage.call(await announced.port())
    taken = await announced.taken(listening)
    data = await taken.open_data()
    await announced.ctl.clunk()
    await caller.send(b"still here")
    same(await data.exactly(10), b"still here")


@claim(
    "`accept N` on the call's ctl is refused and harms nothing, as accept(2) expects",
    "dial(2)",
    needs=("call",),
)
async def accept_is_forgiven(stage: Stage) -> None:
    announced = await stage.announced()
    listening = await announced.begin_listen()
    caller = await stage.call(await announced.port())
    taken = await announced.taken(listening)
    await refused(taken.command(f"accept {taken.number}"), "unknown control request")
    await (await taken.open_data()).write(b"hello")
    same(await caller.exactly(5), b"hello")


@claim("A caller that gives up before the call is taken disturbs no other", SOURCE, needs=("call",))
async def callers_may_give_up(stage: Stage) -> None:
    announced = await stage.announced()
    port = await announced.port()
    (await stage.call(port)).reset()
    caller = await stage.call(port)
    async with asyncio.timeout(5):
        while True:
            taken = await announced.taken(await announced.begin_listen())
            # A server may give the dead call first: that is no lie, it did come.
            if await taken.text("remote") == f"{caller.ours[0]}!{caller.ours[1]}\n":
                return
