"""Calls in: announce, listen, and what becomes of them (docs/tree.md 4 and 5)."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from netrelay import messages as m
from netrelay.types import ORDWR

from .rawclient import PATIENCE_S, RefusedError

if TYPE_CHECKING:
    from .conftest import Door
    from .rawclient import RawClient


def call(port: int) -> socket.socket:
    """Someone calls."""
    return socket.create_connection(("127.0.0.1", port), PATIENCE_S)


def park(client: RawClient, number: int) -> tuple[int, int]:
    """A parked open of listen: its fid and tag."""
    fid = client.walk(f"net/tcp/{number}/listen")
    (tag,) = client.send(m.Topen(fid, ORDWR))
    client.ask(m.Tstat(0))
    assert tag not in client.order
    return fid, tag


def test_an_open_of_listen_becomes_the_ctl_of_the_call(client: RawClient) -> None:
    number, _, port = client.announce()
    assert client.text(f"net/tcp/{number}/status").startswith("Listen ")
    fid, tag = park(client, number)
    with call(port) as caller:
        reply = client.wait(tag)
        assert isinstance(reply, m.Ropen)
        assert reply.qid.path == 1 << 5 | 12
        assert client.read(fid) == b"1"
        assert client.text("net/tcp/1/remote") == f"127.0.0.1!{caller.getsockname()[1]}\n"
        assert client.text("net/tcp/1/local") == f"127.0.0.1!{port}\n"
        data = client.open("net/tcp/1/data", ORDWR)
        caller.sendall(b"hello")
        assert client.read(data) == b"hello"


def test_announce_of_any_address_takes_both_families(client: RawClient) -> None:
    number, ctl = client.clone()
    client.write(ctl, b"announce 0")
    local = client.text(f"net/tcp/{number}/local")
    assert local.startswith("::!")
    fid, tag = park(client, number)
    with call(int(local[3:])):
        client.wait(tag)
        assert client.text("net/tcp/1/remote").startswith("127.0.0.1!")
        client.clunk(fid)


def test_local_shows_an_announced_port_before_anybody_calls(client: RawClient) -> None:
    _, ctl, port = client.announce("*!0")
    client.clunk(ctl)
    number, _, _ = client.announce(f"*!{port}")
    assert client.text(f"net/tcp/{number}/local") == f"::!{port}\n"
    assert client.text(f"net/tcp/{number}/remote") == "::!0\n"
    assert client.text(f"net/tcp/{number}/status").startswith("Listen ")


def test_a_restricted_port_is_a_low_one(client: RawClient) -> None:
    for spec in ("127.0.0.1!0!r", "*!0!r"):
        _, _, port = client.announce(spec)
        assert 600 <= port < 1024


def test_listens_are_served_in_order(client: RawClient) -> None:
    number, _, port = client.announce()
    parked = [park(client, number) for _ in range(2)]
    with call(port), call(port):
        for _, tag in parked:
            client.wait(tag)
        assert client.order[-2:] == [tag for _, tag in parked]
        assert [client.read(fid) for fid, _ in parked] == [b"1", b"2"]


def test_a_flushed_listen_eats_no_call(client: RawClient) -> None:
    number, _, port = client.announce()
    _, tag = park(client, number)
    assert client.ask(m.Tflush(tag)) == m.Rflush()
    with call(port):
        fid = client.open(f"net/tcp/{number}/listen", ORDWR)
        assert client.read(fid) == b"1"
    assert tag not in client.order


def test_a_clunk_interrupts_a_listen_and_eats_no_call(client: RawClient) -> None:
    number, _, port = client.announce()
    fid, tag = park(client, number)
    client.clunk(fid)
    assert client.reply(tag) == m.Rerror("interrupted", 0)
    with call(port):
        assert client.read(client.open(f"net/tcp/{number}/listen", ORDWR)) == b"1"


def test_listen_needs_an_announced_conversation(client: RawClient) -> None:
    number, _ = client.clone()
    with pytest.raises(RefusedError, match=r"^not announced$"):
        client.open(f"net/tcp/{number}/listen", ORDWR)


def test_a_hangup_wakes_the_listens(client: RawClient) -> None:
    number, ctl, port = client.announce()
    _, tag = park(client, number)
    client.write(ctl, b"hangup")
    with pytest.raises(RefusedError, match=r"^listen hungup$"):
        client.wait(tag)
    assert client.text(f"net/tcp/{number}/status").startswith("Closed ")
    with pytest.raises(ConnectionRefusedError):
        call(port)


def test_a_port_that_is_taken_is_in_use(client: RawClient) -> None:
    _, _, port = client.announce()
    _, ctl = client.clone()
    with pytest.raises(RefusedError, match=r"^address in use$"):
        client.write(ctl, f"announce 127.0.0.1!{port}".encode())
    client.write(ctl, b"announce 127.0.0.1!0")


def test_the_last_clunk_frees_the_port_and_resets_calls_not_taken(client: RawClient) -> None:
    _, ctl, port = client.announce()
    with call(port) as caller:
        client.clunk(ctl)
        with pytest.raises(ConnectionResetError):
            caller.recv(1)
    _, again = client.clone()
    client.write(again, f"announce 127.0.0.1!{port}".encode())


def test_the_last_clunk_interrupts_the_listens_that_wait(client: RawClient) -> None:
    number, ctl, port = client.announce()
    parked = [park(client, number) for _ in range(2)]
    client.clunk(ctl)
    for _, tag in parked:
        assert client.reply(tag) == m.Rerror("interrupted", 0)
    with pytest.raises(ConnectionRefusedError):
        call(port)
    again, _, _ = client.announce(f"127.0.0.1!{port}")
    assert again == number
    fid, tag = park(client, number)
    with call(port):
        client.wait(tag)
        client.clunk(fid)


def test_a_call_belongs_to_the_owner_of_the_announced_conversation(door: Door) -> None:
    client, host = door.attach(), door.attach("gate")
    number, _, port = client.announce()
    with call(port):
        fid = host.open(f"net/tcp/{number}/listen", ORDWR)
        stat = host.ask(m.Tstat(fid))
    assert isinstance(stat, m.Rstat)
    assert (stat.stat.name, stat.stat.uid) == ("ctl", "glenda")


def test_data_of_an_announced_conversation_is_hung_up(client: RawClient) -> None:
    number, _, _ = client.announce()
    data = client.open(f"net/tcp/{number}/data", ORDWR)
    for message in (m.Tread(data, 0, 1), m.Twrite(data, 0, b"x")):
        with pytest.raises(RefusedError, match=r"^i/o on hungup channel$"):
            client.ask(message)


def test_others_may_not_take_a_users_calls(door: Door) -> None:
    number, _, _ = door.attach().announce()
    with pytest.raises(RefusedError, match=r"^permission denied$"):
        door.attach("ken").open(f"net/tcp/{number}/listen", ORDWR)


def test_conversations_of_sessions_on_other_workers_can_be_used_by_number(door: Door) -> None:
    client = door.attach()
    number, _, port = client.announce()
    others = [door.attach() for _ in range(3)]
    for other in others:
        fid, tag = park(other, number)
        with call(port) as caller:
            other.wait(tag)
            conversation = int(other.read(fid))
            data = client.open(f"net/tcp/{conversation}/data", ORDWR)
            caller.sendall(b"x")
            assert client.read(data) == b"x"
            client.clunk(data)
            other.clunk(fid)
