"""Whole gateways over a socket: random operations, legal, illegal and garbage, on both cores.

An example is a list of operations on one session: dials of scripted peers, announcements, reads
that park, flushes that race, clunks with requests in flight, halves closed in either order, resets,
datagrams of one sender and of several, ports that are nobody's, Tversion in the middle, frames that
are no 9P. After it the session vanishes and both gateways must hold nothing.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netrelay import messages as m

from .datagram_driver import (
    UDP_ANNOUNCED,
    UDP_CTL,
    UDP_DATA,
    UDP_HEADED,
    UDP_LISTEN,
    DatagramDriver,
)
from .gateway_driver import CTL, DATA, LISTEN, NOFID
from .gateway_twins import Twins, calm

pytestmark = [pytest.mark.equivalence, pytest.mark.timeout(3600)]

UDP_OPEN = (UDP_CTL, UDP_ANNOUNCED, UDP_LISTEN)
UDP_FIDS = (*UDP_OPEN, UDP_DATA, UDP_HEADED)
WORDS = (
    "net", "tcp", "udp", "clone", "stats", "cs", "dns", "ndb", "log", "0", "1", "2", "00", "ctl",
    "data", "err", "listen", "local", "remote", "status", "..", ".", "", "a/b", "nosuch",
)  # fmt: skip
COMMANDS = (
    b"connect 127.0.0.1!PEER", b"connect 127.0.0.1!1", b"connect", b"connect 127.0.0.1",
    b"connect x!1", b"connect 1.2.3.4!http", b"connect 127.0.0.1!PEER 0!r", b"announce 0",
    b"announce *!0", b"announce 127.0.0.1!0", b"announce", b"announce *!*", b"announce 1.2.3.4!0",
    b"bind 127.0.0.1!0", b"bind", b"hangup", b"close", b"shutdown write", b"shutdown", b"keepalive",
    b"keepalive 1000", b"keepalive x", b"ttl", b"ttl 64", b"ttl x", b"tos 16", b"tos", b"frob",
    b"", b" \n", b"'connect' '127.0.0.1!PEER'", b"ignoreadvice", b"accept 0", b"reject 0 no",
    b"connect 127.0.0.1!DGRAM", b"connect 127.0.0.1!DGRAM 127.0.0.1!0", b"headers", b"headers x",
    b"addmulti", b"addmulti 127.0.0.1", b"addmulti 127.0.0.1 224.0.0.77",
    b"addmulti ::1 224.0.0.77", b"addmulti x 224.0.0.77", b"remmulti",
    b"delmulti 127.0.0.1 224.0.0.77",
    b"connect 169.254.169.254!80", b"connect [::1]!1", b"connect ::1!1",
)  # fmt: skip
UDP_COMMANDS = (
    b"hangup", b"ignoreadvice", b"ttl 3", b"headers", b"connect 127.0.0.1!DGRAM", b"announce 0",
    b"addmulti 127.0.0.1 224.0.0.77", b"delmulti 127.0.0.1 224.0.0.77", b"close",
)  # fmt: skip
QUERIES = (b"tcp!here!80", b"no!such!place", b"x" * 200, b"name ip", b"")

fids = st.integers(0, UDP_HEADED)
tags = st.integers(0, 6)
counts = st.sampled_from((0, 1, 3, 8, 100, 4096, 1 << 20, NOFID))
offsets = st.sampled_from((0, 1, 5, 60, 1 << 40, (1 << 64) - 1))
names = st.lists(st.sampled_from(WORDS), max_size=5).map(tuple)
sizes = st.integers(0, 200)
# An address that the host has, one that it has not, and none.
sources = st.sampled_from([bytes(10) + b"\xff\xff" + each for each in
    (b"\x7f\0\0\7", b"\xc6\x33\x64\1", b"\xe0\0\0\1")] + [bytes(16)])  # fmt: skip
payloads = st.sampled_from(COMMANDS + QUERIES) | st.binary(max_size=40)

requests = st.one_of(
    st.builds(m.Twalk, fids, fids, names),
    st.builds(m.Topen, fids, st.sampled_from((0, 1, 2, 3, 0x10, 0x11, 0x12, 0x40, 0xFF))),
    st.builds(m.Tread, fids, offsets, counts),
    st.builds(m.Twrite, fids, offsets, payloads),
    st.builds(m.Tclunk, fids),
    st.builds(m.Tremove, fids),
    st.builds(m.Tstat, fids),
    st.builds(m.Tflush, tags),
    st.builds(m.Tcreate, fids, st.sampled_from(WORDS[:6]), st.just(0o644), st.integers(0, 3),
        st.just("")),
    st.builds(
        m.Tattach, fids, st.just(NOFID), st.sampled_from(("glenda", "gate", "")),
        st.sampled_from(("", "/net", "/x")), st.just(NOFID),
    ),
    st.builds(m.Tauth, fids, st.just("glenda"), st.just(""), st.just(NOFID)),
)  # fmt: skip
several_tags = st.lists(tags, min_size=1, max_size=3, unique=True)
anything = st.one_of(
    st.tuples(st.just("request"), tags, requests),
    st.tuples(st.just("flush"), tags),
    st.tuples(st.just("burst"), st.lists(requests, min_size=2, max_size=5)),
    st.tuples(st.just("version")),
    st.tuples(st.just("garbage"), st.binary(min_size=1, max_size=30)),
)
calls = st.one_of(
    st.tuples(st.just("dial")),
    st.tuples(st.just("announce")),
    st.tuples(st.just("listen"), tags),
    st.tuples(st.just("call")),
    st.tuples(st.just("park"), several_tags),
    st.tuples(st.just("say"), st.integers(1, 200)),
    st.tuples(st.just("end")),
    st.tuples(st.just("reset")),
    st.tuples(st.just("write"), st.binary(min_size=1, max_size=300)),
    st.tuples(st.just("half")),
    st.tuples(st.just("clunk"), st.sampled_from((CTL, DATA, LISTEN))),
)
datagrams = st.one_of(
    st.tuples(st.just("udp_dial")),
    st.tuples(st.just("udp_say"), sizes),
    st.tuples(st.just("udp_write"), st.binary(max_size=300)),
    st.tuples(st.just("udp_park"), several_tags, st.sampled_from((1, 16, 4096))),
    st.tuples(st.just("udp_gone")),
    st.tuples(st.just("udp_announce")),
    st.tuples(st.just("udp_call"), st.integers(0, 1), sizes),
    st.tuples(st.just("udp_listen"), tags),
    st.tuples(st.just("udp_headers")),
    st.tuples(st.just("udp_headed"), tags),
    st.tuples(st.just("udp_answer"), sources, st.binary(max_size=20)),
    st.tuples(st.just("udp_ctl"), st.sampled_from(UDP_OPEN), st.sampled_from(UDP_COMMANDS)),
    st.tuples(st.just("clunk"), st.sampled_from(UDP_FIDS)),
)
begun = st.sampled_from(
    (
        [],
        [("udp_dial",)],
        [("udp_announce",)],
        [("udp_announce",), ("udp_headers",)],
        [("udp_dial",), ("udp_announce",), ("udp_call", 0, 1), ("udp_listen", 6)],
    )
)
# Few are about anything else, as garbage ends it all.
of_datagrams = st.integers(0, 9).flatmap(lambda dice: datagrams if dice else anything)
plans = st.one_of(
    st.lists(calls | anything, max_size=14),
    st.builds(list.__add__, begun, st.lists(of_datagrams, min_size=6, max_size=24)),
    st.lists(calls | datagrams | anything, max_size=14),
)


@given(plan=plans)
def test_both_gateways_answer_alike(plan: list[tuple[object, ...]]) -> None:
    carry_out(Twins(), plan)


@settings(max_examples=settings().max_examples // 4)
@given(plan=plans)
def test_a_gateway_answers_like_itself(plan: list[tuple[object, ...]]) -> None:
    """If one core makes a difference between two gateways, the operations are at fault."""
    carry_out(Twins("python"), plan)


def carry_out(twins: Twins, plan: list[tuple[object, ...]]) -> None:
    """All of a plan, and then the end of it all."""
    try:
        driver = DatagramDriver(twins)
        driver.begin()
        for operation in plan:
            driver.do(operation)
        twins.sessions_anew()
        for twin in twins.both:
            calm(twin)
    finally:
        twins.close()
