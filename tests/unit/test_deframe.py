"""Bytes in, whole frames out: a bad size is refused as soon as it is known, and for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netrelay.errors import FrameError

if TYPE_CHECKING:
    from netrelay.core import Core

CLUNK = bytes.fromhex("0b00000078010000000000")


def test_a_frame_comes_out_when_its_last_byte_is_in(core: Core) -> None:
    deframer = core.Deframer(8216)
    for byte in CLUNK[:-1]:
        deframer.feed(bytes([byte]))
        assert deframer.next_frame() is None
    deframer.feed(CLUNK[-1:] + CLUNK[:3])
    assert deframer.next_frame() == CLUNK
    assert deframer.next_frame() is None


def test_a_frame_of_exactly_msize_passes_and_one_byte_more_does_not(core: Core) -> None:
    deframer = core.Deframer(64)
    whole = (64).to_bytes(4, "little") + bytes(60)
    deframer.feed(whole + (65).to_bytes(4, "little"))
    assert deframer.next_frame() == whole
    with pytest.raises(FrameError, match="65 bytes exceeds msize 64"):
        deframer.next_frame()


@pytest.mark.parametrize("size", [0, 1, 6])
def test_a_size_below_the_header_is_refused(core: Core, size: int) -> None:
    deframer = core.Deframer(64)
    deframer.feed(size.to_bytes(4, "little"))
    with pytest.raises(FrameError, match="shorter than its header"):
        deframer.next_frame()


def test_a_bad_size_is_refused_with_no_byte_of_its_frame_and_again_each_time(core: Core) -> None:
    deframer = core.Deframer(8216)
    deframer.feed(CLUNK + b"\xff\xff\xff\xff")
    assert deframer.next_frame() == CLUNK
    for _ in range(2):
        with pytest.raises(FrameError):
            deframer.next_frame()
        deframer.feed(CLUNK)
