"""What 9P2000.L has of its own: Treaddir, Tgetattr, numbers for errors, and what it leaves out.

The source is diod's description of the dialect and what Linux's client does with the answers.
"""

from __future__ import annotations

import errno
import stat
from typing import TYPE_CHECKING

from netrelay import messages as m
from netrelay.conform.claims import LINUX, NotOffered, claim, expect, same
from netrelay.conform.dialects import BASIC
from netrelay.conform.expectations import refused
from netrelay.conform.files import COUNT, ROOT
from netrelay.conform.stream import shown
from netrelay.types import ORDWR

if TYPE_CHECKING:
    from netrelay.conform.stage import Stage

SOURCE = "9P2000.L (diod's protocol.md)"


@claim(
    "Errors are Rlerror with an errno: a name that is not there is ENOENT", SOURCE, dialects=LINUX
)
async def errors_are_numbers(stage: Stage) -> None:
    session = await stage.session()
    refusal = await refused(session.walk("no-such-file", start=ROOT))
    expect(refusal.errno == errno.ENOENT, f"Rlerror ecode {errno.ENOENT}", refusal.seen)


@claim(
    "Tgetattr gives what stat(2) needs, with the type of the file in its mode",
    SOURCE,
    dialects=LINUX,
    needs=("file",),
)
async def getattr_is_a_stat(stage: Stage) -> None:
    session = await stage.session()
    root = await session.rpc(m.Tgetattr(ROOT, BASIC), m.Rgetattr)
    expect(root.valid & BASIC == BASIC, f"valid with {BASIC:#x}", shown(session.core, root))
    expect(stat.S_ISDIR(root.mode), "a directory's mode", shown(session.core, root))
    fid = await session.walk(*stage.sample, start=ROOT)
    file = await session.rpc(m.Tgetattr(fid, BASIC), m.Rgetattr)
    expect(stat.S_ISREG(file.mode), "a regular file's mode", shown(session.core, file))
    same(file.qid, (await session.open(*stage.sample, start=ROOT)).qid)


@claim("Treaddir resumes behind the entry whose offset it is given", SOURCE, dialects=LINUX)
async def readdir_resumes_at_a_cookie(stage: Stage) -> None:
    session = await stage.session()
    directory = await session.open(start=session.net)
    read = await session.rpc(m.Treaddir(directory.fid, 0, COUNT), m.Rreaddir)
    entries = session.core.unpack_dirents(read.data)
    if len(entries) < 2:
        raise NotOffered("too few entries to resume between")
    for at, entry in enumerate(entries[:-1]):
        rest = await session.rpc(m.Treaddir(directory.fid, entry.offset, COUNT), m.Rreaddir)
        resumed = session.core.unpack_dirents(rest.data)
        same([one.name for one in resumed], [one.name for one in entries[at + 1 :]])


@claim("An entry of Treaddir has the type of its file: DT_DIR or DT_REG", SOURCE, dialects=LINUX)
async def readdir_gives_types(stage: Stage) -> None:
    session = await stage.session()
    directory = await session.open(start=session.net)
    read = await session.rpc(m.Treaddir(directory.fid, 0, COUNT), m.Rreaddir)
    for entry in session.core.unpack_dirents(read.data):
        if entry.name in (".", ".."):
            continue
        found = await session.attributes(entry.name)
        same(entry.type, 4 if found.directory else 8)


@claim("Treaddir of a file is refused", SOURCE, dialects=LINUX, needs=("file",))
async def readdir_is_for_directories(stage: Stage) -> None:
    session = await stage.session()
    file = await session.open(*stage.sample, start=ROOT)
    await refused(session.rpc(m.Treaddir(file.fid, 0, COUNT), m.Rreaddir))


@claim("Tread of a directory is refused: the dialect has Treaddir", SOURCE, dialects=LINUX)
async def read_is_not_for_directories(stage: Stage) -> None:
    session = await stage.session()
    directory = await session.open(start=ROOT)
    await refused(directory.read())


@claim("A message of 9P2000 that the dialect replaced is never carried out", SOURCE, dialects=LINUX)
async def topen_is_not_spoken(stage: Stage) -> None:
    raw = await stage.raw_session()
    raw.send_frame(112, 1, ROOT.to_bytes(4, "little") + b"\0")
    got = await raw.receive()
    if got is not None:
        expect(
            isinstance(got[1], m.Rlerror), "Rlerror or the end of the session", raw.shown(got[1])
        )


@claim(
    "Txattrwalk is answered: Linux asks for access lists and takes EOPNOTSUPP for none",
    SOURCE,
    dialects=LINUX,
)
async def xattrwalk_is_answered(stage: Stage) -> None:
    session = await stage.session()
    request = m.Txattrwalk(ROOT, session.new_fid(), "system.posix_acl_access")
    match await session.begin(request).reply():
        case m.Rlerror(ecode):
            expect(
                ecode in (errno.EOPNOTSUPP, errno.ENODATA),
                f"ecode {errno.EOPNOTSUPP} or {errno.ENODATA}",
                f"Rlerror ecode {ecode}",
            )
        case reply:
            expect(isinstance(reply, m.Rxattrwalk), "Rxattrwalk", shown(session.core, reply))


@claim("Tstatfs and Tfsync are answered and end nothing", SOURCE, dialects=LINUX)
async def statfs_and_fsync_are_answered(stage: Stage) -> None:
    session = await stage.session()
    await session.begin(m.Tstatfs(ROOT)).reply()
    directory = await session.open(start=ROOT)
    await session.begin(m.Tfsync(directory.fid, 0)).reply()
    await session.round_trip()


@claim(
    "A qid's version is 0 for live files, so that Linux caches none of their bytes",
    SOURCE,
    dialects=LINUX,
    needs=("tcp",),
)
async def live_files_have_version_zero(stage: Stage) -> None:
    session = await stage.session()
    clone = await session.open("tcp", "clone", mode=ORDWR)
    same(clone.qid.vers, 0)
    number = (await clone.read()).decode()
    for name in ("ctl", "data", "listen", "local", "remote", "status"):
        same((await session.attributes("tcp", number, name)).qid.vers, 0)
