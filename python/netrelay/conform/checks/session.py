"""Versions, attaches, fids and frames: what holds for a session before any file is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netrelay import messages as m
from netrelay.conform.claims import Failed, claim, expect
from netrelay.conform.dialects import asking
from netrelay.conform.exchange import Refusal
from netrelay.conform.expectations import refused
from netrelay.conform.raw import ROOT
from netrelay.types import DEFAULT_MSIZE, NOTAG, ORDWR, QTDIR, Dialect

if TYPE_CHECKING:
    from netrelay.conform.raw import Raw
    from netrelay.conform.stage import Stage

SMALL = 8192
TWALK = 110
NOTHING = 98
UNKNOWN_FID = 4242
PLAIN_VERSION = "9P2000"


@claim("Rversion never raises msize and gives the version offered or an older one", "version(5)")
async def version_is_agreed(stage: Stage) -> None:
    raw = await stage.raw()
    agreed = await raw.version(stage.dialect.value, msize=SMALL)
    expect(0 < agreed.msize <= SMALL, f"msize {SMALL} or less", raw.shown(agreed))
    expect(agreed.version == stage.dialect.value, stage.dialect.value, raw.shown(agreed))


@claim("A version that does not begin with 9P is answered `unknown`, by Rversion", "version(5)")
async def an_unknown_version_is_told_so(stage: Stage) -> None:
    raw = await stage.raw()
    agreed = await raw.version("conform")
    expect(agreed.version == "unknown", 'Rversion version "unknown"', raw.shown(agreed))


@claim(
    "What follows a period in the version is not promised by a server that does not know it",
    "version(5)",
)
async def an_unknown_suffix_is_not_echoed(stage: Stage) -> None:
    raw = await stage.raw()
    agreed = await raw.version("9P2000.conform")
    expect(agreed.version in (PLAIN_VERSION, "unknown"), PLAIN_VERSION, raw.shown(agreed))


@claim("An msize that no message fits is refused", "lib9p, exportfs(4)")
async def a_tiny_msize_is_refused(stage: Stage) -> None:
    raw = await stage.raw()
    await refused(raw.version(stage.dialect.value, msize=23))


@claim("Tversion in a session frees every fid", "version(5)")
async def a_second_version_frees_all_fids(stage: Stage) -> None:
    raw = await stage.raw_session()
    await raw.version(stage.dialect.value)
    await refused(raw.rpc(m.Tclunk(ROOT), m.Rclunk))
    await raw.attach(stage.subject.options.uname, stage.subject.options.aname)


@claim("Tversion in a session ends its conversations", "version(5)", needs=("tcp", "dial"))
async def a_second_version_ends_the_conversations(stage: Stage) -> None:
    listener = stage.listener()
    raw = await stage.raw_session()
    await raw.open(1, stage.net("tcp", "clone"), ORDWR)
    await raw.write(1, f"connect {stage.peer}!{listener.port}".encode())
    call = await listener.accept()
    await raw.version(stage.dialect.value)
    # Whether by FIN or by RST is not said.
    end = await call.end()
    expect(not isinstance(end, bytes) or not end, "the end of the call", end)


@claim(
    "Tversion in a session aborts what was outstanding: no reply to it comes behind Rversion",
    "version(5)",
    needs=("announce",),
)
async def a_second_version_aborts_requests(stage: Stage) -> None:
    raw = await stage.raw_session()
    await raw.open(1, stage.net("tcp", "clone"), ORDWR)
    number = (await raw.rpc(m.Tread(1, 0, 64), m.Rread)).data
    await raw.write(1, b"announce 0")
    names = stage.net("tcp", bytes(number).decode(), "listen")
    await raw.rpc(m.Twalk(ROOT, 2, names), m.Rwalk)
    raw.send(7, m.Tlopen(2, ORDWR) if stage.dialect is Dialect.L else m.Topen(2, ORDWR))
    raw.send(NOTAG, m.Tversion(DEFAULT_MSIZE, stage.dialect.value))
    await _only_before(raw, NOTAG, behind=7)
    await raw.attach(stage.subject.options.uname, stage.subject.options.aname)


async def _only_before(raw: Raw, tag: int, *, behind: int) -> None:
    """Wait for the reply of `tag`; one for `behind` may only come first."""
    while (got := await raw.receive()) is not None:
        if got[0] == tag:
            return
        expect(got[0] == behind, f"a reply for tag {behind}", raw.shown(got[1]))
    raise Failed("Rversion", "the end of the session")


@claim("An attach gives the qid of a directory", "attach(5)")
async def attach_gives_a_directory(stage: Stage) -> None:
    raw = await stage.raw()
    await raw.version(stage.dialect.value)
    root = await raw.attach(stage.subject.options.uname, stage.subject.options.aname)
    expect(bool(root.qid.type & QTDIR), "a qid with QTDIR", raw.shown(root))


@claim("A session may attach more than once, and each root is a fid of its own", "attach(5)")
async def attach_twice(stage: Stage) -> None:
    raw = await stage.raw_session()
    again = await raw.attach(stage.subject.options.uname, stage.subject.options.aname, fid=9)
    await raw.rpc(m.Tclunk(ROOT), m.Rclunk)
    walked = await raw.rpc(m.Twalk(9, 10, ()), m.Rwalk)
    expect(not walked.wqid, "Rwalk without qids", raw.shown(walked))
    expect(bool(again.qid.type & QTDIR), "a qid with QTDIR", raw.shown(again))


@claim("An attach to a fid in use is refused", "lib9p, exportfs(4)")
async def attach_to_a_fid_in_use_is_refused(stage: Stage) -> None:
    raw = await stage.raw_session()
    await refused(raw.attach(stage.subject.options.uname, stage.subject.options.aname))


@claim("An attach whose afid is no fid is refused", "attach(5)")
async def attach_with_a_strange_afid_is_refused(stage: Stage) -> None:
    raw = await stage.raw()
    await raw.version(stage.dialect.value)
    options = stage.subject.options
    request = m.Tattach(ROOT, UNKNOWN_FID, options.uname, options.aname)
    await refused(raw.rpc(request, m.Rattach))


@claim("Tauth is answered by Rauth, or by Rerror where no authentication is needed", "attach(5)")
async def auth_is_answered(stage: Stage) -> None:
    raw = await stage.raw()
    await raw.version(stage.dialect.value)
    options = stage.subject.options
    try:
        await raw.rpc(m.Tauth(5, options.uname, options.aname), m.Rauth)
    except Refusal:
        await raw.attach(options.uname, options.aname)


@claim("A request on a fid that was never made is refused, and the session goes on", "intro(5)")
async def an_unknown_fid_is_refused(stage: Stage) -> None:
    session = await stage.session()
    for request in (
        asking(stage.dialect, UNKNOWN_FID),
        m.Twalk(UNKNOWN_FID, UNKNOWN_FID + 1, ()),
        m.Tread(UNKNOWN_FID, 0, SMALL),
        m.Twrite(UNKNOWN_FID, 0, b"x"),
        m.Tclunk(UNKNOWN_FID),
    ):
        await refused(session.rpc(request, object))
    await session.round_trip()


@claim("A clunked fid is unknown, and its number may be used again", "clunk(5)")
async def clunk_frees_the_fid(stage: Stage) -> None:
    session = await stage.session()
    fid = await session.walk(start=ROOT)
    await session.clunk(fid)
    await refused(session.clunk(fid))
    await session.rpc(m.Twalk(ROOT, fid, ()), m.Rwalk)
    await session.clunk(fid)


@claim("Fids are a session's own: another session has none of them", "intro(5)")
async def sessions_share_no_fids(stage: Stage) -> None:
    one, other = await stage.session(), await stage.session()
    await one.rpc(m.Twalk(ROOT, UNKNOWN_FID, ()), m.Rwalk)
    await refused(other.clunk(UNKNOWN_FID))
    await other.rpc(m.Twalk(ROOT, UNKNOWN_FID, ()), m.Rwalk)


@claim("A reply has the tag of its request, whichever it is", "intro(5)")
async def any_tag_is_echoed(stage: Stage) -> None:
    raw = await stage.raw_session()
    for tag in (0, 1, 0x7FFF, 0xFFFE):
        await raw.rpc(m.Twalk(ROOT, 5, ()), m.Rwalk, tag=tag)
        await raw.rpc(m.Tclunk(5), m.Rclunk, tag=tag)


@claim("A frame above msize is never carried out; the server goes on serving others", "version(5)")
async def a_frame_above_msize_is_refused(stage: Stage) -> None:
    raw = await stage.raw()
    agreed = await raw.version(stage.dialect.value, msize=SMALL)
    raw.send_frame(TWALK, 1, bytes(agreed.msize))
    await _refused_or_over(stage, raw)


@claim(
    "A frame that ends inside a field is never carried out; the server goes on serving others",
    "intro(5)",
)
async def a_short_frame_is_refused(stage: Stage) -> None:
    raw = await stage.raw_session()
    raw.send_frame(TWALK, 1, b"\0\0\0\0")
    await _refused_or_over(stage, raw)


@claim("A frame shorter than its own header ends the session", "intro(5)")
async def a_frame_without_a_header_is_refused(stage: Stage) -> None:
    raw = await stage.raw_session()
    raw.send_frame(TWALK, 1, b"", size=3)
    await _refused_or_over(stage, raw)


@claim(
    "A message type that does not exist is refused; the server goes on serving others", "intro(5)"
)
async def an_unknown_type_is_refused(stage: Stage) -> None:
    raw = await stage.raw_session()
    raw.send_frame(NOTHING, 1, b"")
    await _refused_or_over(stage, raw)


async def _refused_or_over(stage: Stage, raw: Raw) -> None:
    """An error or the end of this session will do, as the manual says neither."""
    got = await raw.receive()
    if got is not None:
        error = isinstance(got[1], m.Rerror | m.Rlerror)
        expect(error, "Rerror or the end of the session", raw.shown(got[1]))
    await stage.session()
