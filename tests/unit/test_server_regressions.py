"""Server session bugs that were found once, each by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netrelay import messages as m
from netrelay.types import NOFID, NOTAG, Ask, Dialect, Qid, Send

if TYPE_CHECKING:
    from netrelay.core import Core, ServerCore

ROOT = Qid(0x80, 0, 0)
FILE = Qid(0, 0, 9)


def _attached(core: Core) -> ServerCore:
    session = core.ServerSession()
    _feed(core, session, NOTAG, m.Tversion(8192, "9P2000"))
    _feed(core, session, 0, m.Tattach(0, NOFID, "glenda", ""))
    session.answer(0, m.Rattach(ROOT))
    _pull(session)
    return session


def _feed(core: Core, session: ServerCore, tag: int, message: m.Message) -> list[object]:
    session.feed(core.encode(tag, message, Dialect.P2000))
    return _pull(session)


def _pull(session: ServerCore) -> list[object]:
    return list(iter(session.next_event, None))


def test_a_long_chain_of_flushes_of_flushes_is_answered_in_order(core: Core) -> None:
    session = _attached(core)
    _feed(core, session, 0, m.Tstat(0))
    for tag in range(1, 3000):
        _feed(core, session, tag, m.Tflush(tag - 1))
    session.withdraw(0)
    sent = [event.frame for event in _pull(session) if isinstance(event, Send)]
    assert [int.from_bytes(frame[5:7], "little") for frame in sent] == list(range(1, 3000))


def test_a_late_ropen_does_not_open_the_fid_that_took_the_number(core: Core) -> None:
    session = _attached(core)
    _feed(core, session, 1, m.Topen(0, 0))
    _feed(core, session, 2, m.Tclunk(0))
    _feed(core, session, 3, m.Tattach(0, NOFID, "bob", ""))
    session.answer(3, m.Rattach(ROOT))
    session.answer(1, m.Ropen(FILE, 0))
    assert [(view.uname, view.open) for view in session.fids()] == [("bob", None)]


def test_a_late_rwalk_makes_a_fid_of_the_attach_that_it_came_from(core: Core) -> None:
    session = _attached(core)
    assert any(isinstance(event, Ask) for event in _feed(core, session, 1, m.Twalk(0, 5, ("net",))))
    _feed(core, session, 2, m.Tclunk(0))
    _feed(core, session, 3, m.Tattach(0, NOFID, "bob", ""))
    session.answer(3, m.Rattach(ROOT))
    session.answer(1, m.Rwalk((FILE,)))
    assert [(view.fid, view.uname) for view in session.fids()] == [(0, "bob"), (5, "glenda")]
