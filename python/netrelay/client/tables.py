"""What a gateway's files say of its network, all at once: conversations, interfaces, routes.

Files are read side by side, so that a table costs a few round trips however long it is. What goes
away while it is read is left out.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from netrelay.errors import NetError
from netrelay.texts import interfaces as interface_texts
from netrelay.texts import neighbours as neighbour_texts
from netrelay.texts import routes as route_texts
from netrelay.types import QTDIR

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Sequence

    from netrelay.client.session import Session
    from netrelay.texts.interfaces import Interface
    from netrelay.texts.neighbours import Neighbour
    from netrelay.texts.routes import Route
    from netrelay.types import Stat

# Files open at the same time: a gateway of ours takes thousands, others fewer.
_AT_ONCE: Final = 32
# Who owns the number of a conversation that nobody uses, and what its status begins with.
_NOBODY: Final = "network"
_CLOSED: Final = "Closed"
# Whose directories hold no conversations.
_ETHER: Final = "ether"
_IPIFC: Final = "ipifc"

_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation; addresses are `addr!port`, or what its protocol has for a port.

    `state` is the status' first word, `queued_in` and `queued_out` bytes where it tells them.
    """

    net: str
    number: int
    owner: str
    state: str
    local: str
    remote: str
    queued_in: int = 0
    queued_out: int = 0


async def protocols(session: Session, netdir: tuple[str, ...]) -> list[str]:
    """The directories of a net directory that hold conversations, in its order."""
    return [
        entry.name
        for entry in await session.ls_at(netdir)
        if entry.qid.type & QTDIR and entry.name != _IPIFC and not entry.name.startswith(_ETHER)
    ]


async def conversations(
    session: Session, netdir: tuple[str, ...], nets: Sequence[str], *, free: bool = False
) -> list[Conversation]:
    """Those in use, or all numbers there are, by protocol and number."""
    named = list(nets) or await protocols(session, netdir)
    listings = await _all_of(session.ls_at((*netdir, net)) for net in named)
    wanted = [
        (net, entry)
        for net, entries in zip(named, listings, strict=True)
        for entry in sorted(filter(_is_number, entries), key=lambda entry: int(entry.name))
        if free or entry.uid != _NOBODY
    ]
    gate = asyncio.Semaphore(_AT_ONCE)
    found = await _all_of(_conversation(session, gate, netdir, *each) for each in wanted)
    return [one for one in found if one is not None and (free or one.state != _CLOSED)]


async def interfaces(session: Session, netdir: tuple[str, ...]) -> list[Interface]:
    """The interfaces that are bound."""
    numbers = [entry.name for entry in await session.ls_at((*netdir, _IPIFC)) if _is_number(entry)]
    gate = asyncio.Semaphore(_AT_ONCE)
    texts = await _all_of(
        _text(session, gate, (*netdir, _IPIFC, number, "status")) for number in numbers
    )
    found = (
        interface_texts.parse(int(number), text)
        for number, text in zip(numbers, texts, strict=True)
        if text is not None
    )
    return [one for one in found if one is not None]


async def routes(session: Session, netdir: tuple[str, ...]) -> list[Route]:
    """The routes, in the gateway's order."""
    text = await session.read_at((*netdir, "iproute"))
    return list(route_texts.parse(text.decode(errors="replace")))


async def neighbours(session: Session, netdir: tuple[str, ...]) -> list[Neighbour]:
    """The neighbours, in the gateway's order."""
    text = await session.read_at((*netdir, "arp"))
    return list(neighbour_texts.parse(text.decode(errors="replace")))


async def _conversation(
    session: Session, gate: asyncio.Semaphore, netdir: tuple[str, ...], net: str, entry: Stat
) -> Conversation | None:
    names = ("status", "local", "remote")
    folder = (*netdir, net, entry.name)
    status, local, remote = await _all_of(_text(session, gate, (*folder, name)) for name in names)
    if status is None or local is None or remote is None:
        return None
    first, *rest = status.split() or [""]
    counts = dict(zip(rest[::2], rest[1::2], strict=False))
    # The status of ipmux is its filter.
    state = first if first.isalpha() else "Open" if first else _CLOSED
    return Conversation(
        net, int(entry.name), entry.uid, state, local.strip(), remote.strip(),
        *(int(word) if (word := counts.get(name, "")).isdecimal() else 0
          for name in ("qin", "qout")),
    )  # fmt: skip


async def _text(session: Session, gate: asyncio.Semaphore, path: tuple[str, ...]) -> str | None:
    """What a file says; none if it says no."""
    async with gate:
        try:
            return (await session.read_at(path)).decode(errors="replace")
        except NetError:
            # A session that is over says so to whoever asks next.
            if session.closed:
                raise
            return None


async def _all_of(work: Iterable[Awaitable[_R]]) -> list[_R]:
    """Side by side, results in order; the first error is the caller's and ends the others."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def _is_number(entry: Stat) -> bool:
    return entry.name.isdecimal()
