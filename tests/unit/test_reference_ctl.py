"""The ctl grammar and the addresses in it, without a socket."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netrelay.errors import CATALOGUE, NetError
from netrelay.reference.net import ctl
from netrelay.reference.net.address import Address, parse_ip, parse_local, parse_remote, print_ip
from netrelay.reference.net.guard import Guard
from netrelay.reference.net.tcp.verbs import VERBS

TEXTS = {text for text, _ in CATALOGUE.values()}


@given(st.binary(max_size=60), st.sampled_from(({}, VERBS)))
def test_any_bytes_are_a_command_or_a_named_refusal(line: bytes, own: ctl.Verbs) -> None:
    try:
        ctl.parse(line, own)
    except NetError as why:
        assert why.text in TEXTS


@given(st.lists(st.binary(max_size=8)))
def test_quoted_words_come_back_as_they_were(words: list[bytes]) -> None:
    line = b" ".join(b"'" + word.replace(b"'", b"''") + b"'" for word in words)
    assert ctl.tokenize(line) == words


@pytest.mark.parametrize("line", [b"close", b"shutdown write", b"keepalive"])
def test_tcps_own_verbs_are_not_known_elsewhere(line: bytes) -> None:
    ctl.parse(line, VERBS)
    with pytest.raises(NetError, match=r"^unknown control request$"):
        ctl.parse(line, {})


def test_a_quote_may_begin_inside_a_word_and_end_with_the_line() -> None:
    assert ctl.tokenize(b"a'b c'd\t'e f\n") == [b"ab cd", b"e f\n"]


@given(st.ip_addresses())
def test_a_printed_address_parses_back(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert parse_ip(print_ip(ip).encode()) == parse_ip(str(ip).encode())


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("1:0:3:4:5:6:7:8", "1::3:4:5:6:7:8"),
        ("::", "::"),
        ("::1", "::1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("fe80::A", "fe80::a"),
    ],
)
def test_addresses_print_as_the_original_prints_them(text: str, printed: str) -> None:
    assert print_ip(ipaddress.ip_address(text)) == printed


@pytest.mark.parametrize(
    "text", [b"", b"1.2.3", b"01.2.3.4", b"1.2.3.256", b"fe80::1%eth0", b"[::1]", b"\xff", b"a.b"]
)
def test_what_is_no_address_is_refused(text: bytes) -> None:
    with pytest.raises(NetError, match=r"^bad ip address syntax$"):
        parse_ip(text)


@pytest.mark.parametrize(
    "text", [b"1.2.3.4!", b"1.2.3.4!+1", b"1.2.3.4!65536", b"1.2.3.4!80!x", b"1.2.3.4!80!r!r"]
)
def test_what_is_no_port_is_refused(text: bytes) -> None:
    with pytest.raises(NetError, match=r"^bad numeric port$"):
        parse_remote(text)


def test_specs_may_ask_for_a_low_port() -> None:
    remote = parse_remote(b"::ffff:1.2.3.4!0080!r")
    assert (str(remote.ip), remote.port, remote.restricted) == ("1.2.3.4", 80, True)
    assert parse_local(b"0!r") == (Address(None, 0), True)
    assert parse_local(b"*!7") == (Address(None, 7), False)
    assert parse_local(b"::!7") == (Address(None, 7), False)


@pytest.mark.parametrize(
    "text",
    ["127.9.9.9", "::1", "::", "::ffff:0.0.0.0", "169.254.1.1", "fe80::1", "239.1.1.1", "ff05::1",
     "fd00:ec2::254", "::ffff:127.0.0.1"],
)  # fmt: skip
def test_guarded_addresses_need_to_be_named(text: str) -> None:
    ip = ipaddress.ip_address(text)
    with pytest.raises(NetError, match=r"^permission denied$"):
        Guard(()).check(ip)
    Guard(("0.0.0.0/0", "::/0")).check(ip)


@pytest.mark.parametrize("text", ["10.0.0.1", "192.168.1.1", "8.8.8.8", "fd00::1", "2001:db8::1"])
def test_other_addresses_may_be_dialled(text: str) -> None:
    Guard(()).check(ipaddress.ip_address(text))
