"""Callers without calls: a conversation for each sender of datagrams (docs/tree.md 10)."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netrelay import messages as m
from netrelay.types import ORDWR, Limits
from tests.served import need

from .rawclient import RefusedError, data_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.core import Core

    from .conftest import Door, Peer, Place
    from .rawclient import RawClient

HANDED = 64


@pytest.fixture(autouse=True)
def _served(core: Core) -> None:
    need(core, "udp")


def announced(client: RawClient, spec: str = "127.0.0.1!0") -> tuple[int, int, str]:
    """An announced conversation: its number, ctl and where it can be reached."""
    number, ctl, port = client.announce(spec, "net/udp")
    return number, ctl, f"127.0.0.1!{port}"


def parked_listen(client: RawClient, number: int) -> tuple[int, int]:
    """An open of listen that waits: its fid and tag."""
    fid = client.walk(f"net/udp/{number}/listen")
    (tag,) = client.park(m.Topen(fid, ORDWR))
    return fid, tag


def test_a_datagram_from_somebody_new_is_a_call(client: RawClient, peer: Peer) -> None:
    number, _, here = announced(client)
    fid, tag = parked_listen(client, number)
    peer.send(b"hello", here)
    reply = client.wait(tag)
    assert isinstance(reply, m.Ropen)
    assert reply.qid.path == 1 << 25 | 1 << 5 | 12
    assert client.read(fid) == b"1"
    assert client.text("net/udp/1/remote") == f"{peer}\n"
    assert client.text("net/udp/1/local") == f"{here}\n"
    assert client.text("net/udp/1/status").startswith("Open qin 5 qout ")
    data = client.open("net/udp/1/data", ORDWR)
    assert client.read(data) == b"hello"
    client.write(data, b"welcome")
    assert peer.receive() == (b"welcome", here)
    peer.send(b"more", here)
    assert client.read(data) == b"more"


def test_datagrams_of_a_caller_stay_together(client: RawClient, peers: Callable[..., Peer]) -> None:
    number, _, here = announced(client)
    one, two = peers(), peers()
    for part in (b"1", b"2", b""):
        one.send(b"one " + part, here)
        two.send(b"two " + part, here)
    calls = [client.call(number) for _ in range(2)]
    assert [client.text(f"net/udp/{call}/remote") for call, _, _ in calls] == [
        f"{one}\n",
        f"{two}\n",
    ]
    for part in (b"3", b"4"):
        two.send(b"two " + part, here)
        one.send(b"one " + part, here)
    for name, (_, _, data) in zip((b"one ", b"two "), calls, strict=True):
        assert [client.read(data)[4:] for _ in range(5)] == [b"1", b"2", b"", b"3", b"4"]
        client.write(data, b"to " + name)
    assert one.receive() == (b"to one ", here)
    assert two.receive() == (b"to two ", here)


def test_one_listen_brings_all_that_its_caller_had_sent(client: RawClient, peer: Peer) -> None:
    number, _, here = announced(client)
    for count in range(HANDED):
        peer.send(b"%d" % count, here)
    _, _, data = client.call(number)
    assert [client.read(data) for _ in range(HANDED)] == [b"%d" % each for each in range(HANDED)]


def test_of_what_is_beyond_the_bound_nobody_else_suffers(
    place: Place, peers: Callable[..., Peer]
) -> None:
    client = place.gateway().attach()
    number, _, here = announced(client)
    loud, quiet = peers(), peers()
    for _ in range(3 * HANDED):
        loud.send(b"loud", here)
    quiet.send(b"quiet", here)
    _, _, data = client.call(number)
    call, _, other = client.call(number)
    assert client.text(f"net/udp/{call}/remote") == f"{quiet}\n"
    assert client.read(other) == b"quiet"
    loud.send(b"the end", here)
    read = 0
    while client.read(data) == b"loud":
        read += 1
    assert HANDED <= read <= 2 * HANDED
    assert place.gateways[0].stats()["dropped"] == 3 * HANDED - read


def test_without_a_listen_datagrams_stay_with_the_host(client: RawClient, peer: Peer) -> None:
    number, _, here = announced(client)
    data = client.open(f"net/udp/{number}/data", ORDWR)
    (tag,) = client.park(m.Tread(data, 0, 9))
    peer.send(b"waiting", here)
    assert client.text(f"net/udp/{number}/status").startswith("Open qin 7 qout ")
    client.ask(m.Tflush(tag))
    _, _, call = client.call(number)
    assert client.read(call) == b"waiting"


def test_listens_are_served_in_order(client: RawClient, peers: Callable[..., Peer]) -> None:
    number, _, here = announced(client)
    parked = [parked_listen(client, number) for _ in range(2)]
    one, two = peers(), peers()
    one.send(b"x", here)
    two.send(b"x", here)
    for _, tag in parked:
        client.wait(tag)
    assert client.order[-2:] == [tag for _, tag in parked]
    assert client.text("net/udp/1/remote") == f"{one}\n"


def test_a_flushed_listen_takes_no_datagram(client: RawClient, peer: Peer) -> None:
    number, _, here = announced(client)
    _, tag = parked_listen(client, number)
    assert client.ask(m.Tflush(tag)) == m.Rflush()
    peer.send(b"mine", here)
    _, _, data = client.call(number)
    assert client.read(data) == b"mine"
    assert tag not in client.order


def test_a_clunk_interrupts_a_listen(client: RawClient) -> None:
    number, _, _ = announced(client)
    fid, tag = parked_listen(client, number)
    client.clunk(fid)
    assert client.reply(tag) == m.Rerror("interrupted", 0)


def test_a_hangup_wakes_the_listens_and_spares_the_callers(client: RawClient, peer: Peer) -> None:
    number, ctl, here = announced(client)
    peer.send(b"before", here)
    _, _, data = client.call(number)
    _, tag = parked_listen(client, number)
    client.write(ctl, b"hangup")
    with pytest.raises(RefusedError, match=r"^listen hungup$"):
        client.wait(tag)
    with pytest.raises(RefusedError, match=r"^not announced$"):
        client.open(f"net/udp/{number}/listen", ORDWR)
    client.clunk(ctl)
    peer.send(b"after", here)
    assert [client.read(data) for _ in range(2)] == [b"before", b"after"]
    client.write(data, b"still")
    assert peer.receive() == (b"still", here)


def test_listen_needs_an_announced_conversation(client: RawClient, peer: Peer) -> None:
    number, _, _ = client.dial(peer.port, protocol="net/udp")
    with pytest.raises(RefusedError, match=r"^not announced$"):
        client.open(f"net/udp/{number}/listen", ORDWR)


def test_reads_of_an_announced_conversation_wait_for_its_end(client: RawClient) -> None:
    number, ctl, _ = announced(client)
    data = client.open(f"net/udp/{number}/data", ORDWR)
    with pytest.raises(RefusedError, match=r"^i/o on hungup channel$"):
        client.write(data, b"x")
    (tag,) = client.park(m.Tread(data, 0, 9))
    client.write(ctl, b"hangup")
    assert data_of(client.wait(tag)) == b""


def test_a_caller_that_is_hung_up_calls_again(client: RawClient, peer: Peer) -> None:
    number, _, here = announced(client)
    peer.send(b"first", here)
    call, ctl, data = client.call(number)
    client.write(ctl, b"hangup")
    peer.send(b"second", here)
    again, _, other = client.call(number)
    assert again != call
    assert client.read(other) == b"second"
    for fid in (ctl, data):
        client.clunk(fid)
    peer.send(b"third", here)
    assert client.read(other) == b"third"


def test_a_caller_whose_port_is_gone_is_hung_up(client: RawClient, peer: Peer) -> None:
    number, _, here = announced(client)
    peer.send(b"call me back", here)
    _, _, data = client.call(number)
    peer.sock.close()
    client.write(data, b"hello?")
    assert client.read(data) == b"call me back"
    with pytest.raises(RefusedError, match=r"^port unreachable$"):
        client.read(data)


def test_a_port_is_taken_as_long_as_a_caller_has_a_conversation(
    client: RawClient, peer: Peer
) -> None:
    number, ctl, here = announced(client)
    peer.send(b"x", here)
    _, called, data = client.call(number)
    client.clunk(ctl)
    _, again = client.clone("net/udp")
    with pytest.raises(RefusedError, match=r"^address in use$"):
        client.write(again, f"announce {here}".encode())
    client.clunk(called)
    client.clunk(data)
    client.write(again, f"announce {here}".encode())


def test_nobody_else_can_share_the_port(client: RawClient, peer: Peer) -> None:
    number, _, here = announced(client)
    peer.send(b"x", here)
    client.call(number)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="Address already in use"):
            thief.bind(("127.0.0.1", int(here.rpartition("!")[2])))


def test_any_address_is_one_port_of_both_families(
    client: RawClient, peers: Callable[..., Peer]
) -> None:
    number, _, port = client.announce("*!0", "net/udp")
    assert client.text(f"net/udp/{number}/local") == f"::!{port}\n"
    for host in ("127.0.0.9", "::1"):
        peer = peers(host.replace("9", "1"))
        peer.send(b"hello", f"{host}!{port}")
        call, _, data = client.call(number)
        assert client.text(f"net/udp/{call}/local") == f"{host}!{port}\n"
        assert client.text(f"net/udp/{call}/remote") == f"{peer}\n"
        assert client.read(data) == b"hello"
        client.write(data, b"from where it was sent to")
        assert peer.receive()[1] == f"{host}!{port}"


def test_a_destination_more_is_a_call_more(client: RawClient, peer: Peer) -> None:
    number, _, port = client.announce("*!0", "net/udp")
    peer.send(b"to 2", f"127.0.0.2!{port}")
    peer.send(b"to 3", f"127.0.0.3!{port}")
    peer.send(b"to 2 too", f"127.0.0.2!{port}")
    texts = []
    for _ in range(2):
        call, _, data = client.call(number)
        texts.append((client.text(f"net/udp/{call}/local"), data))
    assert [local for local, _ in texts] == [f"127.0.0.2!{port}\n", f"127.0.0.3!{port}\n"]
    assert [client.read(texts[0][1]) for _ in range(2)] == [b"to 2", b"to 2 too"]
    assert client.read(texts[1][1]) == b"to 3"


def test_a_broadcast_is_a_call_that_is_answered_by_one(client: RawClient, peer: Peer) -> None:
    number, _, port = client.announce("*!0", "net/udp")
    everybody = f"127.255.255.255!{port}"
    peer.send(b"anybody?", everybody)
    peer.send(b"you?", everybody)
    call, _, data = client.call(number)
    assert client.text(f"net/udp/{call}/local") == f"{everybody}\n"
    assert [client.read(data) for _ in range(2)] == [b"anybody?", b"you?"]
    client.write(data, b"I")
    assert peer.receive() == (b"I", f"127.0.0.1!{port}")
    _, tag = parked_listen(client, number)
    peer.send(b"all of you", everybody)
    assert client.read(data) == b"all of you"
    client.park()
    assert tag not in client.order
    peer.send(b"you alone", f"127.0.0.1!{port}")
    client.wait(tag)
    client.park(m.Tread(data, 0, 9))


def test_a_datagram_from_port_0_is_nobodys(client: RawClient, peer: Peer) -> None:
    number, _, here = announced(client)
    if os.geteuid() != 0:
        pytest.skip("only root may send from port 0")
    port = int(here.rpartition("!")[2])
    udp = b"\0\0" + port.to_bytes(2, "big") + (9).to_bytes(2, "big") + b"\0\0?"
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
        raw.sendto(udp, ("127.0.0.1", 0))
    peer.send(b"mine", here)
    call, _, _ = client.call(number)
    assert client.text(f"net/udp/{call}/remote") == f"{peer}\n"


def test_ttl_is_handed_on_to_the_callers(client: RawClient, peer: Peer) -> None:
    ip_recvttl = 12  # linux/in.h
    peer.sock.setsockopt(socket.IPPROTO_IP, ip_recvttl, 1)
    number, ctl, here = announced(client)
    client.write(ctl, b"ttl 9")
    peer.send(b"x", here)
    _, _, data = client.call(number)
    client.write(data, b"y")
    _, beside, _, _ = peer.sock.recvmsg(10, 100)
    assert [value[0] for _, _, value in beside] == [9]


def test_a_call_is_the_announcers_own(door: Door, peer: Peer) -> None:
    client, host = door.attach(), door.attach("gate")
    number, _, here = announced(client)
    peer.send(b"x", here)
    _, ctl, _ = host.call(number)
    reply = host.ask(m.Tstat(ctl))
    assert isinstance(reply, m.Rstat)
    assert (reply.stat.name, reply.stat.uid) == ("ctl", "glenda")


def test_a_call_needs_a_number(place: Place, peer: Peer) -> None:
    client = place.gateway(limits=Limits(conversations=2)).attach()
    number, _, here = announced(client)
    _, other = client.clone("net/udp")
    peer.send(b"patience", here)
    with pytest.raises(RefusedError, match=r"^no free devices$"):
        client.open(f"net/udp/{number}/listen", ORDWR)
    client.clunk(other)
    _, _, data = client.call(number)
    assert client.read(data) == b"patience"


def test_the_log_tells_of_calls(client: RawClient, peer: Peer) -> None:
    log = client.open("net/log", ORDWR)
    client.write(log, b"set udp")
    number, _, here = announced(client)
    peer.send(b"x", here)
    _, ctl, data = client.call(number)
    for fid in (ctl, data):
        client.clunk(fid)
    told = client.read(log).decode()
    assert told == f"udp 0 announce {here}\nudp 1 call {peer}\nudp 1 hangup\n"


def test_a_call_that_is_not_used_ends(place: Place, peer: Peer) -> None:
    client = place.gateway(limits=Limits(packet_idle_s=0.05)).attach()
    number, _, here = announced(client)
    other, _, dialled = client.dial(peer.port, protocol="net/udp")
    peer.send(b"only once", here)
    call, _, data = client.call(number)
    assert [client.read(data) for _ in range(4)] == [b"only once", b"", b"", b""]
    with pytest.raises(RefusedError, match=r"^i/o on hungup channel$"):
        client.write(data, b"x")
    assert client.text(f"net/udp/{call}/status") == "Closed qin 0 qout 0\n"
    for each in (number, other):
        assert client.text(f"net/udp/{each}/status").startswith("Open ")
    client.write(dialled, b"still")
    assert peer.receive()[0] == b"still"
    peer.send(b"again", here)
    _, _, data = client.call(number)
    assert client.read(data) == b"again"


@pytest.mark.parametrize("reading", [True, False])
def test_a_call_that_is_used_does_not_end(place: Place, peer: Peer, *, reading: bool) -> None:
    idle_s = 0.5
    client = place.gateway(limits=Limits(packet_idle_s=idle_s)).attach()
    number, _, here = announced(client)
    peer.send(b"begin", here)
    call, _, data = client.call(number)
    begun = time.monotonic()
    while time.monotonic() < begun + 2 * idle_s:
        if reading:
            peer.send(b"ping", here)
            assert client.read(data) in {b"begin", b"ping"}
        else:
            client.write(data, b"ping")
            assert peer.receive()[0] == b"ping"
    assert client.text(f"net/udp/{call}/status").startswith("Open ")


def test_idle_calls_may_stay_for_ever(place: Place, peer: Peer) -> None:
    client = place.gateway(limits=Limits(packet_idle_s=0)).attach()
    number, _, here = announced(client)
    peer.send(b"x", here)
    _, _, data = client.call(number)
    assert client.read(data) == b"x"
    client.park(m.Tread(data, 0, 9))


def test_what_finds_no_room_is_counted(place: Place, peer: Peer) -> None:
    """The count comes with the next datagram that finds room."""
    client = place.gateway().attach()
    number, _, here = announced(client)
    peer.send(b"x", here)
    call, _, data = client.call(number)
    assert client.read(data) == b"x"
    sent, read = 100, 0
    for _ in range(sent):
        peer.send(bytes(30_000), here)
    while int(client.text(f"net/udp/{call}/status").split()[2]):
        client.read(data, 100)
        read += 1
    peer.send(b"last", here)
    while client.read(data, 100) != b"last":
        read += 1
    dropped = place.gateways[0].stats()["dropped"]
    assert dropped == sent - read
    assert dropped


def sockets() -> set[str]:
    """Those that this process has open, by what the kernel calls them."""
    found = set()
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            found.add(str(each.readlink()))
    return {link for link in found if link.startswith("socket:")}


def test_no_descriptor_is_left_over(place: Place, peers: Callable[..., Peer]) -> None:
    client = place.gateway().attach()
    client.park()
    some = [peers() for _ in range(20)]
    before = sockets()
    number, ctl, here = announced(client)
    fids = [ctl]
    for peer in some:
        peer.send(b"x", here)
        fids += client.call(number)[1:]
        fids += client.dial(peer.port, protocol="net/udp")[1:]
    _, probe = client.clone("net/udp")
    client.write(probe, b"bind 127.0.0.1!0")
    client.write(probe, b"addmulti 127.0.0.1 224.0.0.77")
    with pytest.raises(RefusedError, match=r"^address in use$"):
        client.write(probe, f"announce {here}".encode())
    assert len(sockets() - before) == 1 + 2 * len(some)
    for fid in (*fids, probe):
        client.clunk(fid)
    assert sockets() - before == set()
    assert place.gateways[0].stats()["conversations"] == 0
