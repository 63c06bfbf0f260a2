"""Dial strings and gateway addresses: what they mean and what the refusal tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netrelay.errors import UsageError
from netrelay.names.dialstring import (
    Dial,
    IlAddress,
    TcpAddress,
    UnixAddress,
    parse_address,
    parse_dial,
    split_host_port,
    split_remote,
)

words = st.text(st.characters(categories=["L", "N"], include_characters="-._"), min_size=1)
netdirs = st.none() | st.lists(words, min_size=1, max_size=3).map(lambda w: "/" + "/".join(w))


@given(net=words, host=words, service=st.none() | words, netdir=netdirs)
def test_a_dial_string_parses_back_to_itself(
    net: str, host: str, service: str | None, netdir: str | None
) -> None:
    dial = Dial(net, host, service, None, netdir)
    assert parse_dial(str(dial)) == dial


@given(st.text())
def test_any_text_is_a_dial_string_or_a_usage_error(text: str) -> None:
    try:
        parse_dial(text)
    except UsageError as refusal:
        assert "\n" not in str(refusal)


@given(st.text())
def test_any_text_is_an_address_or_a_usage_error(text: str) -> None:
    try:
        parse_address(text)
    except UsageError as refusal:
        assert "write" in str(refusal) or "port" in str(refusal)


@pytest.mark.parametrize(
    ("text", "dial"),
    [
        ("tcp!h!s", Dial("tcp", "h", "s")),
        ("/net.alt/tcp!h!s", Dial("tcp", "h", "s", None, "/net.alt")),
        ("/n/gw/net/tcp!h!80!r", Dial("tcp", "h", "80", "r", "/n/gw/net")),
        ("h", Dial("net", "h")),
        ("/net/h", Dial("net", "h", None, None, "/net")),
        ("tcp!::1!564", Dial("tcp", "::1", "564")),
    ],
)
def test_dial_strings_split_as_dial_2_does(text: str, dial: Dial) -> None:
    assert parse_dial(text) == dial


@pytest.mark.parametrize("text", ["", "!h!s", "tcp!!80", "tcp!h!", "net/tcp!h!s", "tcp!a b!80"])
def test_a_bad_dial_string_is_misuse(text: str) -> None:
    with pytest.raises(UsageError):
        parse_dial(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("tcp!gw", TcpAddress("gw", 564)),
        ("tcp!gw!9fs", TcpAddress("gw", 564)),
        ("tcp!gw!exportfs", TcpAddress("gw", 17007)),
        ("tcp://gw", TcpAddress("gw", 564)),
        ("tcp://gw:5640", TcpAddress("gw", 5640)),
        ("tcp://[::1]:564", TcpAddress("::1", 564)),
        ("tcp://[::1]", TcpAddress("::1", 564)),
        ("tcp!::1!5640", TcpAddress("::1", 5640)),
        ("tcp!*!5640", TcpAddress("*", 5640)),
        ("il!gw", IlAddress("gw", 17008)),
        ("il!gw!exportfs", IlAddress("gw", 17007)),
        ("il!*!0", IlAddress("*", 0)),
        ("unix!/run/nr", UnixAddress("/run/nr")),
        ("unix:///run/nr", UnixAddress("/run/nr")),
    ],
)
def test_addresses_in_both_forms(text: str, address: TcpAddress | UnixAddress) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "gw",
        "udp!gw!1",
        "unix!rel",
        "tcp!gw!65536",
        "tcp!gw!nosuchservice",
        "tcp://::1:564",
        "tcp://h:",
    ],
)
def test_a_bad_address_is_misuse(text: str) -> None:
    with pytest.raises(UsageError):
        parse_address(text)


def test_host_port_pairs() -> None:
    assert split_host_port("[::1]:80") == ("::1", 80)
    assert split_host_port("1080", default_host="127.0.0.1") == ("127.0.0.1", 1080)
    assert split_remote("::1!80\n") == ("::1", 80)
    for text in ("::1:80", "80", "h:x", "h:70000"):
        with pytest.raises(UsageError):
            split_host_port(text)
