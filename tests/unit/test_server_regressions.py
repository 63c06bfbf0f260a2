"""Server session bugs that were found once, each by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netrelay import messages as m
from netrelay.errors import DecodeError
from netrelay.types import NOFID, NOTAG, Ask, Dialect, Qid, Send, Withdraw

if TYPE_CHECKING:
    from netrelay.core import Core, ServerCore

ROOT = Qid(0x80, 0, 0)
FILE = Qid(0, 0, 9)


def _attached(core: Core, max_requests: int = 4096) -> ServerCore:
    session = core.ServerSession(max_requests=max_requests)
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


def test_a_session_full_of_requests_still_takes_them_back(core: Core) -> None:
    session = _attached(core, max_requests=1)
    _feed(core, session, 1, m.Tstat(0))
    assert _feed(core, session, 2, m.Tflush(1)) == [Withdraw(1)]
    full = core.encode(3, m.Rerror("too many requests"), Dialect.P2000)
    assert _feed(core, session, 3, m.Tstat(0)) == [Send(full)]
    session.withdraw(1)
    _pull(session)
    assert [type(event) for event in _feed(core, session, 3, m.Tstat(0))] == [Ask]


def test_a_walk_by_name_from_an_open_directory_is_asked(core: Core) -> None:
    session = _attached(core)
    _feed(core, session, 1, m.Topen(0, 0))
    session.answer(1, m.Ropen(FILE, 0))
    _pull(session)
    (ask,) = _feed(core, session, 1, m.Twalk(0, 1, (".", "", "/")))
    assert isinstance(ask, Ask)
    assert ask.fid is not None
    assert (ask.fid.walked, ask.message) == (ROOT, m.Twalk(0, 1, (".", "", "/")))


def test_a_session_that_failed_fails_the_same_way_for_ever(core: Core) -> None:
    session = _attached(core)
    session.feed(bytes((7, 0, 0, 0, 120, 1, 0)))
    session.feed(core.encode(1, m.Tclunk(0), Dialect.P2000))
    for _ in range(3):
        with pytest.raises(DecodeError, match=r"^short in Tclunk\.fid$"):
            session.next_event()


def test_an_rlerror_has_words_where_the_dialect_wants_them(core: Core) -> None:
    session = _attached(core)
    _feed(core, session, 1, m.Tstat(0))
    session.answer(1, m.Rlerror(2))
    assert _pull(session) == [Send(core.encode(1, m.Rerror("error 2"), Dialect.P2000))]
