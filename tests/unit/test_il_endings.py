"""How IL conversations end, by silence and by close: every rule of docs/il.md, packet by packet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netrelay.errors import NetError
from netrelay.types import IlClosed, IlMessage
from tests.unit.il_packets import (
    ACK,
    CALLED,
    CALLER,
    CLOSE,
    DATA,
    DATAQUERY,
    QUERY,
    START,
    STATE,
    SYNC,
    THEIRS,
    established,
    events,
    packet,
    sent,
)

if TYPE_CHECKING:
    from netrelay.core import Core
    from netrelay.il.machine import IlCore

FIRST, NEXT = START + 1, THEIRS + 1


@pytest.fixture
def il(core: Core) -> IlCore:
    return established(core)


# Silence.


def test_after_ten_idle_seconds_the_other_side_is_asked_and_after_five_minutes_it_is_gone(
    il: IlCore,
) -> None:
    times = []
    while (due := il.poll_timeout()) is not None:
        times.append(due)
        il.handle_timeout(due)
        assert due == 300_000 or [kind for kind, *_ in sent(il)] == [QUERY]
    assert times == list(range(10_000, 300_001, 10_000))
    assert events(il) == [IlClosed("connection timed out")]
    assert sent(il) == []


def test_any_packet_puts_the_end_off(il: IlCore) -> None:
    il.handle_packet(9_999, packet(ACK, NEXT, START))
    assert il.poll_timeout() == 19_999
    il.handle_timeout(299_999)
    assert il.state() == "Established"


def test_seventeen_questions_without_an_answer_are_enough(il: IlCore) -> None:
    il.send(0, b"abc")
    sent(il)
    asked = now = 0
    while (due := il.poll_timeout()) is not None:
        now = due
        il.handle_timeout(now)
        sent(il)
        asked = max(asked, int(il.status().split()[16]))
    assert events(il) == [IlClosed("connection timed out")]
    assert asked == 17
    assert 214_000 < now < 215_000


def test_a_side_that_answers_but_never_gets_the_message_is_given_up(il: IlCore) -> None:
    """A path for small packets only: the questions pass, and what is sent again does not."""
    il.send(0, bytes(9000))
    sent(il)
    tried, now = 0, 0
    while (due := il.poll_timeout()) is not None:
        now = due
        il.handle_timeout(now)
        for kind, spec, *_ in sent(il):
            tried += kind == DATAQUERY
            if kind == QUERY:
                il.handle_packet(now, packet(STATE, NEXT, START, spec=spec))
    assert tried == 17
    assert 60_000 < now < 300_000
    assert events(il) == [IlClosed("connection timed out")]


# The end.


def test_a_close_is_confirmed_and_confirms(il: IlCore) -> None:
    il.close(5)
    assert sent(il) == [(CLOSE, 0, FIRST, THEIRS, b"")]
    assert il.state() == "Closing"
    assert events(il) == []
    il.handle_packet(6, packet(CLOSE, NEXT, FIRST))
    assert sent(il) == [(CLOSE, 0, FIRST, NEXT, b"")]
    assert events(il) == [IlClosed(None)]
    assert il.state() == "Closed"
    assert il.poll_timeout() is None


def test_what_was_sent_is_waited_for_before_the_close(il: IlCore) -> None:
    il.send(0, b"last words")
    sent(il)
    il.close(5)
    assert il.state() == "Established"
    assert sent(il) == []
    assert il.room() == 0
    with pytest.raises(NetError, match="i/o on hungup channel"):
        il.send(5, b"more")
    il.handle_timeout(250)
    il.handle_packet(260, packet(STATE, NEXT, START, spec=2))
    assert [kind for kind, *_ in sent(il)] == [QUERY, DATAQUERY]
    il.handle_packet(270, packet(STATE, NEXT, FIRST, spec=3))
    assert sent(il) == [(CLOSE, 0, START + 2, THEIRS, b"")]
    assert il.state() == "Closing"


def test_last_words_that_never_arrive_are_an_error(il: IlCore) -> None:
    il.send(0, b"last words")
    il.close(5)
    il.handle_timeout(300_000)
    assert events(il) == [IlClosed("connection timed out")]


def test_who_has_closed_reads_nothing_but_acknowledges(il: IlCore) -> None:
    """Or two that close at once, each with messages under way, would wait for each other."""
    il.handle_packet(0, packet(DATA, NEXT, START, b"unread"))
    il.send(0, b"last words")
    sent(il)
    il.close(0)
    il.handle_packet(0, packet(DATA, NEXT + 1, START, b"late"))
    il.handle_timeout(100)
    assert sent(il) == [(ACK, 0, START + 2, NEXT + 1, b"")]
    assert events(il) == []
    assert " qin 0 " in il.status()


def test_a_remote_close_ends_what_there_is_to_read(il: IlCore) -> None:
    il.handle_packet(0, packet(DATA, NEXT, START, b"a"))
    il.handle_packet(0, packet(DATA, NEXT + 2, START, b"early"))
    il.send(0, b"in vain")
    il.handle_packet(1, packet(CLOSE, NEXT + 1, START))
    assert sent(il) == [(CLOSE, 0, START + 2, NEXT + 1, b"")]
    assert events(il) == [IlMessage(b"a"), IlClosed(None)]
    assert il.state() == "Closing"
    with pytest.raises(NetError, match="i/o on hungup channel"):
        il.send(2, b"more")
    il.close(2)
    il.handle_packet(3, packet(CLOSE, NEXT + 1, START + 2))
    assert il.state() == "Closed"
    assert events(il) == []


def test_both_close_at_once(il: IlCore) -> None:
    il.close(0)
    sent(il)
    il.handle_packet(1, packet(CLOSE, NEXT, START))
    assert sent(il) == [(CLOSE, 0, FIRST, NEXT, b"")]
    assert il.state() == "Closing"
    il.handle_packet(2, packet(CLOSE, NEXT, FIRST))
    assert events(il) == [IlClosed(None)]


@pytest.mark.parametrize("ack", [START - 1, FIRST + 2, 0])
def test_a_close_of_an_earlier_conversation_means_nothing(il: IlCore, ack: int) -> None:
    il.send(0, b"abc")
    sent(il)
    il.handle_packet(1, packet(CLOSE, NEXT, ack))
    assert il.state() == "Established"
    assert sent(il) == []


def test_a_peer_that_was_restarted_has_forgotten_us(il: IlCore) -> None:
    il.handle_packet(0, packet(DATA, NEXT, START, b"a"))
    il.handle_packet(1, packet(SYNC, 0x7777, 0))
    assert events(il) == [IlMessage(b"a"), IlClosed("remote close")]
    assert il.state() == "Closed"


def test_a_close_that_nobody_confirms_is_repeated_and_then_let_be(il: IlCore) -> None:
    il.close(0)
    count = 0
    while (due := il.poll_timeout()) is not None:
        count += len(sent(il))
        il.handle_timeout(due)
    assert count == 18
    assert events(il) == [IlClosed(None)]


def test_a_call_is_taken_back(core: Core) -> None:
    il = core.Il.connect(0, CALLER, CALLED, START)
    sent(il)
    il.close(5)
    assert sent(il) == [(CLOSE, 0, FIRST, 0, b"")]
    # The answer was on its way; who sent it hears no close but one that is about it.
    il.handle_packet(6, packet(SYNC, THEIRS, START))
    assert sent(il) == [(CLOSE, 0, FIRST, THEIRS, b"")]
    il.handle_packet(7, packet(CLOSE, NEXT, FIRST))
    assert events(il) == [IlClosed(None)]


def test_a_conversation_that_is_over_hears_and_does_nothing(il: IlCore) -> None:
    il.close(0)
    il.handle_packet(1, packet(CLOSE, NEXT, FIRST))
    sent(il)
    before = il.stats()
    for kind in range(8):
        il.handle_packet(2, packet(kind, NEXT, FIRST))
    il.handle_timeout(1_000_000)
    il.close(1_000_000)
    assert sent(il) == []
    assert il.stats() == before
    assert events(il) == [IlClosed(None)]
    assert il.status().startswith("Closed qin 0 qout 0 ")
