"""The files that tell of the host's own network, in the columns that programs parse (ip(3)).

Only what is read: what a write would do to a gateway is nothing to try out.
"""

from __future__ import annotations

import ipaddress
import itertools
from typing import TYPE_CHECKING

from netrelay.conform.claims import Failed, claim, expect, same
from netrelay.names.dialstring import split_remote

if TYPE_CHECKING:
    from netrelay.conform.files import Session
    from netrelay.conform.stage import Stage

SOURCE = "ip(3)"
# Bell Labs' 4th edition has six columns, 9front adds the source and its mask.
ROUTE_COLUMNS = (6, 8)
COLUMNS = 5
IFC_WORDS = {"device", "maxtu", "pktin", "pktout", "errin", "errout"}


@claim(
    "A route is a line of eight words: target, mask, gateway, flags, tag, interface, source, mask",
    "ip(3), iproute.c",
    needs=("iproute",),
)
async def routes_have_their_columns(stage: Stage) -> None:
    session = await stage.session()
    for line in (await session.text("iproute")).splitlines():
        words = line.split()
        expect(len(words) in ROUTE_COLUMNS, "eight words", repr(line))
        _address(words[0])
        expect(words[1].startswith("/"), "a mask like /120", repr(line))
        expect(words[3][0] in "46", "flags that begin with 4 or 6", repr(line))


@claim(
    "An entry of arp is a line: medium, OK or WAIT, address, medium address, interface",
    "ip(3), arp.c",
    needs=("arp",),
)
async def arp_has_its_columns(stage: Stage) -> None:
    session = await stage.session()
    for line in (await session.text("arp")).splitlines():
        words = line.split()
        expect(len(words) in (4, 5), "five words", repr(line))
        expect(words[1] in ("OK", "WAIT"), "OK or WAIT", repr(line))
        _address(words[2])


@claim(
    "A local address is a line of three words: address, count, flags", "ip(3)", needs=("ipselftab",)
)
async def local_addresses_have_their_columns(stage: Stage) -> None:
    session = await stage.session()
    lines = (await session.text("ipselftab")).splitlines()
    for line in lines:
        words = line.split()
        expect(len(words) == 3 and words[1].isdigit(), "address, count, flags", repr(line))
        _address(words[0])


@claim(
    "An interface's status can be parsed by readipifc: cs and dns elsewhere depend on it",
    "ip(2)",
    needs=("ipifc",),
)
async def interfaces_can_be_parsed(stage: Stage) -> None:
    session = await stage.session()
    numbers = [entry.name for entry in await session.entries("ipifc") if entry.name.isdigit()]
    expect(bool(numbers), "an interface", "none")
    for number in numbers:
        first = (await session.text("ipifc", number, "status")).partition("\n")[0]
        words = first.split()
        expect(len(words) % 2 == 0, "words and their values", repr(first))
        expect(set(words[::2]) >= IFC_WORDS, "device maxtu … pktin …", repr(first))
        for columns in await _addresses(session, number):
            _address(columns[0])
            expect(columns[1].startswith("/"), "a mask like /120", columns)
            _address(columns[2])
            expect(columns[3].isdigit() and columns[4].isdigit(), "two lifetimes", columns)


@claim("Some interface has an address that is local", "ip(3)", needs=("ipifc", "ipselftab"))
async def an_interface_has_a_local_address(stage: Stage) -> None:
    session = await stage.session()
    local = {line.split()[0] for line in (await session.text("ipselftab")).splitlines()}
    found = {
        columns[0]
        for entry in await session.entries("ipifc")
        if entry.name.isdigit()
        for columns in await _addresses(session, entry.name)
    }
    expect(bool(found & local), "an address that ipselftab has too", f"{found} and {local}")


@claim("ndb honours offsets", "ip(3)", needs=("ndb",))
async def ndb_honours_offsets(stage: Stage) -> None:
    session = await stage.session()
    ndb = await session.open("ndb")
    whole = (await ndb.text()).encode()
    same(await ndb.read(len(whole) or 1, 3), whole[3:])
    same((await ndb.attributes()).length, len(whole))


@claim(
    "The local address of a call is one of the gateway's, as local shows",
    "ip(3)",
    needs=("dial", "ipselftab"),
)
async def calls_come_from_a_local_address(stage: Stage) -> None:
    conversation, _, _ = await stage.connected()
    session = conversation.session
    local = {line.split()[0] for line in (await session.text("ipselftab")).splitlines()}
    host = split_remote(await conversation.text("local"))[0]
    expect(host in local, f"{host} in ipselftab", sorted(local))


async def _addresses(session: Session, number: str) -> list[list[str]]:
    """The addresses of an interface as readipifc takes them: up to a line that is shorter."""
    lines = (await session.text("ipifc", number, "status")).splitlines()[1:]
    columns = (line.split() for line in lines)
    return list(itertools.takewhile(lambda words: len(words) >= COLUMNS, columns))


def _address(word: str) -> None:
    try:
        ipaddress.ip_address(word)
    except ValueError:
        raise Failed("an address", repr(word)) from None
