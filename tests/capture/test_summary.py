"""A frame is one line, whatever is in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netrelay.capture.summary import line

from .test_pcapng import PING

HEADER = bytes.fromhex("020202020202010101010101")
SYN = HEADER + bytes.fromhex(
    "0800" "4500002800010000400600000a0000010a000002"
    "04d20050" "0000000100000000" "5002" "ffff" "0000" "0000"
)  # fmt: skip
DATAGRAM = HEADER + bytes.fromhex(
    "86dd" "60000000000c1140" "fe80000000000000000000000000000a" "ff020000000000000000000000000001"
    "0035" "1234" "000c" "0000" "68692121"
)  # fmt: skip
WHO_HAS = HEADER + bytes.fromhex(
    "0806" "0001080006040001" "010101010101" "0a000001" "000000000000" "0a000002"
)  # fmt: skip


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (PING, "10.0.0.1 > 10.0.0.2 icmp echo request code 0"),
        (SYN, "10.0.0.1!1234 > 10.0.0.2!80 tcp [S] seq 1 ack 0 win 65535 length 0"),
        (DATAGRAM, "fe80::a!53 > ff02::1!4660 udp length 4"),
        (WHO_HAS, "arp who-has 10.0.0.2 tell 10.0.0.1"),
        (
            HEADER + b"\x88\xcc" + b"x",
            "01:01:01:01:01:01 > 02:02:02:02:02:02 type 0x88cc length 15",
        ),
        (b"short", "5 bytes: no Ethernet frame"),
    ],
)
def test_a_frame_is_told_in_a_line(frame: bytes, text: str) -> None:
    assert line(frame) == text


@given(st.binary(max_size=200) | st.binary(max_size=120).map(PING[:14].__add__)
       | st.binary(max_size=120).map(DATAGRAM[:14].__add__))  # fmt: skip
def test_any_bytes_are_one_printable_line(frame: bytes) -> None:
    assert line(frame).isprintable()


@given(st.sampled_from((PING, SYN, DATAGRAM, WHO_HAS)), st.data())
def test_a_damaged_frame_is_one_printable_line(frame: bytes, data: st.DataObject) -> None:
    changed = bytearray(frame)
    for _ in range(data.draw(st.integers(1, 6))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    assert line(bytes(changed[: data.draw(st.integers(0, len(changed)))])).isprintable()
