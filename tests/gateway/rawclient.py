"""A small synchronous 9P client that says exactly what it is told to, and as much of it at once.

It encodes with the reference codec, numbers tags itself unless told otherwise, and keeps replies
that come before they are asked for. It is no model of a good client: tests use it to misbehave.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Self

from netrelay import messages as m
from netrelay.reference.codec import decode, encode
from netrelay.reference.deframe import Deframer
from netrelay.types import NOFID, NOTAG, ORDWR, OREAD, Dialect

if TYPE_CHECKING:
    from types import TracebackType

PATIENCE_S = 10.0
ROOT = 0


class RefusedError(Exception):
    """The reply is an Rerror; the text is its own."""

    def __init__(self, text: str, errno: int) -> None:
        super().__init__(text)
        self.errno = errno


class RawClient:
    """One session over a connected socket."""

    def __init__(self, sock: socket.socket, dialect: Dialect = Dialect.P2000) -> None:
        sock.settimeout(PATIENCE_S)
        self.sock = sock
        self.dialect = dialect
        self._deframer = Deframer(8 << 20)
        self._replies: dict[int, m.Message] = {}
        self.order: list[int] = []
        self.seen: dict[int, m.Message] = {}
        self._tag = 0
        self._fid = ROOT

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Vanish."""
        self.sock.close()

    def begin(self, uname: str = "glenda", aname: str = "", *, msize: int = 65536) -> Self:
        """Version and attach to fid 0."""
        version = {Dialect.P2000: "9P2000.netrelay"}.get(self.dialect, self.dialect.value)
        reply = self.ask(m.Tversion(msize, version), tag=NOTAG)
        assert isinstance(reply, m.Rversion)
        assert reply.version == version
        self.ask(m.Tattach(ROOT, NOFID, uname, aname))
        return self

    def send(self, *messages: m.Message) -> list[int]:
        """Send all at once; their tags."""
        tags = []
        frames = b""
        for message in messages:
            self._tag = self._tag % 60000 + 1
            tags.append(self._tag)
            frames += encode(self._tag, message, self.dialect)
        self.sock.sendall(frames)
        return tags

    def reply(self, tag: int) -> m.Message:
        """The reply of a tag, awaited."""
        while tag not in self._replies:
            got, message = self.next_reply()
            assert got not in self._replies, f"tag {got} is answered twice"
            self._replies[got] = message
        return self._replies.pop(tag)

    def next_reply(self) -> tuple[int, m.Message]:
        """The next reply of all. Raises EOFError when the session has ended."""
        while (frame := self._deframer.next_frame()) is None:
            data = self.sock.recv(1 << 20)
            if not data:
                raise EOFError
            self._deframer.feed(data)
        tag, message = decode(frame, self.dialect)
        self.order.append(tag)
        self.seen[tag] = message
        return tag, message

    def ask(self, message: m.Message, *, tag: int | None = None) -> m.Message:
        """One request and its reply. Raises RefusedError for an Rerror or Rlerror."""
        if tag is None:
            (tag,) = self.send(message)
        else:
            self.sock.sendall(encode(tag, message, self.dialect))
        return unrefused(self.reply(tag))

    def wait(self, tag: int) -> m.Message:
        """The reply of a request sent before. Raises RefusedError."""
        return unrefused(self.reply(tag))

    # shorthand

    def new_fid(self) -> int:
        """A number not used before."""
        self._fid += 1
        return self._fid

    def walk(self, path: str, *, fid: int = ROOT) -> int:
        """Walk to a new fid; all of the way."""
        names = tuple(path.split("/")) if path else ()
        newfid = self.new_fid()
        reply = self.ask(m.Twalk(fid, newfid, names))
        assert isinstance(reply, m.Rwalk)
        assert len(reply.wqid) == len(names), path
        return newfid

    def open(self, path: str, mode: int = OREAD) -> int:
        """Walk and open."""
        fid = self.walk(path)
        message = m.Tlopen(fid, mode) if self.dialect is Dialect.L else m.Topen(fid, mode)
        self.ask(message)
        return fid

    def read(self, fid: int, count: int = 8192, offset: int = 0) -> bytes:
        """One Tread."""
        return data_of(self.ask(m.Tread(fid, offset, count)))

    def write(self, fid: int, data: bytes, offset: int = 0) -> int:
        """One Twrite."""
        reply = self.ask(m.Twrite(fid, offset, data))
        assert isinstance(reply, m.Rwrite)
        return reply.count

    def clunk(self, fid: int) -> None:
        """One Tclunk."""
        self.ask(m.Tclunk(fid))

    def text(self, path: str) -> str:
        """What a file says."""
        fid = self.open(path)
        text = self.read(fid).decode()
        self.clunk(fid)
        return text

    def names(self, path: str) -> list[str]:
        """What a directory holds."""
        from netrelay.reference.dirs import unpack_stats  # noqa: PLC0415  one user

        fid = self.open(path)
        stats, offset = [], 0
        while data := self.read(fid, offset=offset):
            stats += unpack_stats(data, self.dialect)
            offset += len(data)
        self.clunk(fid)
        return [stat.name for stat in stats]

    def clone(self, protocol: str = "net/tcp") -> tuple[int, int]:
        """A fresh conversation: its number and its ctl."""
        ctl = self.open(f"{protocol}/clone", ORDWR)
        return int(self.read(ctl)), ctl

    def dial(
        self, port: int, host: str = "127.0.0.1", protocol: str = "net/tcp"
    ) -> tuple[int, int, int]:
        """A call that is up: number, ctl and data."""
        number, ctl = self.clone(protocol)
        self.write(ctl, f"connect {host}!{port}".encode())
        return number, ctl, self.open(f"{protocol}/{number}/data", ORDWR)

    def announce(
        self, spec: str = "127.0.0.1!0", protocol: str = "net/tcp"
    ) -> tuple[int, int, int]:
        """An announced conversation: number, ctl and port."""
        number, ctl = self.clone(protocol)
        self.write(ctl, f"announce {spec}".encode())
        return number, ctl, int(self.text(f"{protocol}/{number}/local").rpartition("!")[2])

    def call(self, announced: int, protocol: str = "net/udp") -> tuple[int, int, int]:
        """The next call of an announced conversation, awaited: number, ctl and data."""
        ctl = self.open(f"{protocol}/{announced}/listen", ORDWR)
        number = int(self.read(ctl))
        return number, ctl, self.open(f"{protocol}/{number}/data", ORDWR)

    def park(self, *messages: m.Message) -> list[int]:
        """Requests that have to wait: their tags. All that was sent before has been dealt with."""
        *tags, barrier = self.send(*messages, m.Tstat(ROOT))
        self.reply(barrier)
        assert not set(tags) & set(self.order)
        return tags


def unrefused(reply: m.Message) -> m.Message:
    """The reply, unless it is a refusal."""
    if isinstance(reply, m.Rerror):
        raise RefusedError(reply.ename, reply.errno)
    if isinstance(reply, m.Rlerror):
        raise RefusedError("", reply.ecode)
    return reply


def data_of(reply: m.Message) -> bytes:
    """The payload of an Rread."""
    assert isinstance(reply, m.Rread), reply
    return bytes(reply.data)
