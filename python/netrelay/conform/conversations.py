"""A conversation through its files: ctl, and data once it is opened (ip(3)).

What dial(2) and announce(2) do in one go is here in steps, because the checks are about the steps.
Commands are written at offset 0 or where a check says; a command that must wait is begun and
looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from netrelay import messages as m
from netrelay.conform.claims import Failed, expect
from netrelay.names.dialstring import split_remote
from netrelay.types import ORDWR

if TYPE_CHECKING:
    from netrelay.conform.exchange import Pending
    from netrelay.conform.files import File, Session


class Conversation:
    """An open ctl and its number."""

    def __init__(self, session: Session, proto: str, ctl: File, number: str) -> None:
        self.session = session
        self.proto = proto
        self.ctl = ctl
        self.number = number
        self.data: File | None = None

    @classmethod
    async def clone(cls, session: Session, proto: str = "tcp") -> Self:
        """Open clone: a conversation of our own. Errors: `Refusal`."""
        return await cls.of(session, proto, await session.open(proto, "clone", mode=ORDWR))

    @classmethod
    async def of(cls, session: Session, proto: str, ctl: File) -> Self:
        """The conversation of an open ctl, which says its number."""
        number = (await ctl.read()).decode(errors="replace")
        expect(number.isdecimal(), "a conversation number, digits alone", repr(number))
        return cls(session, proto, ctl, number)

    async def command(self, text: str | bytes, *, offset: int = 0) -> int:
        """Write a command to ctl; the count that the server took. Errors: `Refusal`."""
        return await self.ctl.write(text.encode() if isinstance(text, str) else text, offset)

    def begin_command(self, text: str) -> Pending:
        """Send a command and go on."""
        return self.session.begin(m.Twrite(self.ctl.fid, 0, text.encode()))

    async def open_data(self) -> File:
        """Open data, once."""
        if self.data is None:
            self.data = await self.open("data", mode=ORDWR)
        return self.data

    async def open(self, name: str, *, mode: int) -> File:
        """Open another file of the conversation. Errors: `Refusal`."""
        return await self.session.open(self.proto, self.number, name, mode=mode)

    async def text(self, name: str) -> str:
        """All of a text file of the conversation."""
        return await self.session.text(self.proto, self.number, name)

    async def port(self) -> int:
        """The local port."""
        return split_remote(await self.text("local"))[1]

    async def begin_listen(self) -> Pending:
        """Walk to listen, send the open and go on."""
        fid = await self.session.walk(self.proto, self.number, "listen")
        return self.session.begin_open(fid)

    async def taken(self, listening: Pending) -> Conversation:
        """The conversation of the call that a listen has got. Errors: `Refusal`."""
        ctl = await self.session.finish_open(listening)
        return await Conversation.of(self.session, self.proto, ctl)

    async def hang_up(self) -> None:
        """Clunk data and ctl, as a program does that exits."""
        if self.data is not None:
            await self.data.clunk()
        await self.ctl.clunk()


async def ends(data: File, *, reads: int) -> None:
    """Read the end of a stream that many times. Errors: `Failed` when there is more."""
    for _ in range(reads):
        piece = await data.read()
        if piece:
            raise Failed('Rread data ""', f"Rread of {len(piece)} bytes")
