"""announce: taking a port of the gateway, and being told when somebody has it (ip(3), dial(2))."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netrelay.conform.claims import claim, expect, same
from netrelay.conform.conversations import Conversation
from netrelay.conform.expectations import refused
from netrelay.names.dialstring import split_remote

if TYPE_CHECKING:
    from netrelay.conform.stage import Stage

SOURCE = "ip(3), devip.c"
# TEST-NET-1 (RFC 5737): nobody's address.
NOBODYS = "192.0.2.1"


@claim(
    "announce 0 is granted at once and chooses a port, which local shows",
    SOURCE,
    needs=("announce",),
)
async def of_port_0_chooses_one(stage: Stage) -> None:
    conversation = await stage.announced()
    local = await conversation.text("local")
    host, port = split_remote(local)
    same(host, "::")
    expect(port > 0, "a port", local)
    same(local, f"::!{port}\n")


@claim(
    "An announced conversation's status begins with Listen, and it has no remote",
    SOURCE,
    needs=("announce",),
)
async def gives_the_status_listen(stage: Stage) -> None:
    conversation = await stage.announced()
    status = await conversation.text("status")
    expect(status.startswith("Listen "), "Listen …", status)
    same(await conversation.text("remote"), "::!0\n")


@claim("A port that somebody has announced is `address in use`", SOURCE, needs=("announce",))
async def of_a_taken_port_is_refused(stage: Stage) -> None:
    first = await stage.announced()
    port = await first.port()
    await refused((await stage.clone()).command(f"announce {port}"), "address in use")


@claim(
    "A port announced at every address may be announced at one besides: calls there go to that one",
    SOURCE,
    needs=("call",),
)
async def at_one_address_goes_before_all(stage: Stage) -> None:
    everywhere = await stage.announced()
    port = await everywhere.port()
    there = await stage.clone()
    await there.command(f"announce {stage.subject.gateway}!{port}")
    listening = await there.begin_listen()
    await stage.call(port)
    await there.taken(listening)


@claim("A second announce on a conversation is `connection in use`", SOURCE, needs=("announce",))
async def twice_is_refused(stage: Stage) -> None:
    conversation = await stage.announced()
    await refused(conversation.command("announce 0"), "connection in use")


@claim(
    "An address of the gateway may be announced alone, and local shows it",
    SOURCE,
    needs=("announce",),
)
async def at_an_address_shows_it(stage: Stage) -> None:
    conversation = await stage.clone()
    await conversation.command(f"announce {stage.subject.gateway}!0")
    same(split_remote(await conversation.text("local"))[0], stage.subject.gateway)


@claim("`*` as the address means every address", SOURCE, needs=("announce",))
async def at_a_star_is_everywhere(stage: Stage) -> None:
    conversation = await stage.clone()
    await conversation.command("announce *!0")
    same(split_remote(await conversation.text("local"))[0], "::")


@claim(
    "An address that is not the gateway's is `not a local IP address`", SOURCE, needs=("announce",)
)
async def elsewhere_is_refused(stage: Stage) -> None:
    conversation = await stage.clone()
    await refused(conversation.command(f"announce {NOBODYS}!0"), "not a local IP address")


@claim(
    "A port may be announced again as soon as its conversation has ended",
    SOURCE,
    needs=("announce",),
)
async def of_a_port_that_was_given_back(stage: Stage) -> None:
    session = await stage.session()
    first = await Conversation.clone(session)
    await first.command("announce 0")
    port = await first.port()
    await first.hang_up()
    second = await Conversation.clone(session)
    await second.command(f"announce {port}")
    same(await second.port(), port)


@claim("A port may be announced again though a call to it is still up", SOURCE, needs=("call",))
async def of_a_port_with_a_call_up(stage: Stage) -> None:
    first = await stage.announced()
    port = await first.port()
    listening = await first.begin_listen()
    await stage.call(port)
    await first.taken(listening)
    await first.hang_up()
    await (await stage.clone()).command(f"announce {port}")
