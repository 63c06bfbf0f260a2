"""The windows, as the Rust importer's own tests have them."""

from __future__ import annotations

import pytest

from netrelay.types import WINDOW
from netrelay.window import ReadWindow, write_room

MIB = 1 << 20


def room(outstanding: int, session: int) -> int:
    return write_room(outstanding, session, iounit=MIB, windowed=True)


def test_a_new_window_is_one_tread_of_all_that_there_may_be() -> None:
    window = ReadWindow(MIB, windowed=True)
    assert (window.wanted, window.count()) == (1, MIB)


@pytest.mark.parametrize("reply", [20 << 10, 64 << 10, 256 << 10, MIB])
def test_large_replies_open_the_window_and_never_past_four_mebibytes(reply: int) -> None:
    window = ReadWindow(MIB - 24, windowed=True)
    for _ in range(20):
        window.replied(reply)
        assert window.wanted * window.count() <= WINDOW
    assert window.wanted >= 4


def test_small_replies_close_the_window_to_two() -> None:
    window = ReadWindow(MIB, windowed=True)
    for reply in (*(MIB,) * 5, *(64,) * 9):
        window.replied(reply)
    assert window.wanted == 2


def test_a_server_without_the_promise_gets_one_request_at_a_time() -> None:
    window = ReadWindow(8192, windowed=False)
    for _ in range(9):
        window.replied(8192)
    assert (window.wanted, window.count()) == (1, 8192)
    assert write_room(0, 0, iounit=8192, windowed=False) == 8192
    assert write_room(1, 0, iounit=8192, windowed=False) == 0


def test_a_stream_near_its_window_waits_until_half_a_bulk_write_fits() -> None:
    assert room(WINDOW - MIB, WINDOW - MIB) == MIB
    assert room(WINDOW - (MIB // 16), WINDOW) == 0
    assert room(WINDOW, WINDOW) == 0


def test_a_session_near_the_gateway_s_bound_shrinks_every_share() -> None:
    assert room(0, 0) == MIB
    assert room(0, 32 * MIB) == 256 << 10
    assert room(0, 48 * MIB) == 16 << 10
    assert room(0, 62 * MIB) == 0
