"""dns: a name and a type are written, and each read gives one record (ndb(8), dns.c).

Which names exist is the server's world and not ours: only a name's answer's form is claimed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netrelay.conform.claims import PLAIN, NotOffered, claim, expect, same
from netrelay.conform.exchange import Refusal
from netrelay.conform.expectations import refused
from netrelay.types import ORDWR

if TYPE_CHECKING:
    from netrelay.conform.files import File
    from netrelay.conform.stage import Stage

SOURCE = "ndb(8), dns.c"
NEEDS = ("dns",)
RECORD = re.compile(r"example\.com ip\t[0-9a-f.:]+")


async def _open(stage: Stage) -> File:
    return await (await stage.session()).open("dns", mode=ORDWR)


@claim("A query without a type is `dns: illegal request`, and says which", SOURCE, needs=NEEDS)
async def without_a_type_is_refused(stage: Stage) -> None:
    await refused((await _open(stage)).write(b"x"), "dns: illegal request x")


@claim("A type that nobody knows is `dns: unknown type`, and says which", SOURCE, needs=NEEDS)
async def an_unknown_type_is_refused(stage: Stage) -> None:
    await refused((await _open(stage)).write(b"x foo"), "dns: unknown type foo")


@claim(
    "A query is written at offset 0, or it is `dns: writing at non-zero offset`",
    SOURCE,
    needs=NEEDS,
)
async def elsewhere_is_refused(stage: Stage) -> None:
    request = (await _open(stage)).write(b"example.com ip", 1)
    await refused(request, "dns: writing at non-zero offset")


@claim("A query of 1024 bytes is `dns: request too long`", SOURCE, needs=NEEDS)
async def a_long_query_is_refused(stage: Stage) -> None:
    query = b"x" * 1021 + b" ip"
    await refused((await _open(stage)).write(query), "dns: request too long")


@claim(
    "A record is `name type`, a tab and the data, one a read, without a newline",
    SOURCE,
    needs=NEEDS,
    deadline_s=40.0,
)
async def a_record_has_its_form(stage: Stage) -> None:
    dns = await _open(stage)
    try:
        await dns.write(b"example.com ip")
    except Refusal as refusal:
        raise NotOffered(f"no answer for example.com ({refusal.seen})") from None
    line = (await dns.read()).decode()
    expect(RECORD.fullmatch(line) is not None, "example.com ip<tab>address", repr(line))


@claim(
    "A name that does not exist is an error that begins with `dns: `",
    SOURCE,
    needs=NEEDS,
    dialects=PLAIN,
    deadline_s=40.0,
)
async def no_such_name_is_told(stage: Stage) -> None:
    refusal = await refused((await _open(stage)).write(b"nosuchhost.invalid ip"))
    expect(refusal.text.startswith("dns: "), "dns: …", refusal.seen)


@claim("Everyone may ask: dns is 0666", SOURCE, needs=NEEDS, dialects=PLAIN)
async def everyone_may_ask(stage: Stage) -> None:
    session = await stage.session()
    same((await session.attributes("dns")).permissions, 0o666)
