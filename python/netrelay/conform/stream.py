"""A byte stream to the server, and the last messages that went over it, in text form.

Both ways of speaking use it: `exchange` through the client session of a core, which keeps the
rules, and `raw` by hand, which need not. The messages are kept because a failure is only of use
with what was said before. Payloads are shortened there; nothing else is.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Self

from netrelay import core as cores
from netrelay.il import carrier as il
from netrelay.names.dialstring import IlAddress, TcpAddress, UnixAddress, parse_address

if TYPE_CHECKING:
    from types import TracebackType

    from netrelay.messages import Message

LOOPBACK = "127.0.0.1"
# What a failure shows: enough to see how it came to that, few enough to read.
KEPT = 12
SHOWN = 64
PIECE = 256 << 10

_TAG = re.compile(r" tag (\d+|NOTAG)")


class Ends(NamedTuple):
    """The hosts of the two ends of the connection, as this one sees them."""

    ours: str
    theirs: str


class Stream:
    """A connection; `async with` ends it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.trace: deque[str] = deque(maxlen=KEPT)
        self.ends = _ends(writer)

    @classmethod
    async def connect(cls, address: str) -> Self:
        """Connect to a dial string or URL. Errors: `OSError`, `UsageError`."""
        match parse_address(address):
            case UnixAddress(path):
                return cls(*await asyncio.open_unix_connection(path))
            case TcpAddress(host, port):
                return cls(*await asyncio.open_connection(host, port))
            case IlAddress(host, port):
                # The carrier ends with the socket.
                sock, _ = await il.call(host, port, cores.load().Il)
                return cls(*await asyncio.open_connection(sock=sock))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def send(self, core: cores.Core, tag: int, message: Message, frame: bytes) -> None:
        """Send a frame and keep what it says. Blocks never: a check waits for its replies."""
        self.trace.append(f"> {line(core, tag, message)}")
        self._writer.write(frame)

    def send_bytes(self, data: bytes, note: str) -> None:
        """Send what may be no frame at all; `note` stands for it in the trace."""
        self.trace.append(f"> {note}")
        self._writer.write(data)

    def received(self, core: cores.Core, tag: int, message: Message) -> None:
        """Keep what a frame said."""
        self.trace.append(f"< {line(core, tag, message)}")

    async def receive(self) -> bytes:
        """What has come, at least a byte; nothing at the end of the session."""
        try:
            data = await self._reader.read(PIECE)
        except OSError as error:
            self.trace.append(f"< ({error})")
            return b""
        if not data:
            self.trace.append("< (end of session)")
        return data

    def close(self) -> None:
        """End the connection at once: all that the session had at the server goes with it."""
        self._writer.transport.abort()


def line(core: cores.Core, tag: int, message: Message) -> str:
    """A message in text form, a long payload cut."""
    data = getattr(message, "data", None)
    if data is None or len(data) <= SHOWN:
        return core.to_text(tag, message)
    cut = message._replace(data=bytes(data[:SHOWN]))  # type: ignore[call-arg]
    return f"{core.to_text(tag, cut)} … {len(data)} bytes"


def shown(core: cores.Core, message: Message) -> str:
    """The same without the tag, which says nothing about what the server thinks."""
    return _TAG.sub("", line(core, 0, message), count=1)


def _ends(writer: asyncio.StreamWriter) -> Ends:
    ours, theirs = writer.get_extra_info("sockname"), writer.get_extra_info("peername")
    if isinstance(ours, tuple) and isinstance(theirs, tuple):
        return Ends(str(ours[0]), str(theirs[0]))
    return Ends(LOOPBACK, LOOPBACK)
