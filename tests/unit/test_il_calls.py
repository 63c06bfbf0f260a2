"""IL's packets, byte by byte, and how conversations begin: every rule of docs/il.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netrelay.types import IlClosed, IlConnected, IlMessage
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
    WINDOW,
    established,
    events,
    fields,
    packet,
    sent,
    summed,
)

if TYPE_CHECKING:
    from netrelay.core import Core
    from netrelay.il.machine import IlCore


@pytest.fixture
def il(core: Core) -> IlCore:
    return established(core)


# The bytes.


def test_the_handshake_byte_by_byte(core: Core) -> None:
    caller = core.Il.connect(0, CALLER, CALLED, 0x00000100)
    sync = caller.poll_transmit()
    # 0012 + 0000 + 1388 + 4270 + 0000 + 0100 + 0000 + 0000 is 570a, and the sum its complement.
    assert sync == bytes.fromhex("a8f5 0012 00 00 1388 4270 00000100 00000000")
    assert caller.state() == "Syncer"
    called = core.Il.accept(0, sync, 0xFEDC0200)
    assert called is not None
    assert called.state() == "Syncee"
    answer = called.poll_transmit()
    # 0012 + 4270 + 1388 + fedc + 0200 + 0100 is 157e6, folded 57e7.
    assert answer == bytes.fromhex("a818 0012 00 00 4270 1388 fedc0200 00000100")
    caller.handle_packet(1, answer)
    confirmation = caller.poll_transmit()
    # 0012 + 0300 + 1388 + 4270 + 0101 + fedc + 0200 is 15ae7, folded 5ae8.
    assert confirmation == bytes.fromhex("a517 0012 03 00 1388 4270 00000101 fedc0200")
    called.handle_packet(2, confirmation)
    for end in (caller, called):
        assert events(end) == [IlConnected()]
        assert end.state() == "Established"
        assert end.poll_transmit() is None


def test_a_message_and_its_checksum_byte_by_byte(il: IlCore) -> None:
    assert il.send(5, b"\xff\x01\x02")
    # 0015 + 0100 + 1388 + 4270 + 0101 + 0200 + ff01 + 0200 is 15b0f, folded 5b10.
    assert il.poll_transmit() == bytes.fromhex("a4ef 0015 01 00 1388 4270 00000101 00000200 ff0102")
    assert il.poll_transmit() is None


def test_a_checksum_of_zero_is_one(core: Core) -> None:
    """Eight words that add up to ffff: the sum is 0 and is verified like any other."""
    il = core.Il.connect(0, CALLER, CALLED, START)
    il.handle_packet(0, packet(SYNC, THEIRS, START))
    short = packet(DATA, 0x201, START, b"\0\0")
    raw = short[:18] + short[:2]
    assert summed(raw)[:2] == b"\0\0"
    il.handle_packet(0, b"\0\0" + raw[2:])
    assert events(il) == [IlConnected(), IlMessage(short[:2])]


@pytest.mark.parametrize(
    ("raw", "counter"),
    [
        (b"", "HlenErr"),
        (packet(DATA, 0x201, START)[:17], "HlenErr"),
        (packet(DATA, 0x201, START, b"abc")[:-1], "LenErrs"),
        (summed(b"\0\0\0\x11" + packet(DATA, 0x201, START)[4:]), "LenErrs"),
        (summed(b"\0\0\0\0" + packet(DATA, 0x201, START)[4:]), "LenErrs"),
        (packet(DATA, 0x201, START, b"abc")[:-1] + b"d", "CsumErrs"),
        (b"\0" + packet(DATA, 0x201, START)[1:], "CsumErrs"),
        (bytes(18), "LenErrs"),
        (b"\0\0\0\x12" + bytes(14), "CsumErrs"),
    ],
)
def test_what_is_no_packet_is_counted_and_nothing_else(
    il: IlCore, raw: bytes, counter: str
) -> None:
    before = il.stats()
    il.handle_packet(9_000, raw)
    assert il.stats() == before | {counter: 1}
    assert events(il) == sent(il) == []
    # It is no sign of life either.
    assert il.poll_timeout() == 10_000


def test_bytes_behind_a_packet_are_padding(il: IlCore) -> None:
    il.handle_packet(0, packet(DATA, 0x201, START, b"abc") + b"\xffpadding")
    assert events(il) == [IlMessage(b"abc")]


@pytest.mark.parametrize("place", [6, 8])
def test_a_packet_of_another_conversation_means_nothing(il: IlCore, place: int) -> None:
    before = il.stats()
    raw = packet(DATA, 0x201, START, b"abc")
    il.handle_packet(0, summed(raw[:place] + b"\x12\x34" + raw[place + 2 :]))
    assert events(il) == sent(il) == []
    assert il.stats() == before


@pytest.mark.parametrize("kind", [7, 0x7F, 0xFF])
def test_a_packet_of_no_known_type_is_but_a_sign_of_life(il: IlCore, kind: int) -> None:
    il.handle_packet(9_000, packet(kind, 0x201, START, b"abc"))
    assert events(il) == sent(il) == []
    assert il.poll_timeout() == 19_000


# Calling and being called.


def test_what_is_no_call_is_not_accepted(core: Core) -> None:
    for raw in (
        b"",
        packet(SYNC, THEIRS, 0)[:-1],
        packet(SYNC, THEIRS, 1),
        packet(ACK, THEIRS, 0),
        packet(DATA, THEIRS, 0, b"abc"),
    ):
        assert core.Il.accept(0, raw, START) is None


def test_who_is_not_there_is_refused_with_the_ids_of_the_call_swapped(core: Core) -> None:
    refusal = core.Il.refuse(packet(SYNC, 0x00000300, 0))
    assert fields(refusal) == (CLOSE, 0, 0, 0x300, b"")
    refusal = core.Il.refuse(packet(DATA, 0x301, 0x123, b"abc"))
    assert fields(refusal) == (CLOSE, 0, 0x123, 0x301, b"")
    # Two that refuse each other would never end.
    assert core.Il.refuse(packet(CLOSE, 0x301, 0x123)) is None
    assert core.Il.refuse(b"nonsense") is None


@pytest.mark.parametrize(
    "answer",
    [packet(CLOSE, 0, START), packet(SYNC, THEIRS, START + 1), packet(SYNC, THEIRS, 0)],
)
def test_a_call_is_rejected(core: Core, answer: bytes) -> None:
    il = core.Il.connect(0, CALLER, CALLED, START)
    il.handle_packet(1, answer)
    assert events(il) == [IlClosed("connection rejected")]
    assert il.state() == "Closed"
    assert il.poll_timeout() is None


def test_a_call_ends_with_what_the_host_says_and_a_conversation_does_not(core: Core) -> None:
    call = core.Il.connect(0, CALLER, CALLED, START)
    call.advise("protocol unreachable")
    assert events(call) == [IlClosed("protocol unreachable")]
    il = established(core)
    il.advise("protocol unreachable")
    assert il.state() == "Established"
    assert events(il) == []


def test_a_close_that_is_not_about_the_call_does_not_reject_it(core: Core) -> None:
    il = core.Il.connect(0, CALLER, CALLED, START)
    for kind in (CLOSE, DATA, ACK, QUERY, STATE, DATAQUERY):
        il.handle_packet(1, packet(kind, THEIRS, START + 1, spec=2))
    assert il.state() == "Syncer"
    assert events(il) == []


def test_nothing_is_sent_before_the_call_is_up(core: Core) -> None:
    il = core.Il.connect(0, CALLER, CALLED, START)
    assert il.room() == 0
    assert il.send(0, b"early") is False
    il.handle_packet(1, packet(SYNC, THEIRS, START))
    assert il.room() == WINDOW
    assert il.send(1, b"now") is True


def test_a_call_is_repeated_ever_more_slowly(core: Core) -> None:
    il = core.Il.connect(0, CALLER, CALLED, START)
    waits, now = [], 0
    while (due := il.poll_timeout()) is not None:
        waits.append(due - now)
        now = due
        sent(il)
        il.handle_timeout(now)
        assert il.state() == "Closed" or sent(il) == [(SYNC, 0, START, 0, b"")]
    assert waits[:6] == [250, 250, 375, 562, 843, 1264]
    assert waits[-5:] == [30_000] * 5
    assert len(waits) == 18
    assert events(il) == [IlClosed("connection timed out")]


def test_a_fast_call_is_given_up_after_six_ticks(core: Core) -> None:
    il = core.Il.connect_fast(0, CALLER, CALLED, START)
    times = []
    while (due := il.poll_timeout()) is not None:
        times.append(due)
        il.handle_timeout(due)
    assert times == [50, 100, 150, 200, 250, 300]
    assert sent(il) == [(SYNC, 0, START, 0, b"")] * 6
    assert events(il) == [IlClosed("connection timed out")]


def test_a_fast_call_that_is_up_is_a_call_like_any(core: Core) -> None:
    il = core.Il.connect_fast(0, CALLER, CALLED, START)
    il.handle_packet(40, packet(SYNC, THEIRS, START))
    assert il.poll_timeout() == 10_040
    il.send(40, b"abc")
    assert il.poll_timeout() == 40 + 250


def called(core: Core, now: int = 0) -> IlCore:
    """An end that was called by an end which speaks like `packet`, and has answered."""
    il = core.Il.accept(now, summed(packet(SYNC, THEIRS, 0)), START)
    assert il is not None
    assert sent(il) == [(SYNC, 0, START, THEIRS, b"")]
    return il


def test_a_call_that_comes_again_is_answered_again(core: Core) -> None:
    il = called(core)
    il.handle_packet(5, packet(SYNC, THEIRS, 0))
    assert sent(il) == [(SYNC, 0, START, THEIRS, b"")]
    assert il.state() == "Syncee"
    assert il.stats()["InMsgs"] == 2


@pytest.mark.parametrize("again", [packet(SYNC, THEIRS + 1, 0), packet(SYNC, THEIRS, 7)])
def test_another_call_of_the_same_ports_ends_the_first(core: Core, again: bytes) -> None:
    il = called(core)
    il.handle_packet(5, again)
    assert events(il) == [IlClosed("remote close")]
    assert il.state() == "Closed"


@pytest.mark.parametrize("kind", [DATA, DATAQUERY, ACK, QUERY, STATE])
def test_whatever_acknowledges_the_answer_confirms_it(core: Core, kind: int) -> None:
    il = called(core)
    il.handle_packet(5, packet(kind, THEIRS + 1, START, b"hello"))
    brought = [IlMessage(b"hello")] * (kind in {DATA, DATAQUERY})
    assert events(il) == [IlConnected(), *brought]
    assert [kind for kind, *_ in sent(il)] == [STATE] * (kind in {QUERY, DATAQUERY})


def test_packets_that_know_nothing_of_the_answer_do_not_confirm_it(core: Core) -> None:
    il = called(core)
    for kind in (DATA, DATAQUERY, ACK, QUERY, STATE, CLOSE):
        il.handle_packet(5, packet(kind, THEIRS + 1, START + 1))
    il.handle_packet(5, packet(7, THEIRS + 1, START))
    assert il.state() == "Syncee"
    assert events(il) == sent(il) == []


def test_a_caller_that_hangs_up_at_once_is_answered(core: Core) -> None:
    il = called(core)
    il.handle_packet(5, packet(CLOSE, THEIRS + 1, START))
    assert events(il) == [IlClosed("remote close")]
    assert sent(il) == [(CLOSE, 0, START + 1, THEIRS + 1, b"")]


def test_an_answer_that_comes_again_is_confirmed_again(il: IlCore) -> None:
    """By its first id, whatever came since: it hears nothing else."""
    il.handle_packet(1, packet(DATA, THEIRS + 1, START, b"abc"))
    il.handle_packet(2, packet(SYNC, THEIRS, START))
    assert sent(il) == [(ACK, 0, START + 1, THEIRS, b"")]
    # And the message is still to be acknowledged.
    il.handle_timeout(101)
    assert sent(il) == [(ACK, 0, START + 1, THEIRS + 1, b"")]
