"""Filters of ipmux: what parses, in which order, and what they accept."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netrelay.errors import NetError
from netrelay.reference.net.ipmux.filters import parse

HERE = ip_address("10.0.0.1")
# A header with an option, of protocol 29, from 1.2.3.4 to 5.6.7.8, and a byte behind it.
PACKET = b"\x46" + bytes(8) + b"\x29\0\0" + bytes([1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 0x60])


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        (b"data[0]=60", True),
        (b"data[0]=40|60", True),
        (b"data[0]=61", False),
        (b"data[1]=00", False),
        (b"src=1.2.3.0&255.255.255.0", True),
        (b"src=1.2.3.4&255.255.255.0", False),
        (b"ifc=10.0.0.1", True),
        (b"ifc=10.0.0.2", False),
        (b"iph[0]=40&f0;dst=5.6.7.8", True),
        (b"iph[0]=40&f0;dst=5.6.7.9", False),
    ],
)
def test_every_clause_has_to_hold(text: bytes, *, accepted: bool) -> None:
    assert parse(b"proto=29;" + text).accepts(PACKET, HERE) is accepted


def test_status_has_the_original_s_order() -> None:
    text = (
        b"ifc=10.0.0.1; src=1.2.3.4 & 255.255.255.0 ;data[4:7]=01;dst=5.6.7.8;"
        b"iph[0]=45|46;data[0:1]=6000;proto=29|3a"
    )
    assert parse(text).protocols == (0x29, 0x3A)
    assert parse(text).text == (
        "h[9:9]&ff=29|3a|\nh[20:21]&ffff=6000|\nh[24:27]&ffffffff=01000000|\n"
        "h[0:0]&ff=45|46|\nh[16:19]&ffffffff=05060708|\nh[12:15]&ffffff00=01020304|\n"
        "h[-4:-1]&ffffffff=0a000001|\n"
    )


@given(st.text(alphabet="proto=29vers6|;&dataiph[]:01. f", max_size=40).map(str.encode))
def test_what_does_not_parse_has_one_refusal(text: bytes) -> None:
    try:
        made = parse(text)
    except NetError as refused:
        assert refused.text == "bad arg in system call"
    else:
        assert parse(text).text == made.text
