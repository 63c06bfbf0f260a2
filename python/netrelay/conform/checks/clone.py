"""clone: opening it makes a conversation, and the fid is then that conversation's ctl (ip(3))."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netrelay.conform.claims import PLAIN, claim, expect, same
from netrelay.conform.conversations import Conversation
from netrelay.conform.exchange import Refusal
from netrelay.types import ORDWR, OREAD, OWRITE

if TYPE_CHECKING:
    from netrelay.conform.stage import Stage


@claim(
    "Opening clone gives the qid of the new conversation's ctl", "ip(3), devip.c", needs=("tcp",)
)
async def becomes_ctl(stage: Stage) -> None:
    session = await stage.session()
    clone = await session.attributes("tcp", "clone")
    conversation = await Conversation.clone(session)
    ctl = await conversation.open("ctl", mode=ORDWR)
    same(conversation.ctl.qid, ctl.qid)
    expect(ctl.qid.path != clone.qid.path, "another file than clone", str(ctl.qid))


@claim(
    "Reading ctl gives the conversation's number: digits, no newline, no padding",
    "ip(3), devip.c",
    needs=("tcp",),
)
async def ctl_reads_as_the_number(stage: Stage) -> None:
    session = await stage.session()
    ctl = await session.open("tcp", "clone", mode=ORDWR)
    text = await ctl.read()
    expect(text.isdigit(), "digits alone", repr(text))
    same(text, str(int(text)).encode())


@claim(
    "A second read of ctl gives nothing; one at offset 0 gives the number again",
    "devip.c",
    needs=("tcp",),
)
async def ctl_honours_offsets(stage: Stage) -> None:
    session = await stage.session()
    ctl = await session.open("tcp", "clone", mode=ORDWR)
    number = await ctl.read(16, 0)
    same(await ctl.read(16, len(number)), b"")
    same(await ctl.read(16, 0), number)


@claim(
    "A stat of the opened clone describes ctl",
    "devip.c, exportfs(4)",
    needs=("tcp",),
    dialects=PLAIN,
)
async def stat_says_ctl(stage: Stage) -> None:
    conversation = await stage.clone()
    found = await conversation.ctl.attributes()
    same((found.name, found.permissions), ("ctl", 0o660))


@claim("Each open of clone makes another conversation", "ip(3)", needs=("tcp",))
async def each_open_makes_another(stage: Stage) -> None:
    session = await stage.session()
    made = [await Conversation.clone(session) for _ in range(5)]
    same(len({conversation.number for conversation in made}), 5)
    same(len({conversation.ctl.qid.path for conversation in made}), 5)


@claim("The new conversation has its directory", "ip(3)", needs=("tcp",))
async def makes_a_directory(stage: Stage) -> None:
    conversation = await stage.clone()
    names = [entry.name for entry in await conversation.session.entries("tcp")]
    expect(conversation.number in names, conversation.number, names)


@claim("The lowest number that is free is given", "devip.c", needs=("tcp",))
async def takes_the_lowest_free_number(stage: Stage) -> None:
    session = await stage.session()
    made = [await Conversation.clone(session) for _ in range(3)]
    await made[0].hang_up()
    same((await Conversation.clone(session)).number, made[0].number)


@claim("clone opens in any mode, reading or writing alone too", "ip(3), devip.c", needs=("tcp",))
async def opens_in_any_mode(stage: Stage) -> None:
    session = await stage.session()
    reading = await session.open("tcp", "clone", mode=OREAD)
    number = await reading.read()
    expect(number.isdigit(), "a number", number)
    writing = await session.open("tcp", "clone", mode=OWRITE)
    await writing.write(b"ttl 64")


@claim(
    "A fid walked from an open clone is clone again, or can't be walked; it is never that ctl",
    "walk(5)",
    needs=("tcp",),
)
async def walked_again_is_clone(stage: Stage) -> None:
    conversation = await stage.clone()
    session = conversation.session
    try:
        fid = await session.walk(start=conversation.ctl.fid)
    except Refusal:
        return
    again = await Conversation.of(session, "tcp", await session.open_fid(fid, ORDWR))
    expect(again.number != conversation.number, "another conversation", again.number)


@claim(
    "A new conversation is Closed, and both its ends are unset", "ip(3), devip.c", needs=("tcp",)
)
async def starts_unset(stage: Stage) -> None:
    conversation = await stage.clone()
    status = await conversation.text("status")
    expect(status.startswith("Closed"), "Closed …", status)
    same(await conversation.text("local"), "::!0\n")
    same(await conversation.text("remote"), "::!0\n")
