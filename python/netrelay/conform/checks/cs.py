"""cs: a query is written, and each read gives one line of the answer (ndb(8), cs.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netrelay.conform.claims import PLAIN, claim, expect, same
from netrelay.conform.expectations import refused, refused_with
from netrelay.types import ORDWR

if TYPE_CHECKING:
    from netrelay.conform.files import File
    from netrelay.conform.stage import Stage

SOURCE = "ndb(8), cs.c"
NEEDS = ("cs",)
NO_SERVICE = "cs: can't translate service"


async def _asked(stage: Stage, query: str) -> File:
    cs = await (await stage.session()).open("cs", mode=ORDWR)
    await cs.write(query.encode())
    return cs


async def _answers(stage: Stage, query: str) -> list[str]:
    """All lines of the answer, read as dial(2) does: on from where the last read ended."""
    cs = await _asked(stage, query)
    lines, offset = [], 0
    while line := await cs.read(127, offset):
        lines.append(line.decode())
        offset += len(line)
    return lines


@claim(
    "An address and a service are a clone file and what to write to ctl: no newline, then no more",
    SOURCE,
    needs=NEEDS,
)
async def translates_a_service(stage: Stage) -> None:
    same(await _answers(stage, "tcp!127.0.0.1!9fs"), ["/net/tcp/clone 127.0.0.1!564"])


@claim("A service that is a number is taken as it is", SOURCE, needs=NEEDS)
async def takes_numbers(stage: Stage) -> None:
    same(await _answers(stage, "tcp!127.0.0.1!7777"), ["/net/tcp/clone 127.0.0.1!7777"])


@claim("`*` as the host is the form for announce: the port alone", SOURCE, needs=NEEDS)
async def a_star_is_for_announce(stage: Stage) -> None:
    same(await _answers(stage, "tcp!*!9fs"), ["/net/tcp/clone 564"])


@claim("A network that cs does not know is passed through, fields and all", SOURCE, needs=NEEDS)
async def passes_unknown_networks_through(stage: Stage) -> None:
    same(await _answers(stage, "nosuch!a!b"), ["/net/nosuch/clone a!b"])


@claim(
    "`net` stands for whichever network reaches the host: tcp is among them",
    SOURCE,
    needs=("cs", "tcp"),
)
async def net_is_any_network(stage: Stage) -> None:
    lines = await _answers(stage, "net!127.0.0.1!9fs")
    expect(any(line.startswith("/net/tcp/clone ") for line in lines), "tcp among them", lines)


@claim(
    "The clone file's path has one component before the network, which dial(2) replaces",
    "dial(2)",
    needs=NEEDS,
)
async def the_path_has_three_components(stage: Stage) -> None:
    for line in await _answers(stage, "tcp!127.0.0.1!9fs"):
        path = line.partition(" ")[0].split("/")
        expect(len(path) == 4 and path[2:] == ["tcp", "clone"], "/net/tcp/clone", line)


@claim(
    "A service that nobody knows is `cs: can't translate service`, on the write",
    SOURCE,
    needs=NEEDS,
)
async def an_unknown_service_is_refused(stage: Stage) -> None:
    await refused(_asked(stage, "tcp!127.0.0.1!nosuchservice"), NO_SERVICE)


@claim("An address of ip without a service is refused", SOURCE, needs=NEEDS)
async def a_missing_service_is_refused(stage: Stage) -> None:
    await refused_with(_asked(stage, "tcp!127.0.0.1"), "translate")


@claim(
    "A host that nobody knows is refused in words that have `translate`",
    SOURCE,
    needs=NEEDS,
    deadline_s=40.0,
)
async def an_unknown_host_is_refused(stage: Stage) -> None:
    await refused_with(_asked(stage, "tcp!nosuchhost.invalid!9fs"), "translate")


@claim("A query of 128 bytes is `cs: request too long`", SOURCE, needs=NEEDS)
async def a_long_query_is_refused(stage: Stage) -> None:
    query = f"tcp!127.0.0.1!{'9' * 200}"[:128]
    await refused(_asked(stage, query), "cs: request too long")


@claim("An attribute query without `=` is refused", SOURCE, needs=NEEDS)
async def a_bad_query_is_refused(stage: Stage) -> None:
    await refused(_asked(stage, "!bad"))


@claim("A read that begins inside a line gives the rest of that line", SOURCE, needs=NEEDS)
async def reads_honour_offsets(stage: Stage) -> None:
    cs = await _asked(stage, "tcp!127.0.0.1!9fs")
    line = b"/net/tcp/clone 127.0.0.1!564"
    same(await cs.read(5, 0), line[:5])
    same(await cs.read(127, 5), line[5:])
    same(await cs.read(127, 0), line)


@claim("A new query on the same fid replaces the old answer", SOURCE, needs=NEEDS)
async def a_new_query_replaces_the_old(stage: Stage) -> None:
    cs = await _asked(stage, "tcp!127.0.0.1!9fs")
    await cs.write(b"tcp!127.0.0.1!7777", 28)
    same(await cs.read(127, 0), b"/net/tcp/clone 127.0.0.1!7777")


@claim("A query that failed leaves no old answer", SOURCE, needs=NEEDS)
async def a_failed_query_leaves_no_answer(stage: Stage) -> None:
    cs = await _asked(stage, "tcp!127.0.0.1!9fs")
    await refused(cs.write(b"tcp!127.0.0.1!nosuchservice"), NO_SERVICE)
    line = await cs.read(127, 0)
    expect(not line.startswith(b"/net/tcp/clone 127.0.0.1!564"), "no old answer", repr(line))


@claim("Each open of cs has its own answer", SOURCE, needs=NEEDS)
async def opens_do_not_mix(stage: Stage) -> None:
    one = await _asked(stage, "tcp!127.0.0.1!9fs")
    other = await _asked(stage, "tcp!127.0.0.1!7777")
    same(await one.read(127, 0), b"/net/tcp/clone 127.0.0.1!564")
    same(await other.read(127, 0), b"/net/tcp/clone 127.0.0.1!7777")


@claim("Rwrite counts the whole query", SOURCE, needs=NEEDS)
async def the_whole_query_is_taken(stage: Stage) -> None:
    cs = await (await stage.session()).open("cs", mode=ORDWR)
    same(await cs.write(b"tcp!127.0.0.1!9fs"), 17)


@claim("Everyone may ask: cs is 0666", SOURCE, needs=NEEDS, dialects=PLAIN)
async def everyone_may_ask(stage: Stage) -> None:
    session = await stage.session()
    found = await session.attributes("cs")
    same(found.permissions, 0o666)
    same(found.name, "cs")


@claim(
    "What cs answers can be dialled: its words to ctl are taken", "dial(2)", needs=("cs", "dial")
)
async def its_answer_can_be_dialled(stage: Stage) -> None:
    listener = stage.listener()
    (line,) = await _answers(stage, f"tcp!{stage.peer}!{listener.port}")
    conversation = await stage.clone()
    await conversation.command(f"connect {line.partition(' ')[2]}")
    await listener.accept()
