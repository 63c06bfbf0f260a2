"""Addresses, masks and words of the host's network, as eipfmt.c, parseip.c, parse.c have them."""

from __future__ import annotations

import ipaddress

import pytest

from netrelay.errors import NetError
from netrelay.gateway.host.formats import (
    default_mask,
    number,
    parse_ip,
    parse_mask,
    print_ip,
    print_mask,
    words,
)

V4 = ipaddress.ip_address("10.0.0.1")
V6 = ipaddress.ip_address("2001:db8::1")
ZEROS = "0.0.0.0"  # noqa: S104 (an address to print, not to bind)


@pytest.mark.parametrize(
    ("groups", "printed"),
    [
        ("0:0:0:0:0:0:0:0", "::"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("fe80:0:0:0:0:0:0:0", "fe80::"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        # eli is the first of the longest runs, and one of length 2 bytes will do.
        ("1:0:3:4:5:6:7:8", "1::3:4:5:6:7:8"),
        ("1:0:0:4:0:0:7:8", "1::4:0:0:7:8"),
        ("1:0:0:4:0:0:0:8", "1:0:0:4::8"),
        ("2001:0db8:0:00a0:0:0:0:ABCD", "2001:db8:0:a0::abcd"),
    ],
)
def test_ipv6_is_printed_with_its_first_longest_run_of_zeros_elided(
    groups: str, printed: str
) -> None:
    assert print_ip(ipaddress.ip_address(groups)) == printed


def test_ipv4_is_printed_dotted_and_no_address_as_zeros() -> None:
    assert print_ip(ipaddress.ip_address("192.0.2.1")) == "192.0.2.1"
    assert print_ip(ipaddress.ip_address(ZEROS)) == ZEROS
    assert print_ip(None) == "::"


def test_a_mask_is_counted_in_128_bits() -> None:
    assert [print_mask(bits, V4) for bits in (0, 8, 24, 32)] == ["/96", "/104", "/120", "/128"]
    assert [print_mask(bits, V6) for bits in (0, 64, 128)] == ["/0", "/64", "/128"]


@pytest.mark.parametrize(
    ("mask", "prefix"),
    [
        ("/24", 24), ("/0", 0), ("/32", 32), ("/96", 0), ("/120", 24), ("/128", 32),
        ("255.255.255.0", 24), (ZEROS, 0), ("255.255.255.255", 32),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00", 24),
    ],
)  # fmt: skip
def test_a_mask_of_ipv4_is_written_in_any_of_four_ways(mask: str, prefix: int) -> None:
    assert parse_mask(mask, V4) == prefix


@pytest.mark.parametrize(
    ("mask", "prefix"), [("/64", 64), ("/3", 3), ("/0", 0), ("ffff:ffff::", 32), ("/128", 128)]
)
def test_a_mask_of_ipv6_is_a_length_or_an_address(mask: str, prefix: int) -> None:
    assert parse_mask(mask, V6) == prefix


@pytest.mark.parametrize(
    ("mask", "ip"),
    [
        ("", V4), ("/", V4), ("/x", V4), ("24", V4), ("/33", V4), ("/95", V4), ("/129", V4),
        ("/-1", V4), ("255.0.255.0", V4), ("255.255.255.1", V4), ("ffff::", V4), ("/129", V6),
        ("ffff:0:ffff::", V6), ("/²", V4), ("/99999999999999999999", V6), ("/+24", V4),
    ],
)  # fmt: skip
def test_a_mask_that_is_no_prefix_is_refused(
    mask: str, ip: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> None:
    with pytest.raises(NetError, match=r"^bad ip address syntax$"):
        parse_mask(mask, ip)


def test_an_ipv4_mapped_address_is_ipv4() -> None:
    assert parse_ip("::ffff:10.0.0.1") == V4
    assert parse_ip("2001:DB8::1") == V6


@pytest.mark.parametrize(
    "word", ["", "10", "10.1", "010.0.0.1", "10.0.0.1.2", "::1%lo", "fe80::1%2", "host", "1::2::3"]
)
def test_what_is_no_whole_address_is_refused(word: str) -> None:
    with pytest.raises(NetError, match=r"^bad ip address syntax$"):
        parse_ip(word)


@pytest.mark.parametrize(
    ("ip", "prefix"),
    [
        ("10.1.2.3", 8), ("127.0.0.1", 8), ("128.0.0.1", 16), ("191.255.0.1", 16),
        ("192.0.2.1", 24), ("255.1.1.1", 24), ("::1", 128), ("2001:db8::1", 128),
        ("fe80::1", 64), ("ff02::1:ff12:3456", 104), ("ff02::1", 8),
    ],
)  # fmt: skip
def test_without_a_mask_an_address_has_its_classes(ip: str, prefix: int) -> None:
    assert default_mask(ipaddress.ip_address(ip)) == prefix


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("", []),
        (" \t\r\n ", []),
        ("add  1.2.3.4\t/24\n", ["add", "1.2.3.4", "/24"]),
        ("tag 'a b'", ["tag", "a b"]),
        ("tag 'it''s'", ["tag", "it's"]),
        ("a'b c'd", ["ab cd"]),
        ("tag ''", ["tag", ""]),
        ("tag 'open end", ["tag", "open end"]),
    ],
)
def test_words_are_split_at_white_space_and_quoted_as_rc_does(text: str, split: list[str]) -> None:
    assert words(text) == split


@pytest.mark.parametrize("word", ["", "x", "-1", "+1", "1.5", "0x10", "²"])
def test_a_number_is_decimal_digits(word: str) -> None:
    assert number("1400") == 1400
    with pytest.raises(NetError, match=r"^bad arg in system call$"):
        number(word)
