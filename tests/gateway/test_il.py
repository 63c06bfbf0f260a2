"""Conversations of il between two numbers of one gateway, and how they end (docs/il.md 10)."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, NamedTuple

import pytest

from netrelay import messages as m
from netrelay.types import ORDWR, Limits
from tests.netns.lab import until
from tests.served import need

from .rawclient import RefusedError, data_of

if TYPE_CHECKING:
    from netrelay.core import Core

    from .conftest import Door, Place
    from .rawclient import RawClient

HUNGUP = r"^i/o on hungup channel$"
IDLE = "Closed qin 0 qout 0 del 00000 Br 00000 md 00000 una 00000 rex 00000 rxq 00000 max 00000\n"


@pytest.fixture(autouse=True)
def _served(core: Core) -> None:
    need(core, "il")
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, 40).close()
    except PermissionError:
        pytest.skip("raw sockets need root")


@pytest.fixture
def door(place: Place) -> Door:
    """A gateway with calls of il."""
    return place.gateway(grant=("il",))


class Side(NamedTuple):
    """One end: its number, ctl and data."""

    number: int
    ctl: int
    data: int


def pair(client: RawClient) -> tuple[Side, Side]:
    """A conversation: who called, and who was called."""
    announced, _, port = client.announce(protocol="net/il")
    listen = client.walk(f"net/il/{announced}/listen")
    (waiting,) = client.send(m.Topen(listen, ORDWR))
    caller = Side(*client.dial(port, protocol="net/il"))
    client.wait(waiting)
    number = int(client.read(listen))
    return caller, Side(number, listen, client.open(f"net/il/{number}/data", ORDWR))


def state(client: RawClient, side: Side) -> str:
    """The word of its status."""
    return client.text(f"net/il/{side.number}/status").split()[0]


def test_a_call_is_announced_placed_and_taken(client: RawClient) -> None:
    caller, called = pair(client)
    here = client.text(f"net/il/{caller.number}/local")
    there = client.text(f"net/il/{caller.number}/remote")
    assert client.text(f"net/il/{called.number}/local") == there
    assert client.text(f"net/il/{called.number}/remote") == here
    assert state(client, caller) == "Established"
    until(lambda: state(client, called) == "Established", "the answer was acknowledged")


def test_messages_keep_their_boundaries_both_ways(client: RawClient) -> None:
    caller, called = pair(client)
    for one, other in ((caller, called), (called, caller)):
        for part in (b"one", b"", b"x" * 65497, b"four"):
            assert client.write(one.data, part) == len(part)
            assert client.read(other.data, 65500) == part


def test_what_exceeds_the_count_is_read_next(client: RawClient) -> None:
    caller, called = pair(client)
    client.write(caller.data, b"abcdef")
    client.write(caller.data, b"next")
    assert [client.read(called.data, 4) for _ in range(3)] == [b"abcd", b"ef", b"next"]


def test_what_no_datagram_can_carry_is_refused(client: RawClient) -> None:
    caller, _ = pair(client)
    with pytest.raises(RefusedError, match=r"^read or write too large$"):
        client.write(caller.data, b"x" * 65498)


def test_writes_wait_for_room_and_none_is_lost(client: RawClient) -> None:
    caller, called = pair(client)
    texts = [bytes([number]) * 9000 for number in range(60)]
    tags = client.send(*(m.Twrite(caller.data, 0, text) for text in texts))
    assert [client.read(called.data, 9000) for _ in texts] == texts
    for tag in tags:
        client.wait(tag)


def test_a_waiting_read_that_is_flushed_takes_nothing(client: RawClient) -> None:
    caller, called = pair(client)
    (tag,) = client.park(m.Tread(called.data, 0, 100))
    client.ask(m.Tflush(tag))
    client.write(caller.data, b"kept")
    assert client.read(called.data) == b"kept"


def test_an_idle_conversation_has_no_data(client: RawClient) -> None:
    number, _ = client.clone("net/il")
    data = client.open(f"net/il/{number}/data", ORDWR)
    for message in (m.Tread(data, 0, 1), m.Twrite(data, 0, b"x")):
        with pytest.raises(RefusedError, match=HUNGUP):
            client.ask(message)


def test_hangup_ends_both_sides(client: RawClient) -> None:
    caller, called = pair(client)
    client.write(caller.data, b"last")
    client.write(caller.ctl, b"hangup")
    assert client.read(called.data) == b"last"
    for side in (called, caller):
        assert [client.read(side.data) for _ in range(3)] == [b"", b"", b""]
        with pytest.raises(RefusedError, match=HUNGUP):
            client.read(side.data)
        with pytest.raises(RefusedError, match=HUNGUP):
            client.write(side.data, b"more")


def test_status_follows_a_close_to_its_end(client: RawClient) -> None:
    """It stayed at what it was when the close began."""
    caller, called = pair(client)
    client.write(caller.ctl, b"hangup")
    until(
        lambda: [state(client, side) for side in (caller, called)] == ["Closed"] * 2,
        "the close was confirmed",
    )


def test_every_waiting_read_hears_of_a_hangup(client: RawClient) -> None:
    """More of them than one turn answers messages for."""
    caller, _ = pair(client)
    tags = client.park(*(m.Tread(caller.data, 0, 9) for _ in range(100)))
    client.write(caller.ctl, b"hangup")
    assert [data_of(client.wait(tag)) for tag in tags[:3]] == [b""] * 3
    for tag in tags[3:]:
        with pytest.raises(RefusedError, match=HUNGUP):
            client.wait(tag)


def test_what_was_written_before_the_last_clunk_arrives(client: RawClient) -> None:
    caller, called = pair(client)
    texts = [bytes([number]) * 9000 for number in range(60)]
    tags = client.send(*(m.Twrite(caller.data, 0, text) for text in texts))
    client.send(m.Tclunk(caller.data), m.Tclunk(caller.ctl))
    assert [client.read(called.data, 9000) for _ in texts] == texts
    assert client.read(called.data) == b""
    for tag in tags:
        client.wait(tag)


def test_a_port_is_free_once_its_last_call_is_over(client: RawClient, door: Door) -> None:
    number, ctl, port = client.announce(protocol="net/il")
    _, other = client.clone("net/il")
    with pytest.raises(RefusedError, match=r"^address in use$"):
        client.write(other, f"announce {port}".encode())
    client.clunk(ctl)
    client.write(other, f"announce {port}".encode())
    assert number == 0
    assert door.core.stats()["closing"] == 0


def test_nobody_at_the_port_is_a_rejection_and_nobody_at_all_is_told_by_icmp(
    client: RawClient,
) -> None:
    _, ctl = client.clone("net/il")
    with pytest.raises(RefusedError, match=r"^(protocol unreachable|connection timed out)$"):
        client.write(ctl, b"connect 127.0.0.1!7!fasttimeout")
    client.announce(protocol="net/il")
    _, ctl = client.clone("net/il")
    with pytest.raises(RefusedError, match=r"^connection rejected$"):
        client.write(ctl, b"connect 127.0.0.1!7")


def test_a_call_that_nobody_answers_in_a_hurry_times_out(client: RawClient) -> None:
    _, _, port = client.announce(protocol="net/il")
    _, ctl = client.clone("net/il")
    with pytest.raises(RefusedError, match=r"^connection timed out$"):
        client.write(ctl, f"connect 127.0.0.1!{port}!fasttimeout".encode())


def test_a_connect_that_is_flushed_leaves_it_idle(client: RawClient) -> None:
    _, _, port = client.announce(protocol="net/il")
    number, ctl = client.clone("net/il")
    (tag,) = client.park(m.Twrite(ctl, 0, f"connect 127.0.0.1!{port}".encode()))
    assert client.text(f"net/il/{number}/status").startswith("Syncer ")
    client.ask(m.Tflush(tag))
    assert client.text(f"net/il/{number}/status") == IDLE
    assert client.text(f"net/il/{number}/remote") == "::!0\n"


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("connect ::1!5", "only IP version 4 supported"),
        ("announce ::1!5", "only IP version 4 supported"),
        ("connect 127.0.0.1", "malformed address"),
        ("connect 127.0.0.1!x!fasttimeout", "bad numeric port"),
        ("connect 224.0.0.1!5", "permission denied"),
        ("announce *", "permission denied"),
        ("announce 240.0.0.1!5", "not a local IP address"),
        ("bind 240.0.0.1!5", "not a local IP address"),
        ("connect 127.0.0.1!5 240.0.0.1!0", "not a local IP address"),
        ("keepalive", "connection must be in Establised state"),
        ("keepalive x", "bad args to keepalive"),
        ("close", "unknown control request"),
        ("headers", "unknown control request"),
    ],
)
def test_commands_that_are_refused(client: RawClient, command: str, text: str) -> None:
    _, ctl = client.clone("net/il")
    with pytest.raises(RefusedError, match=f"^{re.escape(text)}$"):
        client.write(ctl, command.encode())


def test_without_the_grant_there_are_no_calls(place: Place) -> None:
    client = place.gateway().attach()
    for command in (b"connect 127.0.0.1!5", b"announce 5", b"bind 5"):
        _, ctl = client.clone("net/il")
        with pytest.raises(RefusedError, match=r"^permission denied$"):
            client.write(ctl, command)
    assert client.text("net/il/0/status") == IDLE


def test_options_are_taken_in_any_state(client: RawClient) -> None:
    caller, _ = pair(client)
    for command in (b"ttl 3", b"tos 8", b"ignoreadvice", b"keepalive", b"keepalive 500"):
        assert client.write(caller.ctl, command) == len(command)


def test_stats_are_of_the_stack_and_stay(client: RawClient) -> None:
    caller, called = pair(client)
    client.write(caller.data, b"one")
    client.read(called.data)
    names = [line.split(": ")[0] for line in client.text("net/il/stats").splitlines()]
    assert names == [
        "InMsgs", "OutMsgs", "CsumErrs", "HlenErr", "LenErrs", "OutOfOrder", "Retrans", "DupMsg",
        "DupBytes", "DroppedMsgs",
    ]  # fmt: skip
    assert "\nOutMsgs: 1\n" in client.text("net/il/stats")
    for side in (caller, called):
        client.clunk(side.data)
        client.clunk(side.ctl)
    assert "\nOutMsgs: 1\n" in client.text("net/il/stats")


def test_there_may_be_no_number_for_a_call(place: Place) -> None:
    client = place.gateway(grant=("il",), limits=Limits(conversations=2)).attach()
    announced, _, port = client.announce(protocol="net/il")
    listen = client.walk(f"net/il/{announced}/listen")
    (waiting,) = client.send(m.Topen(listen, ORDWR))
    _, ctl = client.clone("net/il")
    client.send(m.Twrite(ctl, 0, f"connect 127.0.0.1!{port}".encode()))
    with pytest.raises(RefusedError, match=r"^no free devices$"):
        client.wait(waiting)


def test_a_listen_that_is_taken_back_takes_no_call(client: RawClient) -> None:
    announced, _, port = client.announce(protocol="net/il")
    flushed, clunked = (client.walk(f"net/il/{announced}/listen") for _ in range(2))
    one, two = client.park(m.Topen(flushed, ORDWR), m.Topen(clunked, ORDWR))
    assert client.ask(m.Tflush(one)) == m.Rflush()
    client.clunk(clunked)
    assert client.reply(two) == m.Rerror("interrupted", 0)
    _, ctl = client.clone("net/il")
    (call,) = client.send(m.Twrite(ctl, 0, f"connect 127.0.0.1!{port}".encode()))
    assert client.read(client.open(f"net/il/{announced}/listen", ORDWR)) == b"2"
    client.wait(call)
    assert one not in client.order


def test_a_hangup_wakes_the_listens(client: RawClient) -> None:
    announced, ctl, _ = client.announce(protocol="net/il")
    listen = client.walk(f"net/il/{announced}/listen")
    (waiting,) = client.park(m.Topen(listen, ORDWR))
    client.write(ctl, b"hangup")
    with pytest.raises(RefusedError, match=r"^listen hungup$"):
        client.wait(waiting)


def test_the_log_tells_of_calls(client: RawClient) -> None:
    log = client.open("net/log", ORDWR)
    client.write(log, b"set il")
    caller, called = pair(client)
    local = client.text(f"net/il/{caller.number}/local").strip()
    client.write(caller.ctl, b"hangup")
    client.read(called.data)
    told = ""
    while told.count("\n") < 5:
        told += data_of(client.ask(m.Tread(log, len(told), 8192))).decode()
    assert f"il {called.number} call {local}\n" in told
    assert f"il {caller.number} hangup\n" in told
