"""Files of the host's network: the core asks, and here the test answers (docs/tree.md 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netrelay import messages as m
from netrelay.errors import UsageError
from netrelay.types import ORDWR, OREAD, OWRITE, StackConfig
from tests.served import need

from .rawclient import RefusedError, data_of
from .test_files import question, stat_of

if TYPE_CHECKING:
    from .conftest import Door, Place
    from .rawclient import RawClient

FILES = ("arp", "bootp", "iproute", "ipselftab")
OF_INTERFACE = ["ctl", "data", "err", "listen", "local", "remote", "status", "snoop"]
DENIED = "permission denied"


@pytest.fixture
def door(place: Place) -> Door:
    """A gateway of a core that has these files."""
    for name in (*FILES, "ipifc"):
        need(place.core, name)
    return place.gateway()


def answer(door: Door, query: bytes, text: bytes | None, error: tuple[str, int] = ("", 0)) -> None:
    """What Python says to the next question, which must be this one."""
    upcall = question(door.core)
    assert (upcall.kind, upcall.query) == ("host", query)
    if text is None:
        door.core.answer(upcall.id, None, *error)
    else:
        door.core.answer(upcall.id, [text], None, 0)


def test_reads_are_served_from_one_text(door: Door, client: RawClient) -> None:
    fid = client.open("net/arp")
    (tag,) = client.send(m.Tread(fid, 0, 4))
    answer(door, b"read arp", b"0123456789")
    assert data_of(client.wait(tag)) == b"0123"
    assert client.read(fid, 4, offset=4) == b"4567"
    assert client.read(fid, 9, offset=8) == b"89"
    assert client.read(fid, 4, offset=10) == b""
    (tag,) = client.send(m.Tread(fid, 0, 4))
    answer(door, b"read arp", b"anew")
    assert data_of(client.wait(tag)) == b"anew"


def test_a_first_read_elsewhere_asks_too(door: Door, client: RawClient) -> None:
    fid = client.open("net/iproute")
    (tag,) = client.send(m.Tread(fid, 3, 100))
    answer(door, b"read iproute", b"abcdef")
    assert data_of(client.wait(tag)) == b"def"


def test_reads_that_come_meanwhile_wait_for_the_same_text(door: Door, client: RawClient) -> None:
    fid = client.open("net/ipselftab")
    tags = client.send(*(m.Tread(fid, at, 2) for at in (0, 2, 4, 0)))
    answer(door, b"read ipselftab", b"abcde")
    assert [data_of(client.wait(tag)) for tag in tags] == [b"ab", b"cd", b"e", b"ab"]
    assert door.core.upcalls() == []


def test_each_fid_has_its_own_text(door: Door, client: RawClient) -> None:
    first, second = client.open("net/bootp"), client.open("net/bootp")
    for fid, text in ((first, b"one"), (second, b"two")):
        (tag,) = client.send(m.Tread(fid, 0, 100))
        answer(door, b"read bootp", text)
        client.wait(tag)
    assert client.read(first, offset=1) == b"ne"
    assert client.read(second, offset=1) == b"wo"


def test_a_refused_read_says_why_without_a_prefix(door: Door, client: RawClient) -> None:
    fid = client.open("net/arp")
    (tag,) = client.send(m.Tread(fid, 0, 4))
    answer(door, b"read arp", None, ("no such luck", 5))
    with pytest.raises(RefusedError, match=r"^no such luck$"):
        client.wait(tag)
    (tag,) = client.send(m.Tread(fid, 7, 4))
    answer(door, b"read arp", b"again and again")
    assert data_of(client.wait(tag)) == b"nd a"


def test_a_refusal_is_no_longer_than_an_error_may_be(door: Door, client: RawClient) -> None:
    (tag,) = client.send(m.Tread(client.open("net/arp"), 0, 4))
    answer(door, b"read arp", None, ("no such luck, " * 100, 5))
    assert client.reply(tag) == m.Rerror(("no such luck, " * 100)[:127], 0)
    (tag,) = client.send(m.Tread(client.open("net/iproute"), 0, 4))
    answer(door, b"read iproute", None, ("no\0luck", 5))
    assert client.reply(tag) == m.Rerror("no", 0)


def test_a_longer_text_is_cut_off(door: Door) -> None:
    client = door.attach(msize=4 << 20)
    fid = client.open("net/iproute")
    (tag,) = client.send(m.Tread(fid, 0, 3 << 20))
    answer(door, b"read iproute", b"x" * ((1 << 20) + 1))
    assert len(data_of(client.wait(tag))) == 1 << 20


def test_a_flushed_read_asks_again(door: Door, client: RawClient) -> None:
    fid = client.open("net/arp")
    (tag,) = client.send(m.Tread(fid, 0, 4))
    forgotten = question(door.core)
    client.ask(m.Tflush(tag))
    door.core.answer(forgotten.id, [b"late"], None, 0)
    (tag,) = client.send(m.Tread(fid, 1, 4))
    answer(door, b"read arp", b"anew")
    assert data_of(client.wait(tag)) == b"new"


def test_a_clunk_ends_what_waits(door: Door, client: RawClient) -> None:
    fid = client.open("net/arp")
    (tag,) = client.send(m.Tread(fid, 0, 4))
    forgotten = question(door.core)
    client.clunk(fid)
    with pytest.raises(RefusedError, match=r"^interrupted$"):
        client.wait(tag)
    door.core.answer(forgotten.id, [b"late"], None, 0)


def test_a_write_is_answered_when_it_is_done(door: Door) -> None:
    client = door.attach("gate")
    for file in ("arp", "iproute"):
        fid = client.open(f"net/{file}", ORDWR)
        (tag,) = client.send(m.Twrite(fid, 7, b"flush\n"))
        answer(door, f"write {file}\nflush\n".encode(), b"")
        assert client.wait(tag) == m.Rwrite(6)
        (tag,) = client.send(m.Twrite(fid, 0, b"bad"))
        answer(door, f"write {file}\nbad".encode(), None, ("bad arp", 22))
        with pytest.raises(RefusedError, match=r"^bad arp$"):
            client.wait(tag)


def test_only_the_host_owner_opens_them_for_writing(door: Door, client: RawClient) -> None:
    door.core.set_interfaces(0, 1)
    owner = door.attach("gate")
    for path, bits, written in (
        ("net/arp", 0o664, True),
        ("net/iproute", 0o664, True),
        ("net/ipifc/0/ctl", 0o664, True),
        ("net/bootp", 0o444, False),
        ("net/ipselftab", 0o444, False),
        ("net/ipifc/stats", 0o444, False),
        ("net/ipifc/0/status", 0o444, False),
    ):
        stat = stat_of(client, path)
        assert (stat.mode, stat.uid, stat.gid) == (bits, "network", "gate")
        client.open(path, OREAD)
        for mode in (OWRITE, ORDWR):
            with pytest.raises(RefusedError, match=DENIED):
                client.open(path, mode)
            if written:
                owner.open(path, mode)
            else:
                with pytest.raises(RefusedError, match=DENIED):
                    owner.open(path, mode)


def test_interfaces_are_as_many_as_python_says(door: Door, client: RawClient) -> None:
    assert client.names("net/ipifc") == ["clone", "stats"]
    door.core.set_interfaces(0, 2)
    assert client.names("net/ipifc") == ["0", "1", "clone", "stats"]
    assert client.names("net/ipifc/1") == OF_INTERFACE
    stat = stat_of(client, "net/ipifc/1/status")
    assert stat.qid.path == 2 << 25 | 1 << 5 | 18
    assert stat_of(client, "net/ipifc/1/snoop").mode == 0o400
    with pytest.raises(UsageError, match="there is no stack 1"):
        door.core.set_interfaces(1, 1)


def test_an_interfaces_files_are_asked_for_by_path(door: Door) -> None:
    client = door.attach("gate")
    door.core.set_interfaces(0, 3)
    for file in ("stats", "2/status", "2/local", "2/remote"):
        (tag,) = client.send(m.Tread(client.open(f"net/ipifc/{file}"), 0, 100))
        answer(door, f"read ipifc/{file}".encode(), b"so it is\n")
        assert data_of(client.wait(tag)) == b"so it is\n"
    ctl = client.open("net/ipifc/2/ctl", ORDWR)
    assert client.read(ctl) == b"2"
    assert client.read(ctl, offset=1) == b""
    (tag,) = client.send(m.Twrite(ctl, 0, b"mtu 1400"))
    answer(door, b"write ipifc/2/ctl\nmtu 1400", b"")
    assert client.wait(tag) == m.Rwrite(8)


def test_an_interface_is_not_cloned_nor_listened_at(door: Door) -> None:
    door.core.set_interfaces(0, 1)
    client = door.attach("gate")
    for file in ("clone", "0/data", "0/err", "0/listen", "0/snoop"):
        for mode in (OREAD, ORDWR):
            with pytest.raises(RefusedError, match=DENIED):
                client.open(f"net/ipifc/{file}", mode)
    assert door.core.stats()["conversations"] == 0


def test_a_question_says_who_asks_and_in_which_stack(place: Place, door: Door) -> None:
    need(place.core, "stacks")
    del door
    door = place.gateway(stacks=(StackConfig("alt", "addr", "127.0.0.2"),))
    door.core.set_interfaces(1, 1)
    client = door.attach("glenda")
    assert client.names("net/ipifc") == ["clone", "stats"]
    client.send(m.Tread(client.open("net.alt/ipifc/0/local"), 0, 100))
    upcall = question(door.core)
    assert upcall[1:] == ("host", "glenda", b"read ipifc/0/local", "alt")
