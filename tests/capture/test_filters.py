"""A filter wants what pcap-filter(7) says, and one that is none is refused in libpcap's words."""

from __future__ import annotations

import pytest

from netrelay.capture.filters import Filter
from netrelay.errors import UsageError

from .test_pcapng import PING


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("icmp", True), ("host 10.0.0.2", True), ("tcp port 80", False), ("", True), ("ip6", False),
     ("greater 1000", False), ("ether src 01:01:01:01:01:01", True)],
)  # fmt: skip
def test_a_filter_wants_what_it_says(text: str, wanted: bool) -> None:
    assert Filter(text).wants(PING) is wanted


def test_no_filter_wants_an_empty_frame() -> None:
    assert not Filter("icmp").wants(b"")


def test_what_is_no_filter_is_refused_with_the_reason() -> None:
    with pytest.raises(UsageError, match=r"filter 'tcp porrt 80': .*syntax error"):
        Filter("tcp porrt 80")
