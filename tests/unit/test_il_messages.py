"""How IL carries messages: every rule of docs/il.md, packet by packet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netrelay.errors import NetError
from netrelay.types import IlConnected, IlMessage
from tests.unit.il_packets import (
    ACK,
    CALLED,
    CALLER,
    DATA,
    DATAQUERY,
    HEADER,
    LONGEST,
    QUERY,
    START,
    STATE,
    SYNC,
    THEIRS,
    WINDOW,
    established,
    events,
    packet,
    sent,
)

if TYPE_CHECKING:
    from netrelay.core import Core
    from netrelay.il.machine import IlCore

FIRST, NEXT = START + 1, THEIRS + 1
KIB64 = 64 << 10


@pytest.fixture
def il(core: Core) -> IlCore:
    return established(core)


def heard(il: IlCore) -> list[bytes]:
    """The messages that have come, and nothing else has."""
    found = events(il)
    assert all(isinstance(event, IlMessage) for event in found)
    return [event.data for event in found if isinstance(event, IlMessage)]


# Receiving.


def test_messages_keep_their_boundaries_even_without_bytes(il: IlCore) -> None:
    said = [b"one", b"", b"three", b"", bytes(8192)]
    for number, message in enumerate(said):
        il.handle_packet(0, packet(DATA, NEXT + number, START, message))
    assert heard(il) == said


def test_a_message_of_the_whole_of_a_datagram(il: IlCore) -> None:
    message = bytes(range(256)) * 256
    message = message[:LONGEST]
    il.handle_packet(0, packet(DATA, NEXT, START, message))
    assert heard(il) == [message]
    assert il.send(0, message)
    ((_, _, _, _, data),) = sent(il)
    assert data == message
    with pytest.raises(NetError, match="read or write too large"):
        il.send(0, message + b"!")


def test_a_message_is_acknowledged_within_the_delay_and_once(il: IlCore) -> None:
    il.handle_packet(40, packet(DATA, NEXT, START, b"a"))
    il.handle_packet(90, packet(DATA, NEXT + 1, START, b"b"))
    assert il.poll_timeout() == 140
    il.handle_timeout(139)
    assert sent(il) == []
    il.handle_timeout(140)
    assert sent(il) == [(ACK, 0, FIRST, NEXT + 1, b"")]
    assert il.poll_timeout() == 90 + 10_000


def test_an_answer_acknowledges_what_it_answers(il: IlCore) -> None:
    il.handle_packet(40, packet(DATA, NEXT, START, b"question"))
    il.send(50, b"answer")
    assert sent(il) == [(DATA, 0, FIRST, NEXT, b"answer")]
    assert il.poll_timeout() == 50 + 250


def test_half_a_window_is_acknowledged_at_once(il: IlCore) -> None:
    for number in range(WINDOW // 2):
        assert sent(il) == []
        il.handle_packet(5, packet(DATA, NEXT + number, START, b"a"))
    assert sent(il) == [(ACK, 0, FIRST, NEXT + WINDOW // 2 - 1, b"")]
    assert il.poll_timeout() == 10_005


def test_what_comes_early_waits_for_what_is_before_it(il: IlCore) -> None:
    for number in (2, 1, 3):
        il.handle_packet(0, packet(DATA, NEXT + number, START, b"%d" % number))
        assert heard(il) == []
    # Nothing is acknowledged that is not in order.
    assert il.poll_timeout() == 10_000
    il.handle_packet(0, packet(DATA, NEXT, START, b"0"))
    assert heard(il) == [b"0", b"1", b"2", b"3"]
    assert il.stats()["OutOfOrder"] == 3
    il.handle_timeout(100)
    assert sent(il) == [(ACK, 0, FIRST, NEXT + 3, b"")]


def test_what_comes_twice_is_read_once(il: IlCore) -> None:
    early, now = packet(DATA, NEXT + 1, START, b"early"), packet(DATA, NEXT, START, b"now")
    for raw in (early, early, now, now, early):
        il.handle_packet(0, raw)
    assert heard(il) == [b"now", b"early"]
    stats = il.stats()
    assert (stats["DupMsg"], stats["DupBytes"]) == (3, 2 * (HEADER + 5) + HEADER + 3)


def test_what_is_beyond_the_window_is_not_taken(il: IlCore) -> None:
    il.handle_packet(0, packet(DATA, NEXT + WINDOW, START, b"beyond"))
    for number in reversed(range(WINDOW)):
        il.handle_packet(0, packet(DATA, NEXT + number, START, b"%d" % number))
    assert heard(il) == [b"%d" % number for number in range(WINDOW)]
    il.handle_packet(0, packet(DATA, NEXT + WINDOW, START, b"in turn"))
    assert heard(il) == [b"in turn"]


@pytest.mark.parametrize("query", [QUERY, DATAQUERY])
def test_a_query_is_answered_with_what_came(il: IlCore, query: int) -> None:
    il.handle_packet(0, packet(query, NEXT, START, b"abc" * (query == DATAQUERY), spec=7))
    came = THEIRS + (query == DATAQUERY)
    assert sent(il) == [(STATE, 7, FIRST, came, b"")]
    assert heard(il) == [b"abc"] * (query == DATAQUERY)


# The bound of what waits to be read.


def fill(il: IlCore) -> int:
    """Sixteen messages of 4 KiB less a header, which is all that there is room for; the next id."""
    for number in range(16):
        il.handle_packet(0, packet(DATA, NEXT + number, START, bytes(4096 - HEADER)))
    sent(il)
    return NEXT + 16


def test_a_message_too_many_is_dropped_and_not_acknowledged(il: IlCore) -> None:
    following = fill(il)
    il.handle_packet(0, packet(DATA, following, START, b"dropped"))
    il.handle_timeout(100)
    assert sent(il) == []
    assert il.stats()["DroppedMsgs"] == 1
    assert len(heard(il)) == 16


def test_messages_without_bytes_fill_it_too(il: IlCore) -> None:
    for number in range(2 * KIB64 // HEADER):
        il.handle_packet(0, packet(DATA, NEXT + number, START))
        sent(il)
    assert len(heard(il)) == -(-KIB64 // HEADER)


@pytest.mark.parametrize("query", [QUERY, DATAQUERY])
def test_a_query_without_room_for_an_answer_gets_a_sign_of_life(il: IlCore, query: int) -> None:
    following = fill(il)
    il.handle_packet(5, packet(query, following, START, spec=3))
    assert sent(il) == [(ACK, 0, FIRST, following - 1, b"")]


def test_once_half_is_read_the_rest_is_asked_for(il: IlCore) -> None:
    following = fill(il)
    il.handle_packet(5, packet(DATA, following, START, b"dropped"))
    for _ in range(7):
        assert isinstance(il.poll_event(), IlMessage)
        assert sent(il) == []
    assert isinstance(il.poll_event(), IlMessage)
    assert sent(il) == [(STATE, 0, FIRST, following - 1, b"")]
    assert len(heard(il)) == 8
    assert sent(il) == []


def test_what_a_dropped_message_acknowledges_counts(il: IlCore) -> None:
    il.send(0, b"abc")
    following = fill(il)
    il.handle_packet(0, packet(DATA, following, FIRST, b"dropped"))
    assert il.room() == WINDOW


# Sending.


def test_a_window_of_messages_is_under_way_and_no_more(il: IlCore) -> None:
    for number in range(WINDOW):
        assert il.room() == WINDOW - number
        assert il.send(0, b"%d" % number) is True
    assert il.room() == 0
    assert il.send(0, b"too many") is False
    assert [(kind, id_) for kind, _, id_, _, _ in sent(il)] == [
        (DATA, FIRST + number) for number in range(WINDOW)
    ]
    il.handle_packet(10, packet(ACK, NEXT, FIRST + 4))
    assert il.room() == 5
    assert il.send(10, b"more") is True
    assert sent(il) == [(DATA, 0, FIRST + WINDOW, THEIRS, b"more")]
    assert il.stats()["OutMsgs"] == WINDOW + 1


@pytest.mark.parametrize("ack", [START - 1, START, FIRST + 2, FIRST + 0x8000_0000, 0, 0xFFFF_FFFF])
def test_an_acknowledgement_of_what_was_not_sent_means_nothing(il: IlCore, ack: int) -> None:
    il.send(0, b"one")
    il.send(0, b"two")
    il.handle_packet(10, packet(ACK, NEXT, ack))
    assert il.room() == WINDOW - 2


def test_a_late_acknowledgement_has_the_other_side_asked_first(il: IlCore) -> None:
    il.send(0, b"lost")
    il.send(0, b"arrived")
    sent(il)
    # 50 ms of delay, twice a deviation of 50, the delay of an acknowledgement.
    assert il.poll_timeout() == 250
    il.handle_timeout(250)
    assert sent(il) == [(QUERY, 2, START + 3, THEIRS, b"")]
    # Which says that the first is missing; it is sent again, and asks too.
    il.handle_packet(260, packet(STATE, NEXT, START, spec=2))
    assert sent(il) == [(DATAQUERY, 3, FIRST, THEIRS, b"lost")]
    il.handle_packet(270, packet(STATE, NEXT, START + 2, spec=3))
    assert sent(il) == []
    assert il.room() == WINDOW
    assert il.poll_timeout() == 10_270
    assert il.stats()["Retrans"] == 1
    assert " rex 00001 rxq 00001 " in il.status()


def test_what_is_missing_comes_one_by_one_at_the_pace_of_answers(il: IlCore) -> None:
    for number in range(3):
        il.send(0, b"%d" % number)
    sent(il)
    il.handle_timeout(250)
    assert sent(il) == [(QUERY, 2, START + 4, THEIRS, b"")]
    il.handle_packet(260, packet(STATE, NEXT, START, spec=2))
    assert sent(il) == [(DATAQUERY, 3, FIRST, THEIRS, b"0")]
    il.handle_packet(270, packet(STATE, NEXT, FIRST, spec=3))
    assert sent(il) == [(DATAQUERY, 4, FIRST + 1, THEIRS, b"1")]
    il.handle_packet(280, packet(STATE, NEXT, FIRST + 1, spec=4))
    assert sent(il) == [(DATAQUERY, 5, FIRST + 2, THEIRS, b"2")]


def test_an_answer_counts_once_and_not_for_what_was_sent_after_its_query(il: IlCore) -> None:
    il.send(0, b"lost")
    sent(il)
    il.handle_timeout(250)
    il.handle_timeout(500)
    assert [kind for kind, *_ in sent(il)] == [QUERY, QUERY]
    il.handle_packet(510, packet(STATE, NEXT, START, spec=2))
    assert [kind for kind, *_ in sent(il)] == [DATAQUERY]
    # Again, to the other query that was made before, to one of long ago, to none.
    for spec in (2, 3, 8):
        il.handle_packet(520, packet(STATE, NEXT, START, spec=spec))
    assert sent(il) == []


@pytest.mark.parametrize("spec", [0, 9, 255])
def test_an_answer_without_a_number_needs_no_query(il: IlCore, spec: int) -> None:
    il.send(0, b"dropped")
    sent(il)
    il.handle_packet(10, packet(STATE, NEXT, START, spec=spec))
    assert sent(il) == [(DATAQUERY, 2, FIRST, THEIRS, b"dropped")]
    il.handle_packet(20, packet(STATE, NEXT, FIRST, spec=spec))
    assert sent(il) == []


def test_an_answer_that_was_overtaken_by_an_acknowledgement_means_nothing(il: IlCore) -> None:
    il.send(0, b"abc")
    il.handle_timeout(250)
    sent(il)
    il.handle_packet(260, packet(ACK, NEXT, FIRST))
    il.handle_packet(270, packet(STATE, NEXT, START, spec=2))
    assert sent(il) == []


def test_what_was_acknowledged_before_it_left_is_not_sent(il: IlCore) -> None:
    il.send(0, b"abc")
    il.handle_packet(0, packet(ACK, NEXT, FIRST))
    assert sent(il) == []


def test_queries_are_told_apart_by_eight_numbers(il: IlCore) -> None:
    il.send(0, b"lost")
    sent(il)
    specs = []
    for _ in range(9):
        due = il.poll_timeout()
        assert due is not None
        il.handle_timeout(due)
        specs += [spec for kind, spec, *_ in sent(il) if kind == QUERY]
    assert specs[:9] == [2, 3, 4, 5, 6, 7, 8, 1, 2]


def test_the_round_trip_of_small_messages_is_learned(il: IlCore) -> None:
    """A message of 3 bytes and its acknowledgement: 41 + 38 + 38 bytes in 80 ms.

    The delay becomes (400 - 50 + 80) / 8 = 53 ms; at 100 bytes a millisecond 54 ms were expected,
    so the deviation becomes (200 - 50 + 26) / 4 = 44.
    """
    il.send(0, b"abc")
    il.handle_packet(80, packet(ACK, NEXT, FIRST))
    assert il.status() == (
        "Established qin 0 qout 0 del 00053 Br 00100 md 00044 una 00000 rex 00000 rxq 00000"
        " max 00080\n"
    )
    il.send(100, bytes(962))
    # 53 + 1000 bytes at 100 a millisecond + 88 + 100.
    assert il.poll_timeout() == 100 + 251


def test_the_rate_is_learned_from_large_messages(il: IlCore) -> None:
    """8230 + 38 + 38 bytes in 91 ms, 41 more than the delay: 202 bytes a millisecond.

    The rate becomes (800 - 100 + 202) / 8 = 112; that makes 124 ms, so the deviation becomes
    (200 - 50 + 33) / 4 = 45.
    """
    il.send(0, bytes(8192))
    il.handle_packet(91, packet(ACK, NEXT, FIRST))
    assert " del 00050 Br 00112 md 00045 " in il.status()


def test_an_acknowledgement_of_several_teaches_nothing(il: IlCore) -> None:
    for _ in range(3):
        il.send(0, b"abc")
    il.handle_packet(80, packet(ACK, NEXT, FIRST + 1))
    il.handle_packet(90, packet(ACK, NEXT, FIRST + 2))
    assert il.status().endswith(" max 00000\n")
    il.send(100, b"abc")
    il.handle_packet(180, packet(ACK, NEXT, FIRST + 3))
    assert il.status().endswith(" max 00080\n")


def test_an_answer_to_a_query_teaches_nothing(il: IlCore) -> None:
    il.send(0, b"abc")
    il.handle_timeout(250)
    il.handle_packet(260, packet(STATE, NEXT, FIRST, spec=2))
    assert " del 00050 Br 00100 md 00050 " in il.status()
    assert il.status().endswith(" max 00000\n")


def test_packets_that_nobody_fetches_are_lost_and_not_kept(il: IlCore) -> None:
    for _ in range(1000):
        il.handle_packet(0, packet(QUERY, NEXT, START, spec=1))
    assert len(sent(il)) == 2 * WINDOW


def test_ids_wrap(core: Core) -> None:
    il = core.Il.connect(0, CALLER, CALLED, 0xFFFF_FFFE)
    il.handle_packet(0, packet(SYNC, 0xFFFF_FFFD, 0xFFFF_FFFE))
    sent(il)
    for number in range(5):
        il.handle_packet(0, packet(DATA, 0xFFFF_FFFE + number, 0xFFFF_FFFE, b"%d" % number))
        assert il.send(0, b"abc")
    assert events(il)[0] == IlConnected()
    assert [id_ for _, _, id_, _, _ in sent(il)] == [0xFFFF_FFFF, 0, 1, 2, 3]
    il.handle_packet(0, packet(ACK, 3, 1))
    assert il.room() == WINDOW - 2
