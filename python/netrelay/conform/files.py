"""An attached session and its files, as short to use as a check wants them.

`Session` walks and opens by names; `File` is an open fid. Reads and writes default to offset 0,
since the files that matter here ignore offsets; the text files, which honour them, are read whole
by `text`. Nothing is clunked behind the check's back: the end of the session does it.
"""

from __future__ import annotations

from netrelay import messages as m
from netrelay.conform import dialects
from netrelay.conform.claims import Failed
from netrelay.conform.dialects import Attributes, Entry
from netrelay.conform.exchange import Exchange, Pending
from netrelay.conform.stream import shown
from netrelay.types import IOHDRSZ, NOFID, ORDWR, OREAD, Qid

ROOT = 0
COUNT = 8192


class File:
    """An open fid and the qid that the open gave."""

    def __init__(self, session: Session, fid: int, qid: Qid, iounit: int) -> None:
        self.session = session
        self.fid = fid
        self.qid = qid
        self.iounit = iounit

    def __repr__(self) -> str:
        """What a failure says of a file that should not have been opened."""
        return f"a file open with {self.qid}"

    async def read(self, count: int = COUNT, offset: int = 0) -> bytes:
        """One Tread. Errors: `Refusal`."""
        return bytes((await self.session.rpc(m.Tread(self.fid, offset, count), m.Rread)).data)

    async def write(self, data: bytes, offset: int = 0) -> int:
        """One Twrite; the count that the server took. Errors: `Refusal`."""
        return (await self.session.rpc(m.Twrite(self.fid, offset, data), m.Rwrite)).count

    def begin_read(self, count: int = COUNT) -> Pending:
        """Send Tread and go on."""
        return self.session.begin(m.Tread(self.fid, 0, count))

    async def exactly(self, count: int) -> bytes:
        """As many Treads as it takes to get that many bytes. Errors: `Failed` at an early end."""
        got = bytearray()
        while len(got) < count:
            # Plan 9's own clients ask for msize - IOHDRSZ at most.
            most = min(count - len(got), self.session.msize - IOHDRSZ)
            piece = await self.read(most, len(got))
            if not piece:
                raise Failed(f"{count} bytes", f"the end behind {len(got)}")
            got += piece
        return bytes(got)

    async def text(self) -> str:
        """All of a text file. Errors: `Refusal`."""
        got = bytearray()
        while piece := await self.read(COUNT, len(got)):
            got += piece
        return got.decode(errors="replace")

    async def attributes(self) -> Attributes:
        """What the server says of the file."""
        return await dialects.attributes(self.session, self.fid)

    async def entries(self, count: int = COUNT) -> list[Entry]:
        """The entries of a directory, without `.` and `..`."""
        return await dialects.entries(self.session, self.fid, count)

    async def clunk(self) -> None:
        """Give the fid back."""
        await self.session.clunk(self.fid)


class Session(Exchange):
    """A session attached at fid 0. Names are relative to `start`: the root, or what `net` is."""

    net = ROOT

    async def attach(self, uname: str, aname: str, net: tuple[str, ...] | None) -> None:
        """Attach, and walk to the net directory if the server has one. Errors: `Refusal`."""
        await self.rpc(m.Tattach(ROOT, NOFID, uname, aname), m.Rattach)
        if net:
            self.net = await self.walk(*net, start=ROOT)

    async def walk(self, *names: str, start: int | None = None) -> int:
        """A new fid for a file below the net directory.

        Errors: `Refusal` when the first name is not there, `Failed` for a later one.
        """
        fid = self.new_fid()
        begun = self.net if start is None else start
        walked = await self.rpc(m.Twalk(begun, fid, names), m.Rwalk)
        if len(walked.wqid) < len(names):
            raise Failed(f"a walk to {'/'.join(names)}", shown(self.core, walked))
        return fid

    async def open_fid(self, fid: int, mode: int = OREAD) -> File:
        """Open a fid. Errors: `Refusal`."""
        return await self.finish_open(self.begin_open(fid, mode))

    def begin_open(self, fid: int, mode: int = ORDWR) -> Pending:
        """Send the open and go on."""
        return self.begin(dialects.opening(self.dialect, fid, mode))

    async def finish_open(self, pending: Pending) -> File:
        """Wait for what `begin_open` asked for. Errors: `Refusal`."""
        match pending.message:
            case m.Topen(fid, _):
                opened: m.Ropen | m.Rlopen = await pending.expect(m.Ropen)
            case m.Tlopen(fid, _):
                opened = await pending.expect(m.Rlopen)
            case other:
                raise TypeError(f"{other} opens nothing")
        return File(self, fid, opened.qid, opened.iounit)

    async def open(self, *names: str, mode: int = OREAD, start: int | None = None) -> File:
        """Walk and open. Errors: `Refusal`."""
        return await self.open_fid(await self.walk(*names, start=start), mode)

    async def text(self, *names: str) -> str:
        """All of a text file below the net directory."""
        file = await self.open(*names)
        text = await file.text()
        await file.clunk()
        return text

    async def entries(self, *names: str, start: int | None = None) -> list[Entry]:
        """The entries of a directory."""
        directory = await self.open(*names, start=start)
        found = await directory.entries()
        await directory.clunk()
        return found

    async def attributes(self, *names: str, start: int | None = None) -> Attributes:
        """What the server says of a file by its names."""
        fid = await self.walk(*names, start=start)
        found = await dialects.attributes(self, fid)
        await self.clunk(fid)
        return found

    async def clunk(self, fid: int) -> m.Rclunk:
        """Give a fid back. Errors: `Refusal`."""
        return await self.rpc(m.Tclunk(fid), m.Rclunk)

    async def round_trip(self) -> None:
        """A request that is answered at once: what the server had ready before it has come too."""
        await dialects.attributes(self, ROOT)
