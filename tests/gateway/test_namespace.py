"""Trees bound on one another, as a session sees them (docs/namespaces.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netrelay import messages as m
from netrelay.errors import UsageError
from netrelay.namespace import Namespace
from netrelay.reference.dirs import unpack_dirents, unpack_stats
from netrelay.types import (
    DMDIR,
    NOFID,
    ORDWR,
    OREAD,
    Dialect,
    Member,
    NamespaceConfig,
    Spot,
    StackConfig,
    Tree,
)
from tests.served import need

from .rawclient import ROOT, RefusedError

if TYPE_CHECKING:
    from netrelay.types import Stat

    from .conftest import Door, Place, Server
    from .rawclient import RawClient

ALT = StackConfig("alt", "addr", "127.0.0.2")
STACK_AT = 32


def space(text: str) -> Namespace:
    """Two stacks where they usually are, and what the lines say."""
    made = Namespace.of_stacks("alt")
    made.run(text)
    return made


@pytest.fixture
def door(place: Place) -> Door:
    """A gateway with two stacks."""
    need(place.core, "namespace")
    return place.gateway(stacks=(ALT,))


def bound(door: Door, text: str, aname: str = "") -> RawClient:
    """A session of a gateway with that name space."""
    door.core.set_namespace(space(text).config)
    return door.attach(aname=aname)


def stat(client: RawClient, path: str) -> Stat:
    """The stat record of a file."""
    reply = client.ask(m.Tstat(client.walk(path) if path else ROOT))
    assert isinstance(reply, m.Rstat)
    return reply.stat


def stack_of(client: RawClient, path: str) -> int:
    """The stack whose file is at a path, by its qid."""
    return stat(client, path).qid.path >> STACK_AT


def entries(client: RawClient, path: str) -> list[Stat]:
    """The stat records that a directory is read as."""
    return unpack_stats(client.read(client.open(path), 60000), client.dialect)


def test_without_a_name_space_the_stacks_are_in_the_root(door: Door) -> None:
    before = door.attach()
    listed = entries(before, "")
    door.core.set_namespace(Namespace.of_stacks("alt").config)
    after = door.attach()
    assert entries(after, "") == listed
    assert [each.name for each in listed] == ["net", "net.alt"]


def test_a_bind_puts_one_tree_in_place_of_another(door: Door) -> None:
    client = bound(door, "bind '#I1' /net")
    assert stack_of(client, "net/tcp/clone") == 1
    assert stack_of(client, "net.alt/tcp/clone") == 1
    assert stat(client, "net").name == "net"
    assert stat(client, "net/tcp/..").name == "net"
    assert stat(client, "net.alt/tcp/..").name == "net.alt"


def test_directories_are_made_for_what_is_mounted(door: Door) -> None:
    client = bound(door, "bind '#I1' /n/gw/alt\nbind '#I0/tcp' /n/tcp")
    assert client.names("") == ["net", "net.alt", "n"]
    assert client.names("n") == ["gw", "tcp"]
    assert client.names("n/gw") == ["alt"]
    assert client.names("n/gw/alt") == client.names("net")
    assert client.names("n/tcp") == client.names("net/tcp")
    assert [each.qid.path >> 5 for each in (stat(client, "n"), stat(client, "n/gw"))] == [3, 4]


def test_dotdot_goes_back_the_way_that_was_come(door: Door) -> None:
    client = bound(door, "bind '#I1' /n/gw/alt\nbind '#I0/tcp' /n/tcp")
    for path, name in [
        ("n/gw/alt/tcp/clone", "clone"),
        ("n/gw/alt/tcp/..", "alt"),
        ("n/gw/alt/tcp/../..", "gw"),
        ("n/gw/alt/..", "gw"),
        ("n/tcp/..", "n"),
        ("n/tcp/../gw/../tcp", "tcp"),
        ("n/../net/tcp/..", "net"),
        ("../..", "/"),
    ]:
        assert stat(client, path).name == name, path


def test_dotdot_of_a_fid_that_was_walked_before(door: Door) -> None:
    """The way is the fid's, and goes with its clones."""
    client = bound(door, "bind '#I1' /n/gw/alt")
    deep = client.walk("n/gw/alt/tcp")
    clone = client.walk("", fid=deep)
    client.clunk(deep)
    for path, names in [("..", "net"), ("../..", "n/gw"), ("../../..", "n")]:
        qid = stat(client, names).qid if names != "net" else stat(client, "net.alt").qid
        reply = client.ask(m.Twalk(clone, client.new_fid(), tuple(path.split("/"))))
        assert isinstance(reply, m.Rwalk)
        assert reply.wqid[-1] == qid


def test_dotdot_stays_at_the_root_of_the_attach(door: Door) -> None:
    client = bound(door, "bind '#I1' /n/gw/alt", aname="/n/gw/alt")
    assert stat(client, "").name == "alt"
    assert stat(client, "tcp/../../..").name == "alt"
    assert client.names("") == door.attach().names("net")
    again = client.new_fid()
    client.ask(m.Tattach(again, NOFID, "glenda", "n"))
    assert client.ask(m.Twalk(again, client.new_fid(), ("gw", "..", ".."))) == m.Rwalk(
        (
            stat(door.attach(), "n/gw").qid,
            stat(door.attach(), "n").qid,
            stat(door.attach(), "n").qid,
        )
    )


def test_a_union_has_the_first_that_has_the_name(door: Door) -> None:
    client = bound(door, "bind '#I0' /v\nbind -b '#I1' /v\nbind -a '#I0' /w")
    assert stack_of(client, "v/tcp/clone") == 1
    assert stack_of(client, "v") == 1
    assert stat(client, "v/udp/..").name == "v"
    assert stack_of(client, "w/tcp") == 0
    assert stat(client, "w").qid.path & 31 == 0, "the directory itself comes first"


def test_trees_of_one_name_are_not_merged(door: Door, server: Server) -> None:
    client = bound(door, "bind -a '#I1' /net")
    client.dial(server.port, protocol="net.alt/tcp")
    server.accept()
    assert client.names("net.alt/tcp") == ["0", "clone", "stats"]
    assert client.names("net/tcp") == ["clone", "stats"]
    with pytest.raises(RefusedError, match="file does not exist"):
        client.ask(m.Twalk(client.walk("net/tcp"), client.new_fid(), ("0",)))


def test_a_union_is_read_as_its_members_one_after_the_other(door: Door) -> None:
    client = bound(door, "bind -a '#I1/tcp' /net\nbind -b '#I1/udp' /net")
    one = client.names("net.alt")
    assert client.names("net") == ["clone", "stats", *one, "clone", "stats"]
    fid = client.open("net")
    pieces, offset = b"", 0
    while data := client.read(fid, 200, offset):
        pieces, offset = pieces + data, offset + len(data)
    assert pieces == client.read(client.open("net"), 60000)


def test_what_is_mounted_on_is_listed_as_what_is_seen_there(door: Door) -> None:
    client = bound(door, "bind '#I1/udp' /net/tcp\nbind '#I1/cs' /net/dns")
    listed = {each.name: each for each in entries(client, "net")}
    assert list(listed) == client.names("net.alt")
    assert listed["tcp"] == stat(client, "net/tcp")
    assert listed["tcp"].qid == stat(client, "net.alt/udp").qid
    assert listed["dns"].qid == stat(client, "net.alt/cs").qid


def test_linux_reads_the_same_of_a_union(door: Door) -> None:
    plain = bound(door, "bind -a '#I1/tcp' /net\nbind '#I1/udp' /net/tcp")
    client = door.attach(dialect=Dialect.L)
    reply = client.ask(m.Treaddir(client.open("net"), 0, 60000))
    assert isinstance(reply, m.Rreaddir)
    found = unpack_dirents(bytes(reply.data))
    named = [(each.name, each.qid) for each in found]
    assert named[:2] == [(".", stat(plain, "net").qid), ("..", stat(plain, "").qid)]
    assert named[2:] == [(each.name, each.qid) for each in entries(plain, "net")]


def test_calls_go_out_by_the_stack_that_is_seen(door: Door, server: Server) -> None:
    client = bound(door, "bind '#I1/tcp/clone' /net/tcp/clone\nbind '#I1' /x")
    ctl = client.open("net/tcp/clone", ORDWR)
    client.write(ctl, f"connect 127.0.0.1!{server.port}".encode())
    assert server.accept().getpeername()[0] == "127.0.0.2"
    opened = client.ask(m.Tstat(ctl))
    assert isinstance(opened, m.Rstat)
    assert (opened.stat.name, opened.stat.qid.path >> STACK_AT) == ("ctl", 1)
    assert client.text("x/tcp/0/remote") == f"127.0.0.1!{server.port}\n"
    assert client.names("net/tcp") == ["clone", "stats"]


def test_an_open_union_is_described_by_its_name(door: Door) -> None:
    client = bound(door, "bind '#I1' /x")
    for path in ("x", "net"):
        fid = client.open(path)
        reply = client.ask(m.Tstat(fid))
        assert isinstance(reply, m.Rstat)
        assert reply.stat == stat(client, path)
        assert reply.stat.name == path


def test_a_name_space_changes_while_files_are_open(door: Door, server: Server) -> None:
    client = bound(door, "bind '#I1' /x/y")
    number, _, data = client.dial(server.port, protocol="x/y/tcp")
    call = server.accept()
    above, listing = client.walk("x"), client.open("x")
    door.core.set_namespace(space("bind '#I0' /x/y\nbind '#I0' /x/z").config)
    call.sendall(b"still here")
    assert client.read(data) == b"still here"
    assert stack_of(client, "x/y/tcp") == 0
    assert client.ask(m.Twalk(above, client.new_fid(), ("z", "tcp")))
    assert [each.name for each in unpack_stats(client.read(listing), client.dialect)] == ["y", "z"]
    assert client.text(f"net.alt/tcp/{number}/remote") == f"127.0.0.1!{server.port}\n"


def test_what_is_at_home_nowhere_is_below_the_root(door: Door) -> None:
    client = bound(door, "")
    tcp = client.walk("net.alt/tcp")
    door.core.set_namespace(Namespace.of_stacks().config)
    reply = client.ask(m.Twalk(tcp, client.new_fid(), ("..", "udp", "..", "..", "net")))
    assert isinstance(reply, m.Rwalk)
    assert [qid.path >> STACK_AT for qid in reply.wqid] == [1, 1, 1, 0, 0]
    assert len(reply.wqid) == 5


def test_what_is_refused_is_refused_behind_a_bind_too(door: Door) -> None:
    client = bound(door, "bind '#I1' /x\nbind '#I1/cs' /net/dns")
    for path, error in [
        ("x/nothing", "file does not exist"),
        ("nothing", "file does not exist"),
        ("net/dns/z", "not a directory"),
    ]:
        walked = tuple(path.split("/"))
        start = client.walk("/".join(walked[:-1]))
        with pytest.raises(RefusedError, match=error):
            client.ask(m.Twalk(start, client.new_fid(), walked[-1:]))
    with pytest.raises(RefusedError, match="permission denied"):
        client.open("x", ORDWR)
    with pytest.raises(RefusedError, match="permission denied"):
        client.ask(m.Tcreate(client.walk("x"), "new", 0o644, OREAD))


@pytest.mark.parametrize(
    "spot",
    [
        Spot(Tree("I", 2)),
        Spot(Tree("I", 0), ("nothing",)),
        Spot(Tree("I", 0), ("tcp", "007")),
        Spot(Tree("I", 0), ("tcp", str(1 << 20))),
        Spot(Tree("I", 0), ("tcp", "0", "ctl", "more")),
        Spot(Tree("I", 0), ("ether0",)),
        Spot(Tree("I", 1), ("cs", "x")),
        Spot(Tree("/"), ("nowhere",)),
        Spot(Tree("Q")),
    ],
)
def test_a_spot_that_no_file_can_be_at_is_refused(door: Door, spot: Spot) -> None:
    client = bound(door, "bind '#I1' /x")
    config = space("").config
    on = (Spot(Tree("/"), ("net",)), (Member(spot),))
    with pytest.raises(UsageError, match=f"the name space has no file {spot}"):
        door.core.set_namespace(NamespaceConfig(config.directories, (*config.mounts, on)))
    assert stack_of(client, "x") == 1, "all stays as it was"


def test_an_export_of_a_subtree_is_of_the_name_space(place: Place) -> None:
    need(place.core, "namespace")
    door = place.gateway(
        stacks=(ALT,), root="/n/gw", namespace=space("bind '#I1' /n/gw/alt").config
    )
    client = door.attach()
    assert client.names("") == ["alt"]
    assert stat(client, "alt/../..").name == "gw"
    assert door.attach(aname="/alt/tcp").names("") == ["clone", "stats"]


def test_a_slash_behind_the_name_of_a_file_means_nothing_in_an_attach(door: Door) -> None:
    """Regression: the cores differed."""
    client = door.attach()
    assert stat(door.attach(aname="net/cs/"), "").qid == stat(client, "net/cs").qid
    with pytest.raises(RefusedError, match="not a directory"):
        door.attach(aname="net/cs/.")


def test_what_the_composing_side_knows_of_a_stack_is_so(door: Door) -> None:
    """No file more than is listed, and none fewer, but for numbers that were never used."""
    client, known = door.attach(), Namespace().known
    for protocol in ("tcp", "udp", "icmp", "gre", "ipmux", "esp", "il"):
        client.open(f"net/{protocol}/clone", ORDWR)
    listed: dict[tuple[str, ...], bool] = {(): True}
    for depth in range(3):
        above = [path for path, directory in listed.items() if len(path) == depth and directory]
        for path in above:
            found = entries(client, "/".join(("net", *path)))
            listed.update({(*path, each.name): bool(each.mode & DMDIR) for each in found})
    names = {name for path in listed for name in path} | {"nothing", "ether", ""}
    for path, directory in listed.items():
        spot = Spot(Tree("I"), path)
        assert known.there(spot), path
        assert known.directory(spot) is directory, path
        below = {(*path, name) for name in names if not (name.isdecimal() or name == "ether")}
        there = {each for each in below if known.there(Spot(Tree("I"), each))}
        assert there == below & set(listed), path
