"""Slots of an interface on both cores: random commands, and frames of every kind both ways.

Whether a slot does what it should is in tests/gateway/test_ether.py.
"""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.cable import (
    BROADCAST,
    GROUP,
    OTHER_TYPE,
    SHORTEST,
    STRANGER,
    TYPE,
    cable,
    frame,
)

from .ether_driver import Ends, EtherDriver
from .gateway_twins import Twins, calm

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.equivalence, pytest.mark.netns, pytest.mark.timeout(3600)]

# The near end's address, on both cables.
OWN: Final = bytes.fromhex("020000000001")
CONNECTS: Final = (
    b"connect -1", b"connect 0x88b5", b"connect 34998", b"connect 0x8100", b"connect 2048",
    b"connect -2",
)  # fmt: skip
MODES: Final = (b"promiscuous", b"bridge", b"addmulti 01005e000007", b"delmulti 01005e000007")
COMMANDS: Final = (
    b"nonblocking", b"nonblocking 1", b"addmulti 01:00:5e:00:00:07", b"remmulti 01005e000007",
    b"addmulti", b"addmulti 01005e00000g", b"connect", b"connect 0", b"connect -3",
    b"connect 65536", b"connect 0x", b"", b"frob", b"\xff", b"hangup",
    b"connect 0x88b5".ljust(63) + b"!", b"connect 1 2\n", b"\t promiscuous\n",
)  # fmt: skip
# The last 4 bytes of what it makes are the time; a Tread of 60 leaves them out.
HEADERS_ONLY: Final = b"headersonly"

slots = st.integers(0, 1)
tags = st.lists(st.integers(0, 6), min_size=1, max_size=3, unique=True)
# No two bytes of it are alike where headers end.
FULL: Final = bytes(at % 251 for at in range(1, 1501))
payloads = st.binary(max_size=80) | st.just(FULL) | st.integers(40, 80).map(lambda n: FULL[:n])
kinds = st.sampled_from((TYPE, OTHER_TYPE, 0x0800, 0x86DD, 0x05DC))
tagged = st.builds(
    lambda control, kind, payload: struct.pack(">HH", control, kind) + payload,
    st.integers(0, 0xFFFF), kinds, payloads.filter(lambda payload: len(payload) < 1000),
)  # fmt: skip
frames = st.builds(
    lambda to, source, rest: frame(to, rest[0], rest[1], of=source),
    st.sampled_from((OWN, STRANGER, BROADCAST, GROUP)),
    st.sampled_from((STRANGER, OWN, bytes(6))),
    st.tuples(kinds, payloads) | st.tuples(st.sampled_from((0x8100, 0x88A8)), tagged),
)
no_frames = st.binary(max_size=SHORTEST) | st.just(frame(OWN, TYPE, bytes(1501)))
names = st.sampled_from(
    (("addr",), ("stats",), ("ifstats",), (), ("0",), ("1",), ("0", "type"), ("1", "type"),
     ("0", "stats"), ("0", "ctl"), ("7",), ("8",), ("1", "listen"))
)  # fmt: skip


def modes(headers: bool) -> st.SearchStrategy[bytes]:
    """Commands that change what a slot takes or makes of frames."""
    return st.sampled_from((*MODES, HEADERS_ONLY, HEADERS_ONLY) if headers else MODES)


def operations(headers: bool) -> st.SearchStrategy[tuple[object, ...]]:
    """One operation."""
    commands = modes(headers) | st.sampled_from(CONNECTS) | st.sampled_from(COMMANDS)
    counts = (0, 14, 60, 60, 60) if headers else (0, 60, 2048, 2048)
    several = st.lists(frames, min_size=1, max_size=3)
    return st.one_of(
        st.tuples(st.just("ether_clone"), slots),
        st.tuples(st.just("ether_ctl"), slots, commands),
        st.tuples(st.just("ether_send"), several),
        st.tuples(st.just("ether_send"), several),
        st.tuples(st.just("ether_write"), slots, frames),
        st.tuples(st.just("ether_write"), slots, no_frames),
        st.tuples(st.just("ether_park"), slots, tags, st.sampled_from(counts)),
        st.tuples(st.just("ether_park"), slots, tags, st.sampled_from(counts)),
        names.map(lambda path: ("ether_look", *path)),
        st.tuples(st.just("ether_clunk"), slots),
        st.tuples(st.just("flush"), st.integers(0, 6)),
    )


def begun(slot: int, headers: bool) -> st.SearchStrategy[list[tuple[object, ...]]]:
    """A slot that takes something, in some mode."""
    told = st.lists(modes(headers), max_size=2)
    return st.builds(
        lambda before, command, after: [
            ("ether_clone", slot),
            *(("ether_ctl", slot, each) for each in (*before, command, *after)),
        ],
        told, st.sampled_from(CONNECTS), told,
    )  # fmt: skip


def plans(headers: bool) -> st.SearchStrategy[list[tuple[object, ...]]]:
    """Operations behind two slots that take something."""
    more = st.lists(operations(headers), min_size=3, max_size=20)
    both = st.builds(list.__add__, begun(0, headers), begun(1, headers))
    return st.builds(list.__add__, both, more)


@pytest.fixture(scope="module")
def ends() -> Iterator[tuple[Ends, Ends]]:
    """A cable for each gateway; both have the same address."""
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(2):
            one = stack.enter_context(cable())
            one.own.ip(f"link set eth0 address {OWN.hex(':')}")
            made.append(Ends.of(one))
            stack.callback(made[-1].close)
        yield made[0], made[1]


@pytest.mark.parametrize("headers", [False, True], ids=["whole frames", "headers"])
@given(data=st.data())
def test_both_gateways_answer_alike(
    headers: bool, ends: tuple[Ends, Ends], data: st.DataObject
) -> None:
    plan = data.draw(plans(headers))
    twins = Twins(hosts=(ends[0].cable.own, ends[1].cable.own))
    try:
        driver = EtherDriver(twins, ends)
        driver.begin()
        for operation in plan:
            driver.do(operation)
        twins.sessions_anew()
        for twin in twins.both:
            calm(twin)
    finally:
        twins.close()
