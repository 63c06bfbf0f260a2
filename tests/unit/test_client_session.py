"""One session used: tags, the version, what a server may not say (docs/protocol.md, 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netrelay import messages as m
from netrelay.errors import DecodeError, FrameError, PeerError, UsageError
from netrelay.types import NOTAG, Dialect, Flushed, Qid, Ready, Reply, Retry

if TYPE_CHECKING:
    from netrelay.core import ClientCore, Core


def _ready(core: Core, version: str = "9P2000.netrelay", msize: int = 8192) -> ClientCore:
    session = core.ClientSession(msize=8192)
    session.feed(core.encode(NOTAG, m.Rversion(msize, version), Dialect.P2000))
    assert isinstance(session.next_event(), Ready)
    return session


def _says(core: Core, session: ClientCore, tag: int, message: m.Message) -> list[object]:
    session.feed(core.encode(tag, message, Dialect.P2000))
    return list(iter(session.next_event, None))


def test_the_offer_is_the_windowed_version_and_its_answer_makes_it_ready(core: Core) -> None:
    session = core.ClientSession(msize=65536)
    offered = core.decode(session.hello(), Dialect.P2000)
    assert offered == (NOTAG, m.Tversion(65536, "9P2000.netrelay"))
    events = _says(core, session, NOTAG, m.Rversion(8192, "9P2000.netrelay"))
    assert events == [Ready(Dialect.P2000, 8192, windowed=True)]


def test_a_server_that_cuts_the_suffix_is_a_foreign_one(core: Core) -> None:
    session = core.ClientSession(msize=65536)
    events = _says(core, session, NOTAG, m.Rversion(8192, "9P2000"))
    assert events == [Ready(Dialect.P2000, 8192, windowed=False)]


def test_a_server_that_knows_no_suffix_is_asked_again_without(core: Core) -> None:
    session = core.ClientSession(msize=65536)
    (retry,) = _says(core, session, NOTAG, m.Rversion(8192, "unknown"))
    assert isinstance(retry, Retry)
    assert core.decode(retry.frame, Dialect.P2000) == (NOTAG, m.Tversion(65536, "9P2000"))
    with pytest.raises(PeerError):
        _says(core, session, NOTAG, m.Rversion(8192, "unknown"))


@pytest.mark.parametrize(
    "answer",
    [
        m.Rversion(8193, "9P2000"),
        m.Rversion(4095, "9P2000"),
        m.Rversion(8192, "9P2000.L"),
        m.Rerror("no", 0),
        m.Rclunk(),
    ],
)
def test_a_version_that_was_not_offered_ends_the_session(core: Core, answer: m.Message) -> None:
    session = core.ClientSession(msize=8192)
    session.hello()
    with pytest.raises(PeerError) as first:
        _says(core, session, NOTAG, answer)
    with pytest.raises(PeerError, match=str(first.value)):
        session.next_event()


def test_nothing_is_asked_before_the_version_is_agreed(core: Core) -> None:
    with pytest.raises(UsageError):
        core.ClientSession(msize=8192).request(m.Tclunk(0))


def test_tags_are_the_lowest_free_ones(core: Core) -> None:
    session = _ready(core)
    assert [session.request(m.Tclunk(fid))[0] for fid in range(3)] == [0, 1, 2]
    assert _says(core, session, 1, m.Rclunk()) == [Reply(1, m.Rclunk())]
    assert session.request(m.Tclunk(9))[0] == 1
    assert session.request(m.Tclunk(9))[0] == 3


def test_replies_may_come_in_any_order_and_any_pieces(core: Core) -> None:
    session = _ready(core)
    for fid in range(2):
        session.request(m.Tread(fid, 0, 10))
    stream = core.encode(1, m.Rread(b"b"), Dialect.P2000)
    stream += core.encode(0, m.Rread(b"a"), Dialect.P2000)
    seen = []
    for at in range(len(stream)):
        session.feed(stream[at : at + 1])
        seen += list(iter(session.next_event, None))
    assert [event.tag for event in seen if isinstance(event, Reply)] == [1, 0]


def test_a_reply_that_crosses_its_flush_is_honoured_and_frees_the_tag_only_then(
    core: Core,
) -> None:
    session = _ready(core)
    tag, _ = session.request(m.Tread(0, 0, 10))
    session.flush(tag)
    (reply,) = _says(core, session, tag, m.Rread(b"late"))
    assert isinstance(reply, Reply)
    assert session.request(m.Tclunk(0))[0] == 2
    assert _says(core, session, 1, m.Rflush()) == [Flushed(tag, replied=True)]
    assert session.request(m.Tclunk(0))[0] == 0


def test_a_flushed_request_is_over_with_the_last_of_its_flushes(core: Core) -> None:
    session = _ready(core)
    tag, _ = session.request(m.Tread(0, 0, 10))
    session.flush(tag)
    session.flush(tag)
    assert _says(core, session, 1, m.Rflush()) == []
    assert _says(core, session, 2, m.Rflush()) == [Flushed(tag, replied=False)]


@pytest.mark.parametrize(
    ("tag", "reply"),
    [(0, m.Ropen(Qid(0, 0, 0), 0)), (1, m.Rclunk()), (0, m.Rversion(8192, "9P2000"))],
)
def test_a_reply_that_nobody_asked_for_ends_the_session(
    core: Core, tag: int, reply: m.Message
) -> None:
    session = _ready(core)
    session.request(m.Tclunk(0))
    with pytest.raises(PeerError):
        _says(core, session, tag, reply)


def test_a_request_from_the_server_is_no_message_for_a_client(core: Core) -> None:
    session = _ready(core)
    with pytest.raises(DecodeError):
        _says(core, session, 0, m.Tclunk(0))


def test_a_frame_above_the_agreed_msize_is_refused_before_it_comes(core: Core) -> None:
    session = _ready(core, msize=4096)
    session.feed((4097).to_bytes(4, "little"))
    with pytest.raises(FrameError):
        session.next_event()


def test_a_request_above_the_agreed_msize_is_our_own_fault(core: Core) -> None:
    session = _ready(core, msize=4096)
    with pytest.raises(UsageError):
        session.request(m.Twrite(0, 0, bytes(4096)))
    assert session.request(m.Twrite(0, 0, bytes(4096 - 23)))[0] == 0
