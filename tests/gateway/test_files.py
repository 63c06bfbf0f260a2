"""Names, modes, owners, permissions and the files beside conversations (docs/tree.md 2-4, 6, 7)."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

import pytest

from netrelay import messages as m
from netrelay.reference.dirs import unpack_dirents, unpack_stats
from netrelay.types import NOFID, OEXEC, ORCLOSE, ORDWR, OREAD, OTRUNC, OWRITE, Dialect, Qid, Stat
from tests.served import net

from .conftest import STARTED
from .rawclient import PATIENCE_S, ROOT, RefusedError

if TYPE_CHECKING:
    from netrelay.core import Core, GatewayCore
    from netrelay.types import Upcall

    from .conftest import Door, Place, Server
    from .rawclient import RawClient

DENIED = r"^permission denied$"
ONES = (1 << 32) - 1
SYNC = Stat(0xFFFF, ONES, Qid(0xFF, ONES, (1 << 64) - 1), ONES, ONES, ONES, (1 << 64) - 1,
            "", "", "", "")  # fmt: skip


def question(gateway: GatewayCore) -> Upcall:
    """The next question to Python."""
    assert select.select([gateway.upcall_fd()], [], [], PATIENCE_S)[0]
    (upcall,) = gateway.upcalls()
    return upcall


def stat_of(client: RawClient, path: str) -> Stat:
    """The stat record of a path."""
    reply = client.ask(m.Tstat(client.walk(path) if path else ROOT))
    assert isinstance(reply, m.Rstat)
    return reply.stat


def test_directories_list_in_the_order_of_the_page(core: Core, client: RawClient) -> None:
    client.clone()
    assert client.names("") == ["net"]
    assert client.names("net") == net(core)
    assert client.names("net/tcp") == ["0", "clone", "stats"]
    conversation = ["ctl", "data", "err", "listen", "local", "remote", "status"]
    assert client.names("net/tcp/0") == conversation


def test_a_listing_has_the_records_that_stat_has(client: RawClient) -> None:
    client.clone()
    fid = client.open("net/tcp/0")
    for record in unpack_stats(client.read(fid), Dialect.P2000):
        assert record == stat_of(client, f"net/tcp/0/{record.name}")


def test_a_directory_is_read_in_sequence_only(core: Core, client: RawClient) -> None:
    fid = client.open("net")
    first = client.read(fid, 80)
    assert [stat.name for stat in unpack_stats(first, Dialect.P2000)] == ["tcp"]
    with pytest.raises(RefusedError, match=r"^bad offset in directory read$"):
        client.read(fid, offset=1)
    rest = client.read(fid, offset=len(first))
    assert [stat.name for stat in unpack_stats(rest, Dialect.P2000)] == net(core)[1:]
    assert client.read(fid, 10) == b""


@pytest.mark.parametrize(
    ("path", "mode", "path_bits"),
    [
        ("", 0o20000000555, 0),
        ("net", 0o20000000555, 1),
        ("net/tcp", 0o20000000555, 8),
        ("net/tcp/clone", 0o666, 9),
        ("net/tcp/stats", 0o444, 10),
        ("net/ndb", 0o666, 4),
        ("net/log", 0o666, 7),
        ("net/cs", 0o666, 20),
        ("net/dns", 0o666, 21),
    ],
)
def test_files_that_are_always_there_are_the_networks(
    client: RawClient, path: str, mode: int, path_bits: int
) -> None:
    stat = stat_of(client, path)
    assert stat.name == (path.rpartition("/")[2] or "/")
    assert (stat.mode, stat.qid.path, stat.qid.type) == (mode, path_bits, mode >> 24)
    assert (stat.type, stat.dev) == (73, 0)
    assert (stat.uid, stat.gid, stat.muid) == ("network", "gate", "network")
    assert (stat.atime, stat.mtime) == (STARTED, STARTED)
    assert stat.length == (9 if path == "net/ndb" else 0)


def test_names_that_are_not_there(client: RawClient) -> None:
    client.clone()
    for path in ("nosuch", "net/nil", "net/tcp/1", "net/tcp/00", "net/tcp/-1", "net/tcp/0/snoop"):
        *known, last = path.split("/")
        fid = client.walk("/".join(known))
        with pytest.raises(RefusedError, match=r"^file does not exist$"):
            client.ask(m.Twalk(fid, client.new_fid(), (last,)))
    with pytest.raises(RefusedError, match=r"^not a directory$"):
        client.ask(m.Twalk(client.walk("net/cs"), client.new_fid(), ("x",)))


def test_a_walk_that_ends_early_makes_no_fid(client: RawClient) -> None:
    fid = client.new_fid()
    reply = client.ask(m.Twalk(ROOT, fid, ("net", "tcp", "nosuch")))
    assert isinstance(reply, m.Rwalk)
    assert [qid.path for qid in reply.wqid] == [1, 8]
    with pytest.raises(RefusedError, match=r"^unknown fid$"):
        client.ask(m.Tstat(fid))


def test_an_attach_does_not_see_above_its_aname(door: Door) -> None:
    client = door.attach(aname="/net/tcp/")
    assert client.names("") == ["clone", "stats"]
    assert client.names("..") == ["clone", "stats"]
    with pytest.raises(RefusedError, match=r"^file does not exist$"):
        client.ask(m.Tattach(client.new_fid(), NOFID, "glenda", "/nosuch"))
    with pytest.raises(RefusedError, match=r"^authentication not required$"):
        client.ask(m.Tauth(client.new_fid(), "glenda", ""))


def test_the_root_of_an_export_holds_every_attach(core: Core, place: Place) -> None:
    client = place.gateway(root="/net").attach()
    assert client.names("") == client.names("..") == net(core)


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        ("net", OWRITE),
        ("net", ORDWR),
        ("net", OREAD | OTRUNC),
        ("net/tcp/stats", OWRITE),
        ("net/tcp/0/status", ORDWR),
        ("net/tcp/0/local", OREAD | OTRUNC),
        ("net/tcp/0/remote", OEXEC),
        ("net/tcp/clone", OEXEC),
        ("net/tcp/clone", ORDWR | ORCLOSE),
        ("net/ndb", OWRITE),
        ("net/ndb", OREAD | OTRUNC),
    ],
)
def test_opens_that_are_denied(client: RawClient, path: str, mode: int) -> None:
    client.clone()
    with pytest.raises(RefusedError, match=DENIED):
        client.open(path, mode)


def test_a_conversation_is_its_owners_and_the_host_owners(door: Door) -> None:
    client, host, other = door.attach(), door.attach("gate"), door.attach("ken")
    number, ctl = client.clone()
    for file in ("ctl", "data", "err"):
        with pytest.raises(RefusedError, match=DENIED):
            other.open(f"net/tcp/{number}/{file}")
        host.clunk(host.open(f"net/tcp/{number}/{file}", ORDWR))
    client.ask(m.Twstat(ctl, SYNC._replace(mode=0o664)))
    other.clunk(other.open(f"net/tcp/{number}/ctl"))
    with pytest.raises(RefusedError, match=DENIED):
        other.open(f"net/tcp/{number}/ctl", OWRITE)
    client.ask(m.Twstat(ctl, SYNC._replace(mode=0o660, uid="ken")))
    other.clunk(other.open(f"net/tcp/{number}/data", ORDWR))
    assert stat_of(other, f"net/tcp/{number}").uid == "ken"


def test_the_groups_bits_grant_nothing_and_none_is_anybody(door: Door) -> None:
    holder = door.attach()
    number, _ = holder.clone()
    everybody = [door.attach(uname) for uname in ("none", "", "network")]
    for other in everybody:
        with pytest.raises(RefusedError, match=DENIED):
            other.ask(m.Twstat(other.walk(f"net/tcp/{number}/ctl"), SYNC._replace(mode=0o666)))
    owner = door.attach()
    for mode, barred in ((0o660, everybody), (0o060, [owner, *everybody])):
        owner.ask(m.Twstat(owner.walk(f"net/tcp/{number}/ctl"), SYNC._replace(mode=mode)))
        for client in barred:
            for file in ("ctl", "data", "err", "listen"):
                with pytest.raises(RefusedError, match=DENIED):
                    client.open(f"net/tcp/{number}/{file}", ORDWR)


def test_opening_an_idle_number_makes_it_the_openers(door: Door) -> None:
    client, other = door.attach(), door.attach("ken")
    _, ctl = client.clone()
    client.clunk(ctl)
    other.open("net/tcp/0/data", ORDWR)
    stat = stat_of(client, "net/tcp/0/ctl")
    assert (stat.uid, stat.mode) == ("ken", 0o660)
    with pytest.raises(RefusedError, match=DENIED):
        client.open("net/tcp/0/ctl", ORDWR)


def test_wstats_that_change_nothing_are_accepted_and_others_denied(client: RawClient) -> None:
    _, ctl = client.clone()
    for path in ("net/cs", "net/tcp/0/ctl", "net"):
        fid = client.walk(path)
        client.ask(m.Twstat(fid, SYNC))
        client.ask(m.Twstat(fid, SYNC._replace(length=0, mtime=1)))
        for wanted in (SYNC._replace(name="x"), SYNC._replace(mtime=1), SYNC._replace(length=1)):
            with pytest.raises(RefusedError, match=DENIED):
                client.ask(m.Twstat(fid, wanted))
    with pytest.raises(RefusedError, match=DENIED):
        client.ask(m.Twstat(client.walk("net/cs"), SYNC._replace(mode=0o600)))
    assert client.read(ctl) == b"0"


def test_nothing_is_created_or_removed(client: RawClient) -> None:
    fid = client.walk("net")
    with pytest.raises(RefusedError, match=DENIED):
        client.ask(m.Tcreate(fid, "x", 0o666, OREAD))
    for path in ("net", "net/tcp/clone"):
        gone = client.walk(path)
        with pytest.raises(RefusedError, match=DENIED):
            client.ask(m.Tremove(gone))
        with pytest.raises(RefusedError, match=r"^unknown fid$"):
            client.ask(m.Tstat(gone))


def test_a_removed_ctl_is_a_clunked_ctl(client: RawClient) -> None:
    _, ctl = client.clone()
    with pytest.raises(RefusedError, match=DENIED):
        client.ask(m.Tremove(ctl))
    assert client.clone()[0] == 0


def test_a_read_of_err_parks_until_it_is_flushed(client: RawClient) -> None:
    client.clone()
    err = client.open("net/tcp/0/err", ORDWR)
    (tag,) = client.send(m.Tread(err, 0, 10))
    assert client.ask(m.Tflush(tag)) == m.Rflush()
    assert tag not in client.order
    with pytest.raises(RefusedError, match=DENIED):
        client.write(err, b"x")


def test_addresses_of_an_idle_conversation(client: RawClient) -> None:
    client.clone()
    assert client.text("net/tcp/0/local") == "::!0\n"
    assert client.text("net/tcp/0/remote") == "::!0\n"
    assert client.text("net/tcp/0/status") == (
        "Closed qin 0 qout 0 rq 0.0 srtt 0 mdev 0 sst 0 cwin 0 swin 0>>0 rwin 0>>0 qscale 0 "
        "timer.start 0 timer.count 0 rerecv 0 katimer.start 0 katimer.count 0\n"
    )


def test_stats_name_the_originals_counters(client: RawClient) -> None:
    lines = client.text("net/tcp/stats").splitlines()
    assert lines[0] == "MaxConn: 10000"
    assert len(lines) == 28
    assert lines[-1] == "RecoveryPA: 0"


def test_cs_asks_python_and_gives_one_reply_a_read(door: Door) -> None:
    client = door.attach()
    fid = client.open("net/cs", ORDWR)
    (tag,) = client.send(m.Twrite(fid, 0, b"tcp!there!80"))
    upcall = question(door.core)
    assert upcall[1:] == ("cs", "glenda", b"tcp!there!80", "")
    door.core.answer(upcall.id, [b"first", b"second one"], None, 0)
    assert client.wait(tag) == m.Rwrite(12)
    assert [client.read(fid, offset=at) for at in (0, 5, 15)] == [b"first", b"second one", b""]
    assert client.read(fid, 3, offset=1) == b"irs"
    assert client.read(fid, offset=3) == b"st"


def test_a_refused_query_has_the_prefix_of_its_file(door: Door) -> None:
    client = door.attach()
    for file in ("cs", "dns"):
        fid = client.open(f"net/{file}", ORDWR)
        (tag,) = client.send(m.Twrite(fid, 0, b"x y"))
        door.core.answer(question(door.core).id, None, "can't translate address", 2)
        with pytest.raises(RefusedError, match=rf"^{file}: can't translate address$"):
            client.wait(tag)
        assert client.read(fid) == b""


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("x" * 70_000, "cs: " + "x" * 123),
        ("cs: " + "x" * 200, "cs: " + "x" * 123),
        ("\N{GREEK SMALL LETTER ALPHA}" * 99, "cs: " + "\N{GREEK SMALL LETTER ALPHA}" * 61),
        ("illegal request a\0b", "cs: illegal request a"),
        ("\0", "cs: "),
    ],
    ids=["long", "prefixed", "wide", "nul", "nothing"],
)
def test_whatever_python_says_is_an_error_that_clients_can_take(
    door: Door, said: str, heard: str
) -> None:
    """A dns query with a NUL is quoted in its refusal, which was not 9P and never sent."""
    client = door.attach()
    fid = client.open("net/cs", ORDWR)
    (tag,) = client.send(m.Twrite(fid, 0, b"x"))
    door.core.answer(question(door.core).id, None, said, 2)
    assert client.reply(tag) == m.Rerror(heard, 0)


@pytest.mark.parametrize("dialect", [Dialect.U, Dialect.L])
def test_who_attaches_by_number_owns_by_that_name(door: Door, dialect: Dialect) -> None:
    client = door.attach(dialect=dialect)
    for fid, number in ((100, 1000), (101, 0), (102, 1001)):
        client.ask(m.Tattach(fid, NOFID, "", "/net/tcp", number))
    client.ask(m.Twalk(100, 200, ("clone",)))
    client.ask(m.Tlopen(200, ORDWR) if dialect is Dialect.L else m.Topen(200, ORDWR))
    for fid, data in ((100, 201), (101, 202), (102, 203)):
        client.ask(m.Twalk(fid, data, ("0", "data")))
        message = m.Tlopen(data, ORDWR) if dialect is Dialect.L else m.Topen(data, ORDWR)
        if fid == 100:
            client.ask(message)
        else:
            with pytest.raises(RefusedError):
                client.ask(message)


def test_an_owner_s_name_that_is_a_number_is_told_as_one(door: Door) -> None:
    client = door.attach(dialect=Dialect.U)
    client.ask(m.Tattach(100, NOFID, "", "/net/tcp", 1000))
    client.ask(m.Twalk(100, 101, ("clone",)))
    client.ask(m.Topen(101, ORDWR))
    mine = stat_of(client, "net/tcp/0/data")
    assert (mine.uid, mine.n_uid, mine.n_muid, mine.n_gid) == ("1000", 1000, 1000, 65534)
    files = door.attach(dialect=Dialect.L)
    reply = files.ask(m.Tgetattr(files.walk("net/tcp/0/data"), 0x7FF))
    assert isinstance(reply, m.Rgetattr)
    assert (reply.uid, reply.gid) == (1000, 65534)


@pytest.mark.parametrize(
    "uname", ["glenda", "007", "+7", "4294967295", "9" * 30, "\N{SUPERSCRIPT TWO}"]
)
def test_any_other_owner_has_the_number_of_nobody(door: Door, uname: str) -> None:
    client = door.attach(uname, dialect=Dialect.U)
    client.clone()
    mine = stat_of(client, "net/tcp/0/data")
    assert (mine.uid, mine.n_uid) == (uname, 65534)


@pytest.mark.parametrize("dialect", [Dialect.U, Dialect.L])
@pytest.mark.parametrize(("number", "sent"), [(2, 2), (0, 5)])
def test_a_refused_query_has_a_number_where_that_is_sent(
    door: Door, dialect: Dialect, number: int, sent: int
) -> None:
    client = door.attach(dialect=dialect)
    fid = client.open("net/cs", ORDWR)
    (tag,) = client.send(m.Twrite(fid, 0, b"tcp!here!there"))
    door.core.answer(question(door.core).id, None, "words of nobody's table", number)
    with pytest.raises(RefusedError) as refused:
        client.wait(tag)
    assert refused.value.errno == sent


def test_a_query_while_one_runs_is_refused(door: Door) -> None:
    client = door.attach()
    fid = client.open("net/cs", ORDWR)
    (tag,) = client.send(m.Twrite(fid, 0, b"one"))
    with pytest.raises(RefusedError, match=r"^cs: query already in progress$"):
        client.write(fid, b"two")
    door.core.answer(question(door.core).id, [b"reply"], None, 0)
    client.wait(tag)


def test_a_flushed_query_is_forgotten(door: Door) -> None:
    client = door.attach()
    fid = client.open("net/cs", ORDWR)
    (tag,) = client.send(m.Twrite(fid, 0, b"one"))
    upcall = question(door.core)
    assert client.ask(m.Tflush(tag)) == m.Rflush()
    door.core.answer(upcall.id, [b"late"], None, 0)
    assert client.read(fid) == b""
    assert tag not in client.order


def test_a_clunk_interrupts_a_query(door: Door) -> None:
    client = door.attach()
    fid = client.open("net/cs", ORDWR)
    (query,) = client.send(m.Twrite(fid, 0, b"one"))
    upcall = question(door.core)
    client.clunk(fid)
    assert client.reply(query) == m.Rerror("interrupted", 0)
    assert client.order[-2] == query
    door.core.answer(upcall.id, [b"late"], None, 0)
    assert client.read(client.open("net/cs", ORDWR)) == b""


@pytest.mark.parametrize(
    ("file", "size", "offset", "text"),
    [
        ("cs", 128, 0, "cs: request too long"),
        ("dns", 1024, 0, "dns: request too long"),
        ("dns", 5, 1, "dns: writing at non-zero offset"),
    ],
)
def test_queries_are_bounded(
    client: RawClient, file: str, size: int, offset: int, text: str
) -> None:
    fid = client.open(f"net/{file}", ORDWR)
    with pytest.raises(RefusedError, match=f"^{text}$"):
        client.write(fid, b"x" * size, offset)


def test_ndb_is_the_host_owners_to_write(door: Door) -> None:
    client, host = door.attach(), door.attach("gate")
    assert client.text("net/ndb") == "sys=gate\n"
    fid = host.open("net/ndb", ORDWR)
    host.write(fid, b"ip=10.0.0.1\n", 9)
    assert client.text("net/ndb") == "sys=gate\nip=10.0.0.1\n"
    for offset, data in ((99, b"x"), (21, bytes(32 << 10))):
        with pytest.raises(RefusedError, match=r"^i/o error$"):
            host.write(fid, data, offset)
    host.write(fid, b"dom=x\n", 9)
    stat = stat_of(client, "net/ndb")
    assert (stat.length, stat.qid.vers) == (15, 2)
    host.clunk(host.open("net/ndb", OWRITE | OTRUNC))
    assert client.text("net/ndb") == ""
    assert stat_of(client, "net/ndb").qid.vers == 3


def test_log_tells_of_connects_calls_and_hangups(door: Door, server: Server) -> None:
    client = door.attach()
    log = client.open("net/log", ORDWR)
    (parked,) = client.send(m.Tread(log, 0, 1000))
    client.write(log, b"set tcp")
    _, ctl, _ = client.dial(server.port)
    reply = client.wait(parked)
    assert isinstance(reply, m.Rread)
    assert bytes(reply.data).decode() == f"tcp 0 connect 127.0.0.1!{server.port}\n"
    client.write(ctl, b"hangup")
    assert client.read(log) == b"tcp 0 hangup\n"
    number, _, port = client.announce()
    assert client.read(log) == f"tcp {number} announce 127.0.0.1!{port}\n".encode()


def test_log_refuses_what_it_does_not_know(client: RawClient) -> None:
    log = client.open("net/log", ORDWR)
    with pytest.raises(RefusedError, match=r"^too few arguments for netlog control message$"):
        client.write(log, b"set")
    with pytest.raises(RefusedError, match=r"^unknown ip control message$"):
        client.write(log, b"frob tcp")
    client.write(log, b"set nosuch")


def test_the_linux_dialect_lists_stats_and_truncates(door: Door) -> None:
    client = door.attach(dialect=Dialect.L)
    ctl = client.open("net/tcp/clone", ORDWR)
    reply = client.ask(m.Treaddir(client.open("net/tcp"), 0, 4096))
    assert isinstance(reply, m.Rreaddir)
    entries = unpack_dirents(bytes(reply.data))
    assert [(entry.name, entry.offset, entry.type) for entry in entries] == [
        (".", 1, 4), ("..", 2, 4), ("0", 3, 4), ("clone", 4, 8), ("stats", 5, 8),
    ]  # fmt: skip
    found = client.ask(m.Tgetattr(ctl, 0x7FF))
    assert isinstance(found, m.Rgetattr)
    assert (found.valid, found.mode, found.qid.path) == (0x7FF, 0o100660, 12)
    size = m.Tsetattr(ctl, 8, 0, 0, 0, 0, 0, 0, 0, 0)
    assert client.ask(size) == m.Rsetattr()
    with pytest.raises(RefusedError) as refused:
        client.ask(m.Tmkdir(ROOT, "x", 0o755, 0))
    assert refused.value.errno == 13
    with pytest.raises(RefusedError) as refused:
        client.ask(m.Txattrwalk(ctl, client.new_fid(), "security.selinux"))
    assert refused.value.errno == 95
    assert client.read(ctl) == b"0"


def test_truncating_opens_change_nothing_but_ndb(client: RawClient) -> None:
    _, ctl = client.clone()
    again = client.open("net/tcp/0/ctl", ORDWR | OTRUNC)
    assert client.read(again) == client.read(ctl) == b"0"
