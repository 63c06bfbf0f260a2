"""The tree by computation: walks, listings, permissions, without a gateway."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netrelay.errors import NetError
from netrelay.reference.dirs import unpack_dirents, unpack_stats
from netrelay.reference.net import tree, walks
from netrelay.reference.net.directory import Listing
from netrelay.reference.net.mounts import Mounts, of_stacks
from netrelay.reference.net.qids import ROOT, Kind, Place, place_of, qid_of
from netrelay.reference.net.query import Query
from netrelay.reference.net.walks import Position
from netrelay.types import ORDWR, OREAD, OWRITE, Dialect

START = Position(ROOT)
TCP = Position(Place(Kind.PROTOCOL))
NAMES = ("net", "tcp", "clone", "0", "1", "2", "ctl", "..", "cs", "nosuch", "01", "", ".")


@dataclass
class World:
    """Facts of a gateway that is not there."""

    conversations: int = 2
    bits: int = 0o660
    host_owner: str = "gate"
    started: int = 7
    stacks: tuple[str, ...] = ("",)
    mounts: Mounts = field(default_factory=lambda: Mounts(of_stacks([""]), 1, 0))

    def used(self, stack: int, protocol: int) -> int:
        """As many in all."""
        return self.conversations

    def ethers(self, stack: int) -> int:
        """None."""
        return 0

    def ndb_length(self, stack: int) -> int:
        """Empty."""
        return 0

    def ndb_vers(self, stack: int) -> int:
        """Never changed."""
        return 0

    def owner(self, place: Place) -> str:
        """All are glenda's."""
        return "glenda"

    def mode(self, place: Place) -> int:
        """All alike."""
        return self.bits

    def busy(self, place: Place) -> bool:
        """All in use."""
        return True


@given(
    st.sampled_from(Kind), st.integers(0, 31), st.integers(0, 127), st.integers(0, (1 << 20) - 1)
)
def test_a_qid_says_what_its_file_is(kind: Kind, stack: int, protocol: int, number: int) -> None:
    place = Place(kind, stack, protocol, number)
    assert place_of(qid_of(place)) == place


@given(st.lists(st.sampled_from(NAMES), max_size=8).map(tuple))
def test_a_walk_is_its_steps(names: tuple[str, ...]) -> None:
    world = World()
    try:
        walked = walks.walk(START, START, names, world)
    except NetError:
        walked = []
    position = START
    for name, found in zip(names, walked, strict=False):
        position = walks.step(position, START, name, world)
        assert found == position
    if len(walked) < len(names):
        with pytest.raises(NetError):
            walks.step(position, START, names[len(walked)], world)


@given(st.integers(0, 400), st.integers(0, 12))
def test_a_listing_is_the_same_in_reads_of_any_size(count: int, conversations: int) -> None:
    world = World(conversations)
    whole = Listing().read(TCP, (0, 1 << 16), Dialect.U, world)
    listing, data = Listing(), b""
    while part := listing.read(TCP, (len(data), count), Dialect.U, world):
        data += part
    assert whole.startswith(data)
    if count >= 120:
        names = [stat.name for stat in unpack_stats(data, Dialect.U)]
        assert names == [*map(str, range(conversations)), "clone", "stats"]


def test_entries_go_on_behind_their_cookie() -> None:
    listing = Listing()
    entries = unpack_dirents(listing.read_entries(TCP, TCP, (0, 4096), World()))
    assert [entry.name for entry in entries] == [".", "..", "0", "1", "clone", "stats"]
    assert entries[1].qid == entries[0].qid
    for entry in entries:
        rest = unpack_dirents(listing.read_entries(TCP, TCP, (entry.offset, 4096), World()))
        assert rest == entries[entry.offset :]


@pytest.mark.parametrize(
    ("user", "bits", "allowed"),
    [
        ("glenda", 0o660, {OREAD, OWRITE, ORDWR}),
        ("glenda", 0o460, {OREAD}),
        ("ken", 0o660, set()),
        ("ken", 0o664, {OREAD}),
        ("ken", 0o662, {OWRITE}),
        ("gate", 0o000, {OREAD, OWRITE, ORDWR}),
    ],
)
def test_permissions_are_the_first_or_the_last_three_bits(
    user: str, bits: int, allowed: set[int]
) -> None:
    for mode in (OREAD, OWRITE, ORDWR):
        try:
            tree.check_open(Place(Kind.DATA, 0), mode, user, World(bits=bits))
        except NetError:
            assert mode not in allowed
        else:
            assert mode in allowed


@given(st.lists(st.binary(min_size=1, max_size=5), max_size=4), st.integers(0, 25))
def test_a_read_of_a_reply_never_crosses_into_the_next(replies: list[bytes], offset: int) -> None:
    query = Query(Kind.CS, replies=replies)
    data = query.read(offset, 100)
    assert b"".join(replies)[offset:].startswith(data)
    ends = {sum(map(len, replies[:at])) for at in range(1, len(replies) + 1)}
    assert not data or offset + len(data) in ends
