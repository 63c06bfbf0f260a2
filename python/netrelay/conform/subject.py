"""The server under test and what it offers, found out before any check is run.

A capability is something that many checks need and a server may lack: a protocol directory, cs, a
gateway that may call us. What is missing is told with its reason, and the checks that need it are
skipped by name: a server is not blamed for what it never promised.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from netrelay import core as cores
from netrelay.conform.claims import Failed
from netrelay.conform.conversations import Conversation
from netrelay.conform.exchange import Lost, Refusal
from netrelay.conform.files import ROOT, Session
from netrelay.conform.peer import Call, Listener
from netrelay.conform.stream import LOOPBACK, Stream
from netrelay.errors import NetError
from netrelay.types import DEFAULT_MSIZE, Dialect

if TYPE_CHECKING:
    from netrelay.conform.stream import Ends

# Name -> what has to be there below the net directory.
FILES: Final = {
    "tcp": ("tcp", "clone"),
    "udp": ("udp", "clone"),
    "ether0": ("ether0", "clone"),
    "cs": ("cs",),
    "dns": ("dns",),
    "ndb": ("ndb",),
    "ipifc": ("ipifc",),
    "arp": ("arp",),
    "iproute": ("iproute",),
    "ipselftab": ("ipselftab",),
}
# Name -> what it means, for what is no single file.
CAPABILITIES: Final = {
    "net": "a net directory, at --netdir or at the root",
    **{name: f"the file {'/'.join(path)} in it" for name, path in FILES.items()},
    "file": "a plain file somewhere near the root",
    "dial": "the gateway calls --peer",
    "announce": "a port of the gateway may be announced",
    "call": "an announced port can be called from here",
}
PROBE_S = 5.0
# Opening one of these does something; a sample must be a file that is only read.
_LIVE = {"clone", "ctl", "data", "listen", "err", "log", "snoop", "event", "cs", "dns"}
_DEPTH = 3


@dataclass(frozen=True, slots=True)
class Options:
    """Where the server is and how to speak to it; without `peer` we are where it sees us."""

    address: str
    dialect: Dialect = Dialect.P2000
    uname: str = "none"
    aname: str = ""
    netdir: str = "/net"
    peer: str | None = None


@dataclass(slots=True)
class Subject:
    """What is known of the server. `missing` names what it lacks, each with the reason."""

    options: Options
    core: cores.Core
    ends: Ends
    net: tuple[str, ...] | None = None
    sample: tuple[str, ...] | None = None
    peer: str = LOOPBACK
    gateway: str = LOOPBACK
    missing: dict[str, str] = field(default_factory=dict)

    async def connect(self) -> Stream:
        """A connection. Errors: `OSError`."""
        return await Stream.connect(self.options.address)

    def session(self, stream: Stream, *, msize: int = DEFAULT_MSIZE) -> Session:
        """A session over a connection, to be entered and attached."""
        return Session(self.core, stream, self.options.dialect, msize)

    async def attach(self, session: Session) -> None:
        """Attach as the options say. Errors: `Refusal`."""
        await session.attach(self.options.uname, self.options.aname, self.net)


async def examine(options: Options) -> Subject:
    """Connect, attach and see what is there.

    Errors: `NetError` when the server can't be reached, speaks another dialect or refuses us.
    """
    try:
        async with asyncio.timeout(4 * PROBE_S):
            return await _examine(options)
    except TimeoutError:
        raise NetError(f"{options.address} does not answer 9P: connection timed out") from None
    except OSError as error:
        text = (error.strerror or str(error)).lower()
        raise NetError(f"can't reach {options.address}: {text}", error.errno) from None
    except (Failed, Lost, Refusal) as seen:
        told = f"expected {seen.expected}, got {seen.seen}" if isinstance(seen, Failed) else seen
        raise NetError(
            f"no session of {options.dialect.value} at {options.address}: {told}"
        ) from None


async def _examine(options: Options) -> Subject:
    stream = await Stream.connect(options.address)
    subject = Subject(options, cores.load(), stream.ends)
    async with stream, subject.session(stream) as session:
        await subject.attach(session)
        await _find_net(subject, session)
        await _find_files(subject, session)
        subject.peer = await _resolved(options.peer or stream.ends.ours)
        subject.gateway = stream.ends.theirs
        if "tcp" in subject.missing:
            why = subject.missing["tcp"]
            subject.missing.update(dict.fromkeys(("dial", "announce", "call"), why))
        else:
            await _call_out(subject, session)
            await _call_in(subject, session)
    return subject


async def _find_net(subject: Subject, session: Session) -> None:
    """The net directory: where the options say, or the root of a server that exports just that."""
    named = tuple(name for name in subject.options.netdir.split("/") if name)
    for names in (named, ()):
        for path in FILES.values():
            if await _there(session, *names, *path, start=ROOT):
                subject.net = names
                session.net = await session.walk(*names, start=ROOT)
                return
    subject.missing["net"] = f"no {subject.options.netdir}, and the root is none"


async def _find_files(subject: Subject, session: Session) -> None:
    for name, path in FILES.items():
        if subject.net is None:
            subject.missing[name] = subject.missing["net"]
        elif not await _there(session, *path):
            subject.missing[name] = f"no {'/'.join(path)}"
    subject.sample = await _plain_file(session)
    if subject.sample is None:
        subject.missing["file"] = "no plain file near the root"


async def _there(session: Session, *names: str, start: int | None = None) -> bool:
    try:
        await session.clunk(await session.walk(*names, start=start))
    except (Refusal, Failed):
        return False
    return True


async def _plain_file(session: Session) -> tuple[str, ...] | None:
    """The nearest file that can be read without doing anything."""
    level: list[tuple[str, ...]] = [()]
    for _ in range(_DEPTH):
        below = []
        for directory in level:
            try:
                entries = await session.entries(*directory, start=ROOT)
            except Refusal:
                continue
            for entry in entries:
                path = (*directory, entry.name)
                if entry.qid.type & 0x80:
                    below.append(path)
                elif entry.name not in _LIVE and await _readable(session, path):
                    return path
        level = below
    return None


async def _readable(session: Session, path: tuple[str, ...]) -> bool:
    try:
        file = await session.open(*path, start=ROOT)
        await file.text()
        await file.clunk()
    except Refusal:
        return False
    return True


async def _call_out(subject: Subject, session: Session) -> None:
    """See whether the gateway may call us, and which address of the gateway such a call has."""
    listener = Listener(subject.peer)
    conversation = await Conversation.clone(session)
    try:
        async with asyncio.timeout(PROBE_S):
            await conversation.command(f"connect {subject.peer}!{listener.port}")
            subject.gateway = (await listener.accept()).theirs[0]
    except Refusal as refusal:
        why = f"a call to {subject.peer} is refused ({refusal.seen}): name another --peer"
        subject.missing["dial"] = why
    except TimeoutError:
        why = f"no call comes to {subject.peer}: name another --peer"
        subject.missing["dial"] = why
    finally:
        listener.close()
        await conversation.hang_up()


async def _call_in(subject: Subject, session: Session) -> None:
    """See whether a port may be announced, and whether a call to it arrives."""
    conversation = await Conversation.clone(session)
    try:
        async with asyncio.timeout(PROBE_S):
            await conversation.command("announce 0")
            listening = await conversation.begin_listen()
            (await Call.to(subject.gateway, await conversation.port())).close()
            await (await conversation.taken(listening)).hang_up()
    except Refusal as refusal:
        subject.missing["announce"] = subject.missing["call"] = f"refused: {refusal.seen}"
    except (OSError, TimeoutError):
        subject.missing["call"] = f"no call from here arrives at {subject.gateway}"
    finally:
        await conversation.hang_up()


async def _resolved(host: str) -> str:
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return str(found[0][4][0])
