"""Opens, reads and writes: modes, iounit, counts, and that nothing is created or removed."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from netrelay import messages as m
from netrelay.conform.claims import LINUX, PLAIN, claim, expect
from netrelay.conform.dialects import creating, opening
from netrelay.conform.expectations import refused
from netrelay.conform.files import ROOT
from netrelay.types import IOHDRSZ, ORDWR, OREAD, OWRITE, QTDIR

if TYPE_CHECKING:
    from netrelay.conform.stage import Stage

DENIED = "permission denied"
O_DIRECTORY = 0o200000
# Bits that kernels send and servers need not know: O_LARGEFILE and O_CLOEXEC.
O_STRANGE = 0o100000 | 0o2000000


@claim("An open gives the qid of the file", "open(5)", needs=("file",))
async def gives_the_qid(stage: Stage) -> None:
    session = await stage.session()
    file = await session.open(*stage.sample, start=ROOT)
    attributes = await session.attributes(*stage.sample, start=ROOT)
    expect(file.qid.path == attributes.qid.path, str(attributes.qid), str(file.qid))
    expect(not file.qid.type & QTDIR, "the qid of a plain file", str(file.qid))


@claim(
    "iounit is 0, or what fits in a message with 24 bytes of header",
    "open(5), read(5)",
    needs=("file",),
)
async def iounit_fits_in_msize(stage: Stage) -> None:
    session = await stage.session()
    file = await session.open(*stage.sample, start=ROOT)
    most = session.msize - IOHDRSZ
    expect(file.iounit <= most, f"iounit 0 or at most {most}", f"iounit {file.iounit}")


@claim("A second open of an open fid is refused", "open(5)")
async def twice_is_refused(stage: Stage) -> None:
    session = await stage.session()
    directory = await session.open(start=ROOT)
    await refused(session.open_fid(directory.fid))


@claim("A directory can't be opened for writing", "open(5)")
async def a_directory_for_writing_is_refused(stage: Stage) -> None:
    session = await stage.session()
    for mode in (OWRITE, ORDWR):
        await refused(session.open(mode=mode, start=ROOT))


@claim("A read or a write needs an open fid", "read(5)", needs=("file",))
async def reads_and_writes_need_one(stage: Stage) -> None:
    session = await stage.session()
    fid = await session.walk(*stage.sample, start=ROOT)
    await refused(session.rpc(m.Tread(fid, 0, 16), m.Rread))
    await refused(session.rpc(m.Twrite(fid, 0, b"x"), m.Rwrite))


@claim("What was opened for reading can't be written, nor the reverse", "read(5)", needs=("tcp",))
async def for_one_does_not_grant_the_other(stage: Stage) -> None:
    session = await stage.session()
    reading = await session.open("tcp", "clone", mode=OREAD)
    await refused(reading.write(b"ttl 3"))
    writing = await session.open("tcp", "clone", mode=OWRITE)
    await refused(writing.read())


@claim(
    "A read that asks for more than a message holds gets what fits",
    "read(5), version(5)",
    needs=("file",),
)
async def a_large_count_is_cut(stage: Stage) -> None:
    session = await stage.session()
    file = await session.open(*stage.sample, start=ROOT)
    # The core refuses a frame above msize: an answer is enough.
    await file.read(session.msize * 2)
    await file.read(0x7FFF_FFFF)


@claim("A read at or behind the end gives no bytes", "read(5)", needs=("file",))
async def a_read_behind_the_end_is_empty(stage: Stage) -> None:
    session = await stage.session()
    file = await session.open(*stage.sample, start=ROOT)
    length = len((await file.text()).encode())
    for offset in (length, length + 1, length + (1 << 32)):
        got = await file.read(64, offset)
        expect(not got, f"no bytes at {offset}", repr(got))


@claim(
    "A text file is read alike at any offset and in any pieces", "read(5), devip.c", needs=("tcp",)
)
async def texts_honour_offsets(stage: Stage) -> None:
    conversation = await stage.clone()
    file = await conversation.open("local", mode=OREAD)
    whole = await file.text()
    pieces = [await file.read(1, offset) for offset in range(len(whole))]
    expect(b"".join(pieces) == whole.encode(), repr(whole), repr(b"".join(pieces)))
    tail = await file.read(64, 2)
    expect(tail == whole.encode()[2:], repr(whole[2:]), repr(tail))


@claim(
    "What tells how things are is only read: opening it to write is `permission denied`",
    "ip(3)",
    needs=("tcp",),
)
async def read_only_files_are_not_written(stage: Stage) -> None:
    conversation = await stage.clone()
    for name in ("local", "remote", "status"):
        for mode in (OWRITE, ORDWR):
            await refused(conversation.open(name, mode=mode), DENIED)
    await refused(conversation.session.open("tcp", "stats", mode=ORDWR), DENIED)


@claim("Nothing can be created in the tree: `permission denied`", "ip(3), devip.c", needs=("tcp",))
async def create_is_refused(stage: Stage) -> None:
    session = await stage.session()
    conversation = await stage.clone()
    for names in (("tcp",), ("tcp", conversation.number)):
        fid = await session.walk(*names)
        await refused(session.rpc(creating(stage.dialect, fid, "conform"), object), DENIED)
    # A union has words of its own.
    fid = await session.walk()
    await refused(session.rpc(creating(stage.dialect, fid, "conform"), object))


@claim(
    "Nothing can be removed from the tree: `permission denied`", "ip(3), devip.c", needs=("tcp",)
)
async def remove_is_refused(stage: Stage) -> None:
    conversation = await stage.clone()
    session = conversation.session
    for names in (("tcp",), ("tcp", "clone"), ("tcp", conversation.number, "status")):
        fid = await session.walk(*names)
        await refused(session.rpc(m.Tremove(fid), m.Rremove), DENIED)
    await session.round_trip()


@claim("A remove gives the fid back, refused or not", "remove(5)", needs=("tcp",))
async def remove_frees_the_fid(stage: Stage) -> None:
    session = await stage.session()
    fid = await session.walk("tcp", "clone")
    await refused(session.rpc(m.Tremove(fid), m.Rremove))
    await refused(session.clunk(fid))


@claim(
    "A remove of an open ctl ends the conversation as a clunk does",
    "remove(5)",
    needs=("announce",),
)
async def remove_of_ctl_ends_the_conversation(stage: Stage) -> None:
    first = await stage.announced()
    port = await first.port()
    await refused(first.session.rpc(m.Tremove(first.ctl.fid), m.Rremove))
    # The port is free again: nothing holds the conversation.
    await (await stage.clone()).command(f"announce {port}")


@claim("No directory is made, linked or renamed either", "9P2000.L", needs=("tcp",), dialects=LINUX)
async def linux_changes_are_refused(stage: Stage) -> None:
    session = await stage.session()
    fid = await session.walk("tcp")
    clone = await session.walk("tcp", "clone")
    for request in (
        m.Tmkdir(fid, "conform", 0o755, 0),
        m.Tsymlink(fid, "conform", "clone", 0),
        m.Tmknod(fid, "conform", 0o644, 0, 0, 0),
        m.Tlink(fid, clone, "conform"),
        m.Trename(clone, fid, "conform"),
        m.Trenameat(fid, "clone", fid, "conform"),
        m.Tunlinkat(fid, "clone", 0),
    ):
        await refused(session.rpc(request, object))
    await session.open("tcp", "clone", mode=ORDWR)


@claim("Flags of open(2) that say nothing to a server are ignored", "9P2000.L", dialects=LINUX)
async def strange_flags_are_ignored(stage: Stage) -> None:
    session = await stage.session()
    fid = await session.walk(start=ROOT)
    await session.rpc(m.Tlopen(fid, OREAD | O_STRANGE | O_DIRECTORY), m.Rlopen)


@claim(
    "Modes above OEXEC carry flags: OTRUNC on a text that is only read is refused",
    "open(5)",
    needs=("tcp",),
    dialects=PLAIN,
)
async def truncation_needs_permission(stage: Stage) -> None:
    conversation = await stage.clone()
    fid = await conversation.session.walk("tcp", conversation.number, "status")
    await refused(conversation.session.open_fid(fid, OREAD | 0x10))


@claim(
    "An open of what is only read, for writing, is EACCES",
    "9P2000.L",
    needs=("tcp",),
    dialects=LINUX,
)
async def denial_has_its_number(stage: Stage) -> None:
    conversation = await stage.clone()
    refusal = await refused(conversation.open("status", mode=OWRITE))
    expect(refusal.errno == errno.EACCES, f"Rlerror ecode {errno.EACCES}", refusal.seen)


@claim("An open request names a fid that exists", "open(5)")
async def of_an_unknown_fid_is_refused(stage: Stage) -> None:
    session = await stage.session()
    await refused(session.rpc(opening(stage.dialect, 77, OREAD), object))
