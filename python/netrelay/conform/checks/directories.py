"""Directories as they are read: whole entries, in order, on from where the last read ended."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from netrelay import messages as m
from netrelay.conform.claims import PLAIN, NotOffered, claim, expect, same
from netrelay.conform.dialects import attributes
from netrelay.conform.exchange import Refusal
from netrelay.conform.expectations import refused
from netrelay.conform.files import COUNT, ROOT
from netrelay.types import ORDWR, QTDIR

if TYPE_CHECKING:
    from netrelay.conform.dialects import Entry
    from netrelay.conform.stage import Stage

# A stat record of a file with short names takes some 70 bytes.
ABOUT_TWO = 160
CONVERSATION = ["ctl", "data", "err", "listen", "local", "remote", "status"]


@claim("Every entry can be walked to, and is what the walk says it is", "read(5), intro(5)")
async def every_entry_is_there(stage: Stage) -> None:
    session = await stage.session()
    for start in {ROOT, session.net}:
        for entry in await session.entries(start=start):
            found = await session.attributes(entry.name, start=start)
            same(found.qid.path, entry.qid.path)
            same(bool(entry.qid.type & QTDIR), found.directory)


@claim("A directory read in small pieces gives the same entries as read at once", "read(5)")
async def pieces_make_the_whole(stage: Stage) -> None:
    session = await stage.session()
    for start in {ROOT, session.net}:
        whole = await (await session.open(start=start)).entries()
        pieces = await (await session.open(start=start)).entries(ABOUT_TWO)
        same(_names(pieces), _names(whole))


@claim("A read holds whole entries only", "read(5), stat(5)", dialects=PLAIN)
async def entries_are_never_split(stage: Stage) -> None:
    session = await stage.session()
    directory = await session.open(start=session.net)
    offset = 0
    while data := await directory.read(ABOUT_TWO, offset):
        # Records that end inside a field are refused by the core.
        session.core.unpack_stats(data, session.dialect)
        offset += len(data)


@claim("A read at 0 begins again", "read(5)")
async def offset_zero_begins_again(stage: Stage) -> None:
    session = await stage.session()
    directory = await session.open(start=session.net)
    first = await directory.entries()
    same(_names(await directory.entries()), _names(first))


@claim("A read at an offset where no read ended is refused", "read(5)", dialects=PLAIN)
async def any_other_offset_is_refused(stage: Stage) -> None:
    session = await stage.session()
    directory = await session.open(start=session.net)
    await directory.read(ABOUT_TWO)
    await refused(directory.read(COUNT, 1))


@claim("A read behind the last entry gives no bytes, again and again", "read(5)", dialects=PLAIN)
async def the_end_is_empty(stage: Stage) -> None:
    session = await stage.session()
    directory = await session.open(start=session.net)
    offset = 0
    while data := await directory.read(COUNT, offset):
        offset += len(data)
    for _ in range(3):
        same(await directory.read(COUNT, offset), b"")


@claim(
    "A count that no entry fits gives no bytes or an error, and no part of one", "read(5), dev.c"
)
async def a_count_too_small_gives_nothing(stage: Stage) -> None:
    session = await stage.session()
    entries = await session.entries(start=session.net)
    if not entries:
        raise NotOffered("an empty directory has no entry that could be too long")
    directory = await session.open(start=session.net)
    try:
        if stage.dialect in PLAIN:
            got = await directory.read(10)
        else:
            got = bytes((await session.rpc(m.Treaddir(directory.fid, 0, 10), m.Rreaddir)).data)
    except Refusal:
        return
    same(got, b"")


@claim(
    "A directory's length is 0, and its mode and its qid agree on what it is",
    "stat(5)",
    dialects=PLAIN,
)
async def have_no_length(stage: Stage) -> None:
    session = await stage.session()
    for start in {ROOT, session.net}:
        found = await attributes(session, start)
        same(found.length, 0)
        same(found.directory, True)
        same(bool(found.qid.type & QTDIR), True)


@claim("A directory has no entries `.` and `..`", "intro(5)", dialects=PLAIN)
async def have_no_dots(stage: Stage) -> None:
    session = await stage.session()
    names = _names(await session.entries(start=session.net))
    expect("." not in names and ".." not in names, "neither . nor ..", names)


@claim("No name is there twice, and no two files have the same qid", "intro(5)")
async def names_and_qids_are_unique(stage: Stage) -> None:
    session = await stage.session()
    if "tcp" not in stage.subject.missing:
        await stage.clone()
    if "ether0" not in stage.subject.missing:
        # A slot that may not be had leaves one directory less to look into.
        with contextlib.suppress(Refusal):
            await session.open("ether0", "clone", mode=ORDWR)
    paths: list[int] = []
    level: list[tuple[str, ...]] = [()]
    while level:
        below = []
        for directory in level:
            entries = await session.entries(*directory)
            same(sorted(_names(entries)), sorted(set(_names(entries))))
            paths += [
                entry.qid.path for entry in entries if not _of_interface(directory, entry.name)
            ]
            # Two levels hold every kind of file; deeper ones repeat them by number.
            if len(directory) < 2 and len(paths) < COUNT:
                below += [(*directory, entry.name) for entry in entries if _is_directory(entry)]
        level = below
    same(len(set(paths)), len(paths))


def _of_interface(directory: tuple[str, ...], name: str) -> bool:
    """Whether it is the interface's counters again: each slot lists that one file (ether(3))."""
    slot = len(directory) == 2 and directory[0].startswith("ether")
    return slot and name in {"stats", "ifstats"}


@claim(
    "A protocol directory holds conversations by number, then clone and stats",
    "ip(3)",
    needs=("tcp",),
)
async def a_protocol_lists_conversations_first(stage: Stage) -> None:
    conversation = await stage.clone()
    names = _names(await conversation.session.entries("tcp"))
    numbers = names[: len(names) - 2]
    same(names[-2:], ["clone", "stats"])
    same(numbers, [str(number) for number in range(len(numbers))])
    expect(conversation.number in numbers, f"{conversation.number} among them", numbers)


@claim("A conversation's directory holds its seven files, in order", "ip(3)", needs=("tcp",))
async def a_conversation_has_seven_files(stage: Stage) -> None:
    conversation = await stage.clone()
    same(_names(await conversation.session.entries("tcp", conversation.number)), CONVERSATION)


@claim(
    "A conversation's directory stays when the conversation has ended", "devip.c", needs=("tcp",)
)
async def of_conversations_stay(stage: Stage) -> None:
    conversation = await stage.clone()
    await conversation.hang_up()
    names = _names(await conversation.session.entries("tcp"))
    expect(conversation.number in names, f"{conversation.number} in /net/tcp", names)


@claim(
    "Records in a directory say what a stat of the file says",
    "read(5)",
    dialects=PLAIN,
    needs=("tcp",),
)
async def records_are_those_of_stat(stage: Stage) -> None:
    conversation = await stage.clone()
    session = conversation.session
    for entry in await session.entries("tcp", conversation.number):
        found = await session.attributes("tcp", conversation.number, entry.name)
        same(entry.attributes, found)


def _names(entries: list[Entry]) -> list[str]:
    return [entry.name for entry in entries]


def _is_directory(entry: Entry) -> bool:
    return bool(entry.qid.type & QTDIR)
