"""Messages by hand: any tag, any order, any bytes, for claims about what a client must not do.

Nothing is checked but that frames decode; what came is for the check to judge. The small life of a
session that such a check needs on the way (version, attach, walk, open) is here too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TypeVar

from netrelay import messages as m
from netrelay.conform.claims import Failed
from netrelay.conform.dialects import opening
from netrelay.conform.exchange import Lost, Refusal
from netrelay.conform.stream import shown
from netrelay.errors import NetrelayError
from netrelay.types import DEFAULT_MSIZE, NOFID, NOTAG, Dialect

if TYPE_CHECKING:
    from types import TracebackType

    from netrelay.conform.stream import Stream
    from netrelay.core import Core

_R = TypeVar("_R")

ROOT = 0
TAG = 1
RLERROR = 7
_SIZE = 4
_HEADER = 7


class Raw:
    """A connection without a session; what comes is 9P2000 until another dialect is agreed."""

    def __init__(self, core: Core, stream: Stream) -> None:
        self.core = core
        self.stream = stream
        self.dialect = Dialect.P2000
        self._deframer = core.Deframer(DEFAULT_MSIZE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stream.close()

    def send(self, tag: int, message: m.Message) -> None:
        """Send a message under a tag of our choice."""
        frame = self.core.encode(tag, message, self.dialect)
        self.stream.send(self.core, tag, message, frame)

    def send_frame(self, kind: int, tag: int, body: bytes, *, size: int | None = None) -> None:
        """Send a frame of any type and body; `size` is what it claims to be long."""
        claimed = len(body) + _HEADER if size is None else size
        head = claimed.to_bytes(_SIZE, "little") + bytes([kind]) + tag.to_bytes(2, "little")
        note = f"(a frame of type {kind}, {claimed} bytes by its own account)"
        self.stream.send_bytes(head + body, note)

    async def receive(self) -> tuple[int, m.Message] | None:
        """The next message and its tag; None at the end of the session. Errors: `Failed`."""
        try:
            while (frame := self._deframer.next_frame()) is None:
                data = await self.stream.receive()
                if not data:
                    return None
                self._deframer.feed(data)
            # A server that refuses a version may do so in the dialect that it would have spoken.
            dialect = Dialect.L if frame[4] == RLERROR else self.dialect
            tag, message = self.core.decode(frame, dialect)
        except NetrelayError as error:
            raise Failed("legal 9P", str(error)) from None
        self.stream.received(self.core, tag, message)
        return tag, message

    async def rpc(self, message: m.Message, want: type[_R], *, tag: int = TAG) -> _R:
        """Send a message and wait for the next one to come, which must be its reply.

        Errors: `Failed`, `Refusal`, `Lost`.
        """
        self.send(tag, message)
        match await self.receive():
            case None:
                raise Lost("the end of the session")
            case (int(seen), (m.Rerror() | m.Rlerror()) as refusal) if seen == tag:
                raise Refusal(self.core, message, refusal)
            case (int(seen), want() as reply) if seen == tag:
                return reply
            case (seen, other):
                raise Failed(
                    f"{want.__name__} for tag {tag}", f"{self.shown(other)} for tag {seen}"
                )

    async def version(self, version: str, *, msize: int = DEFAULT_MSIZE) -> m.Rversion:
        """Offer a version, and speak it once it is agreed. Errors: `Refusal`."""
        agreed = await self.rpc(m.Tversion(msize, version), m.Rversion, tag=NOTAG)
        self.dialect = Dialect.of(agreed.version)
        return agreed

    async def attach(self, uname: str, aname: str, fid: int = ROOT) -> m.Rattach:
        """Attach without authentication."""
        return await self.rpc(m.Tattach(fid, NOFID, uname, aname), m.Rattach)

    async def open(self, fid: int, names: tuple[str, ...], mode: int) -> None:
        """Walk from the root to `fid` and open it."""
        walked = await self.rpc(m.Twalk(ROOT, fid, names), m.Rwalk)
        if len(walked.wqid) < len(names):
            raise Failed(f"a walk to {'/'.join(names)}", self.shown(walked))
        linux = self.dialect is Dialect.L
        await self.rpc(opening(self.dialect, fid, mode), m.Rlopen if linux else m.Ropen)

    async def write(self, fid: int, data: bytes) -> None:
        """Write at offset 0."""
        await self.rpc(m.Twrite(fid, 0, data), m.Rwrite)

    def shown(self, message: m.Message) -> str:
        """A message without its tag, in text form."""
        return shown(self.core, message)
