"""Name spaces on both cores: random binds, random ways through them, changes in between.

Beside the other core there is what the composing side knows of itself: where a clean path leads is
told by its own table, and a path with `..` in it leads where the clean one does.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netrelay import messages as m
from netrelay.errors import UsageError
from netrelay.namespace import Namespace, Order
from netrelay.namespace.places import names_of
from netrelay.types import NOFID, NOTAG, ORDWR, OREAD, QTDIR, ROOT_DEVICE, Dialect, Qid
from tests.gateway.rawclient import RawClient, RefusedError

from .gateway_twins import PATIENCE_S, Twins

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netrelay.types import Spot

    from .gateway_twins import Twin

pytestmark = [pytest.mark.equivalence, pytest.mark.timeout(3600)]

Operation = tuple[str | None, str, Order | None]

ROOT, DEEPEST = 0, 6
TREES = ("/", "/net", "/net.alt", "/n", "/n/a", "/net/tcp", "#I0", "#I1", "#I1/udp")
FILES = ("/net/cs", "/net/dns", "#I1/cs", "#I1/tcp/clone", "/n/a/log", "/net.alt/tcp/0/ctl")
MADE = ("/n/a", "/n/b/c", "/x")
NAMES = (
    "net", "net.alt", "n", "a", "b", "c", "x", "tcp", "udp", "cs", "dns", "log", "clone", "0",
    "ctl", "..", ".", "",
)  # fmt: skip

fids = st.integers(0, 4)
ways = st.lists(st.sampled_from(NAMES), max_size=DEEPEST).map(tuple)
binds = st.tuples(
    st.sampled_from(TREES + FILES),
    st.sampled_from(TREES + FILES + MADE),
    st.sampled_from(Order),
)
unmounts = st.tuples(st.none(), st.sampled_from(TREES + MADE), st.none())
spaces = st.lists(st.one_of(binds, binds, binds, unmounts), max_size=8)
requests = st.one_of(
    st.builds(m.Twalk, fids, fids, ways),
    st.builds(m.Twalk, fids, fids, ways),
    st.builds(
        m.Tattach, fids, st.just(NOFID), st.just("glenda"), ways.map("/".join), st.just(NOFID)
    ),
    st.builds(m.Tclunk, fids),
    st.builds(m.Tstat, fids),
    st.builds(m.Topen, fids, st.sampled_from((OREAD, ORDWR))),
    st.builds(m.Tread, fids, st.sampled_from((0, 0, 90, 150)), st.sampled_from((60, 150, 8000))),
)
linux = st.one_of(
    st.builds(m.Twalk, fids, fids, ways),
    st.builds(
        m.Tattach, fids, st.just(NOFID), st.just("glenda"), ways.map("/".join), st.just(NOFID)
    ),
    st.builds(m.Tclunk, fids),
    st.builds(m.Tgetattr, fids, st.just(0x7FF)),
    st.builds(m.Tlopen, fids, st.sampled_from((0, 2))),
    st.builds(m.Treaddir, fids, st.sampled_from((0, 0, 1, 3)), st.sampled_from((60, 150, 8000))),
)


def composed(operations: list[Operation]) -> Namespace:
    """Two stacks, and whatever of the operations is not refused."""
    space = Namespace.of_stacks("alt")
    for new, old, order in operations:
        try:
            if new is None or order is None:
                space.unmount(old)
            else:
                space.bind(new, old, order)
        except UsageError:
            pass
    return space


@pytest.fixture(scope="module", params=["rust"])
def twins(request: pytest.FixtureRequest) -> Iterator[Twins]:
    """One gateway of each core, both with a second stack."""
    pair = Twins(request.param, alt=True)
    yield pair
    pair.close()


def begin(twins: Twins, dialect: Dialect) -> None:
    """Both sessions anew, and attached at fid 0."""
    twins.sessions_anew()
    twins.dialect = dialect
    twins.rpc((NOTAG, m.Tversion(65536, dialect.value)))
    twins.rpc((1, m.Tattach(ROOT, NOFID, "glenda", "")))


def change(twins: Twins, space: Namespace) -> None:
    """Both have that name space from now on."""
    for twin in twins.both:
        twin.gateway.set_namespace(space.config)


@given(
    st.lists(spaces, min_size=1, max_size=3),
    st.lists(st.lists(requests, max_size=12), min_size=3, max_size=3),
)
def test_both_cores_see_the_same(
    twins: Twins, several: list[list[Operation]], asked: list[list[m.Message]]
) -> None:
    change(twins, composed([]))
    begin(twins, Dialect.P2000)
    for operations, messages in zip(several, asked, strict=False):
        change(twins, composed(operations))
        for message in messages:
            twins.rpc((1, message))


@given(st.lists(spaces, min_size=1, max_size=2), st.lists(st.lists(linux, max_size=12), min_size=2))
def test_both_show_linux_the_same(
    twins: Twins, several: list[list[Operation]], asked: list[list[m.Message]]
) -> None:
    change(twins, composed([]))
    begin(twins, Dialect.L)
    for operations, messages in zip(several, asked, strict=False):
        change(twins, composed(operations))
        for message in messages:
            twins.rpc((1, message))


@given(spaces, st.lists(ways, max_size=6))
def test_a_way_leads_where_its_clean_path_does(
    twins: Twins, operations: list[Operation], paths: list[tuple[str, ...]]
) -> None:
    """Which the table that was composed knows, too."""
    space = composed(operations)
    for twin in twins.both:
        twin.gateway.set_namespace(space.config)
        with session(twin) as client:
            found = [walked(client, path) for path in paths]
            clean = [walked(client, names_of("/".join(path))) for path in paths]
        twin.gateway.set_namespace(composed([]).config)
        with session(twin) as client:
            for path, qid, other in zip(paths, found, clean, strict=True):
                if qid is None:
                    continue
                assert qid == other, path
                told = space.table.find(names_of("/".join(path)), space.known)
                assert told is not None, path
                assert qid == home_of(client, space, told.spot), path


def session(twin: Twin) -> RawClient:
    """Another session of a gateway, attached."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(PATIENCE_S)
    sock.connect(twin.path)
    return RawClient(sock, Dialect.P2000).begin()


def walked(client: RawClient, path: tuple[str, ...]) -> Qid | None:
    """The qid at the end of a way; nothing if it does not lead there."""
    if not path:
        reply = client.ask(m.Tstat(ROOT))
        assert isinstance(reply, m.Rstat)
        return reply.stat.qid
    try:
        reply = client.ask(m.Twalk(ROOT, client.new_fid(), path))
    except RefusedError:
        return None
    assert isinstance(reply, m.Rwalk)
    return reply.wqid[-1] if len(reply.wqid) == len(path) else None


def home_of(client: RawClient, space: Namespace, spot: Spot) -> Qid | None:
    """The qid of a spot, by the name that it has in an ordinary name space."""
    if spot.tree.device == ROOT_DEVICE:
        return Qid(QTDIR, 0, space.config.directories.index(spot.names) << 5)
    return walked(client, ("net.alt" if spot.tree.number else "net", *spot.names))
