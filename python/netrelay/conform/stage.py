"""What one check may use: sessions of its own, sockets of its own, and the end of all of it.

Everything that a check opens is closed by the stage when the check is over, however it ends; the
server's side goes with the sessions. So a check leaves nothing behind, and none sees another's.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Self

from netrelay.conform.claims import Failed
from netrelay.conform.conversations import Conversation
from netrelay.conform.peer import Call, Datagrams, Listener, Nowhere, Silence
from netrelay.conform.raw import Raw
from netrelay.types import DEFAULT_MSIZE

if TYPE_CHECKING:
    from types import TracebackType

    from netrelay.conform.files import File, Session
    from netrelay.conform.stream import Stream
    from netrelay.conform.subject import Subject
    from netrelay.types import Dialect


class Stage:
    """`async with` clears it."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self._streams: list[Stream] = []
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    @property
    def dialect(self) -> Dialect:
        """The dialect of every session."""
        return self.subject.options.dialect

    @property
    def peer(self) -> str:
        """Our address as the gateway calls it."""
        return self.subject.peer

    @property
    def sample(self) -> tuple[str, ...]:
        """A plain file, from the root; needs `file`."""
        return self.subject.sample or ()

    def trace(self) -> list[str]:
        """The last messages of each session; a number tells several apart."""
        lone = len(self._streams) == 1
        return [
            line if lone else f"{number} {line}"
            for number, stream in enumerate(self._streams, 1)
            for line in stream.trace
        ]

    async def session(self, *, msize: int = DEFAULT_MSIZE) -> Session:
        """A new session, attached; `msize` is what is offered."""
        stream = await self._connect()
        session = self.subject.session(stream, msize=msize)
        await self._stack.enter_async_context(session)
        await self.subject.attach(session)
        return session

    async def raw(self) -> Raw:
        """A new connection on which nothing has been said."""
        stream = await self._connect()
        raw = Raw(self.subject.core, stream)
        return await self._stack.enter_async_context(raw)

    async def raw_session(self) -> Raw:
        """A new connection with the version agreed and the root attached at fid 0."""
        raw = await self.raw()
        await raw.version(self.dialect.value)
        await raw.attach(self.subject.options.uname, self.subject.options.aname)
        return raw

    def net(self, *names: str) -> tuple[str, ...]:
        """The path from the root of a file in the net directory."""
        return (*(self.subject.net or ()), *names)

    def listener(self) -> Listener:
        """A port for the gateway to call."""
        listener = Listener(self.peer)
        self._stack.callback(listener.close)
        return listener

    def nowhere(self) -> str:
        """`addr!port` where a call is refused."""
        nowhere = Nowhere(self.peer)
        self._stack.callback(nowhere.close)
        return f"{self.peer}!{nowhere.port}"

    async def silence(self) -> str:
        """`addr!port` where a call is not answered at all."""
        silence = Silence(self.peer)
        self._stack.callback(silence.close)
        await silence.fill(self.peer)
        return f"{self.peer}!{silence.port}"

    def datagrams(self) -> Datagrams:
        """A UDP port for the gateway to send to."""
        datagrams = Datagrams(self.peer)
        self._stack.callback(datagrams.close)
        return datagrams

    async def call(self, port: int) -> Call:
        """Call a port of the gateway. Errors: `Failed`."""
        where = f"{self.subject.gateway}!{port}"
        try:
            call = await Call.to(self.subject.gateway, port)
        except OSError as error:
            number = error.errno or 0
            raise Failed(f"a call to {where}", os.strerror(number).lower()) from None
        self._stack.callback(call.close)
        return call

    async def clone(self, proto: str = "tcp") -> Conversation:
        """A conversation on a session of its own."""
        return await Conversation.clone(await self.session(), proto)

    async def announced(self, proto: str = "tcp") -> Conversation:
        """A conversation that has announced a port of the server's choice."""
        conversation = await self.clone(proto)
        await conversation.command("announce 0")
        return conversation

    async def connected(self, *, msize: int = DEFAULT_MSIZE) -> tuple[Conversation, File, Call]:
        """A tcp conversation that has called us, its open data, and our end."""
        listener = self.listener()
        conversation = await Conversation.clone(await self.session(msize=msize))
        await conversation.command(f"connect {self.peer}!{listener.port}")
        return conversation, await conversation.open_data(), await listener.accept()

    async def _connect(self) -> Stream:
        stream = await self.subject.connect()
        self._streams.append(stream)
        self._stack.callback(stream.close)
        return stream
