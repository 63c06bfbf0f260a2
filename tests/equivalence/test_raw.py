"""Conversations below udp on both cores: random operations on icmp, icmpv6, gre, ipmux and esp.

What the host or a gateway chooses at random (ids, indexes, an IP header's identification) is given
here, or not looked at. Whether each protocol does what it should is in tests/gateway.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.namespaces import namespace

from .gateway_twins import Twins, calm
from .raw_driver import NETS, RawDriver

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.equivalence, pytest.mark.netns, pytest.mark.timeout(3600)]

FOUR, SIX = b"\x7f\0\0\1", bytes(15) + b"\1"
BEGINS: Final = {
    "icmp": (b"connect 127.0.0.1!1 4711", b"connect 127.0.0.1!1!r 4712", b"announce 4711"),
    "icmpv6": (b"connect ::1!1 4711", b"announce ::1!4711"),
    "gre": (b"connect 127.0.0.1!25944", b"connect 127.0.0.1!2048", b"connect ::1!25944"),
    "ipmux": (
        b"connect proto=fd", b"connect proto=fd|fe;data[0:1]=6869", b"connect ver=6;proto=fd",
        b"connect proto=fe;src=127.0.0.0&255.0.0.0;ifc=127.0.0.1",
    ),
    "esp": (b"connect 127.0.0.1!256", b"connect ::1!4294967295", b"connect 127.0.0.1!*"),
}  # fmt: skip
COMMANDS = (
    *(command for several in BEGINS.values() for command in several),
    b"hangup", b"ignoreadvice", b"ttl 7", b"tos 16", b"headers", b"raw", b"cooked", b"raw x",
    b"announce", b"announce 7", b"announce *!*", b"bind", b"bind 127.0.0.1!77", b"bind ::1!77",
    b"connect", b"connect 1.2.3!4", b"connect 127.0.0.1!70000", b"connect 127.0.0.1", b"frob", b"",
    b"connect 169.254.169.254!1", b"connect ff02::1!1", b"connect 127.0.0.1!1 ::1!1",
    b"connect proto=29;proto=29", b"connect proto=06", b"connect data[0]=00", b"connect proto=\xff",
    b"header", b"noheader", b"esp null", b"esp null 00", b"ah null", b"ah rot13", b"esp",
    b"esp aes_128_cbc 00112233445566778899aabbccddeeff", b"esp des_56_cbc 0123456789abcdeg",
    b"ah hmac_md5_96 00112233445566778899aabbccddeeff", b"ah hmac_sha1_96 \xff\xfe",
    b"keepalive", b"shutdown", b"addmulti 127.0.0.1 224.0.0.77", b"retunnel",
)  # fmt: skip

small = st.binary(max_size=20)
ends4 = st.sampled_from((FOUR, bytes(4), b"\x7f\0\0\7", b"\xc0\0\2\1", b"\xe0\0\0\1"))
ends6 = st.sampled_from((SIX, bytes(16), b"\xff\2" + bytes(14), b"\xfe\x80" + bytes(14)))
# Not 13, as a host answers the time of day.
kinds = st.sampled_from((0, 3, 8, 11, 14, 128, 129, 135))


def _echo(header: int) -> st.SearchStrategy[bytes]:
    made = st.builds(
        lambda kind, code, rest: struct.pack(">BBHHH", kind, code, 0, 4711, 1) + rest,
        kinds, st.integers(0, 1), small,
    )  # fmt: skip
    if header == 20:
        return made.map(bytes(header).__add__)
    return st.builds(lambda a, b, message: bytes(8) + a + b + message, ends6, ends6, made)


gre = st.builds(
    lambda a, b, flags, about, rest: a + b + struct.pack(">HH", flags, about) + rest,
    ends4, ends4, st.sampled_from((0, 0x2000, 0x4000)), st.sampled_from((0x6558, 0x0800, 7)), small,
)  # fmt: skip
gre6 = st.builds(
    lambda a, b, rest: a + b + struct.pack(">HH", 0, 0x6558) + rest, ends6, ends6, small
)
ip4 = st.builds(
    lambda first, protocol, a, b, rest: (
        struct.pack(">BBHHHBBH", first, 0, 0, 77, 0, 9, protocol, 0) + a + b + rest
    ),
    st.sampled_from((0x45, 0x46, 0x44, 0x65)), st.sampled_from((253, 254, 6)), ends4, ends4,
    small | st.just(b"hi there"),
)  # fmt: skip
ip6 = st.builds(
    lambda protocol, a, b, rest: struct.pack(">IHBB", 6 << 28, 0, protocol, 9) + a + b + rest,
    st.sampled_from((253, 43)), ends6, ends6, small,
)  # fmt: skip
PACKETS: Final = {
    "icmp": _echo(20),
    "icmpv6": _echo(40),
    "gre": gre | gre6,
    "ipmux": ip4 | ip6,
    "esp": small,
}
FILES: Final = {
    "icmp": ("local", "remote", "status"),
    "icmpv6": ("local", "remote", "status"),
    "gre": ("local", "remote", "status", "stats"),
    "ipmux": ("local", "remote", "status", "stats"),
    # An index that was chosen may have few digits.
    "esp": ("remote", "status", "stats"),
}
tags = st.lists(st.integers(0, 6), min_size=1, max_size=3, unique=True)


def operations(net: str) -> st.SearchStrategy[tuple[object, ...]]:
    """One operation on a protocol's conversation."""
    own = st.just(net)
    return st.one_of(
        st.tuples(st.just("raw_clone"), own, st.sampled_from(BEGINS[net])),
        st.tuples(st.just("raw_write"), own, PACKETS[net]),
        st.tuples(st.just("raw_write"), own, PACKETS[net]),
        st.tuples(st.just("raw_write"), own, small),
        st.tuples(st.just("raw_park"), own, tags, st.sampled_from((0, 1, 30, 4096))),
        st.tuples(st.just("raw_look"), own, st.sampled_from(FILES[net])),
        st.tuples(st.just("raw_ctl"), own, st.sampled_from(COMMANDS)),
        st.tuples(st.just("raw_clunk"), own),
        st.tuples(st.just("flush"), st.integers(0, 6)),
    )


def plans(net: str) -> st.SearchStrategy[list[tuple[object, ...]]]:
    """Operations behind a first clone."""
    begun = st.sampled_from(BEGINS[net]).map(lambda command: [("raw_clone", net, command)])
    return st.builds(list.__add__, begun, st.lists(operations(net), max_size=20))


@pytest.fixture(scope="module")
def networks() -> Iterator[tuple[str, str]]:
    """A network for each gateway, with loopback alone."""
    with namespace() as one, namespace() as other:
        for each in (one, other):
            each.ip("link set lo up")
        yield one.path, other.path


@pytest.mark.parametrize("net", NETS)
@given(data=st.data())
def test_both_gateways_answer_alike(
    net: str, networks: tuple[str, str], data: st.DataObject
) -> None:
    plan = data.draw(plans(net))
    twins = Twins(networks=networks)
    try:
        driver = RawDriver(twins)
        driver.begin()
        for operation in plan:
            driver.do(operation)
        twins.sessions_anew()
        for twin in twins.both:
            calm(twin)
    finally:
        twins.close()
