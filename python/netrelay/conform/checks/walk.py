"""Walks: to where, which fid comes to be, and what a walk that fails leaves alone (walk(5))."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netrelay import messages as m
from netrelay.conform.claims import PLAIN, claim, expect, same
from netrelay.conform.dialects import attributes
from netrelay.conform.expectations import refused, refused_with
from netrelay.conform.files import ROOT
from netrelay.conform.stream import shown
from netrelay.types import MAXWELEM, QTDIR

if TYPE_CHECKING:
    from netrelay.conform.files import Session
    from netrelay.conform.stage import Stage

TWALK = 110
NOBODY = "no-such-file"


@claim("A walk of no names makes a second fid for the same file", "walk(5)")
async def of_no_names_clones_the_fid(stage: Stage) -> None:
    session = await stage.session()
    fid = session.new_fid()
    walked = await session.rpc(m.Twalk(ROOT, fid, ()), m.Rwalk)
    same(walked.wqid, ())
    same((await attributes(session, fid)).qid, (await attributes(session, ROOT)).qid)
    await session.clunk(fid)
    await session.round_trip()


@claim("A walk gives a qid for each name, the last one the file's", "walk(5)", needs=("file",))
async def gives_a_qid_a_name(stage: Stage) -> None:
    session = await stage.session()
    fid = session.new_fid()
    walked = await session.rpc(m.Twalk(ROOT, fid, stage.sample), m.Rwalk)
    same(len(walked.wqid), len(stage.sample))
    same(walked.wqid[-1], (await attributes(session, fid)).qid)
    expect(
        all(qid.type & QTDIR for qid in walked.wqid[:-1]),
        "directories on the way",
        shown(session.core, walked),
    )


@claim("With newfid equal to fid the fid itself moves", "walk(5)", needs=("file",))
async def in_place_moves_the_fid(stage: Stage) -> None:
    session = await stage.session()
    fid = await session.walk(start=ROOT)
    walked = await session.rpc(m.Twalk(fid, fid, stage.sample), m.Rwalk)
    same((await attributes(session, fid)).qid, walked.wqid[-1])


@claim(
    "A first name that is not there is an error that says it `does not exist`", "walk(5), dial(2)"
)
async def to_nothing_is_refused(stage: Stage) -> None:
    session = await stage.session()
    await refused_with(session.walk(NOBODY, start=ROOT), "does not exist")


@claim("A walk that fails at its first name makes no newfid", "walk(5)")
async def that_fails_makes_no_fid(stage: Stage) -> None:
    session = await stage.session()
    fid = session.new_fid()
    await refused(session.rpc(m.Twalk(ROOT, fid, (NOBODY,)), m.Rwalk))
    await _unmade(session, fid)


@claim(
    "A walk that fails at a later name gives the qids up to there and makes no newfid",
    "walk(5)",
    needs=("file",),
)
async def that_fails_later_is_partial(stage: Stage) -> None:
    session = await stage.session()
    fid = session.new_fid()
    names = (stage.sample[0], NOBODY)
    walked = await session.rpc(m.Twalk(ROOT, fid, names), m.Rwalk)
    expect(0 < len(walked.wqid) < len(names), "fewer qids than names", shown(session.core, walked))
    await _unmade(session, fid)


@claim(
    "A walk in place that fails at a later name leaves the fid where it was",
    "walk(5)",
    needs=("file",),
)
async def in_place_that_fails_moves_nothing(stage: Stage) -> None:
    session = await stage.session()
    fid = await session.walk(start=ROOT)
    await session.rpc(m.Twalk(fid, fid, (*stage.sample, NOBODY)), m.Rwalk)
    same((await attributes(session, fid)).qid, (await attributes(session, ROOT)).qid)


@claim(
    "A walk through a plain file gives the qids up to it; from one it is an error",
    "walk(5)",
    needs=("file",),
)
async def through_a_file_ends_there(stage: Stage) -> None:
    session = await stage.session()
    walked = await session.rpc(m.Twalk(ROOT, session.new_fid(), (*stage.sample, "x")), m.Rwalk)
    same(len(walked.wqid), len(stage.sample))
    file = await session.walk(*stage.sample, start=ROOT)
    await refused(session.walk("x", start=file))


@claim("`..` at the root stays at the root", "walk(5), intro(5)")
async def dotdot_at_the_root_stays(stage: Stage) -> None:
    session = await stage.session()
    fid = await session.walk("..", start=ROOT)
    same((await attributes(session, fid)).qid, (await attributes(session, ROOT)).qid)


@claim("`..` leads to the directory above", "intro(5)", needs=("tcp",))
async def dotdot_leads_up(stage: Stage) -> None:
    session = await stage.session()
    there = (await attributes(session, session.net)).qid
    for names in (("tcp", ".."), ("tcp", "..", "tcp", "..")):
        fid = await session.walk(*names)
        same((await attributes(session, fid)).qid, there)


@claim("A walk may have 16 names", "walk(5)", needs=("tcp",))
async def of_sixteen_names_is_legal(stage: Stage) -> None:
    session = await stage.session()
    names = ("tcp", "..") * (MAXWELEM // 2)
    fid = await session.walk(*names)
    same((await attributes(session, fid)).qid, (await attributes(session, session.net)).qid)


@claim("A walk of 17 names is never carried out", "walk(5)", needs=("tcp",))
async def of_seventeen_names_is_refused(stage: Stage) -> None:
    raw = await stage.raw_session()
    names = stage.net("tcp") + ("..", "tcp") * (MAXWELEM // 2)
    names = names[: MAXWELEM + 1]
    body = ROOT.to_bytes(4, "little") + (5).to_bytes(4, "little")
    body += len(names).to_bytes(2, "little")
    for name in names:
        body += len(name).to_bytes(2, "little") + name.encode()
    raw.send_frame(TWALK, 1, body)
    got = await raw.receive()
    if got is not None:
        match got[1]:
            case m.Rwalk(wqid):
                expect(len(wqid) <= MAXWELEM, f"{MAXWELEM} qids at most", raw.shown(got[1]))
            case reply:
                expect(isinstance(reply, m.Rerror | m.Rlerror), "Rerror", raw.shown(reply))
    await stage.session()


@claim("A walk to a fid in use is refused", "walk(5)")
async def to_a_fid_in_use_is_refused(stage: Stage) -> None:
    session = await stage.session()
    fid = await session.walk(start=ROOT)
    await refused(session.rpc(m.Twalk(ROOT, fid, ()), m.Rwalk))


@claim("A walk from a fid that is open for I/O is refused", "walk(5)")
async def from_an_open_fid_is_refused(stage: Stage) -> None:
    session = await stage.session()
    directory = await session.open(start=ROOT)
    await refused(session.rpc(m.Twalk(directory.fid, session.new_fid(), ()), m.Rwalk))


@claim(
    "Names are compared byte for byte: neither case nor a space is forgiven",
    "walk(5)",
    needs=("tcp",),
)
async def compares_names_exactly(stage: Stage) -> None:
    session = await stage.session()
    for name in ("TCP", "tcp ", " tcp", "tc", "tcpx"):
        await refused(session.walk(name))


@claim(
    "A name of 200 bytes is an error of at most 127, the system's limit",
    "intro(5), errstr(2)",
    dialects=PLAIN,
)
async def to_a_long_name_has_a_short_error(stage: Stage) -> None:
    session = await stage.session()
    refusal = await refused(session.walk("x" * 200, start=ROOT))
    expect(len(refusal.text.encode()) <= 127, "127 bytes at most", refusal.seen)


async def _unmade(session: Session, fid: int) -> None:
    """The fid is unknown, and free to be made."""
    await refused(session.clunk(fid))
    await session.rpc(m.Twalk(ROOT, fid, ()), m.Rwalk)
