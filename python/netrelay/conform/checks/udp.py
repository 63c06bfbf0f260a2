"""data of udp: datagrams, one a read and one a write, with or without the addresses before them."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from netrelay.conform.claims import NotOffered, claim, expect, same
from netrelay.conform.expectations import refused
from netrelay.types import IOHDRSZ, ORDWR

if TYPE_CHECKING:
    from netrelay.conform.conversations import Conversation
    from netrelay.conform.files import File
    from netrelay.conform.peer import Address, Datagrams
    from netrelay.conform.stage import Stage

SOURCE = "ip(3), udp.c"
NEEDS = ("udp", "dial")
HEADER = 52
LARGE = 60_000


async def _connected(stage: Stage) -> tuple[Conversation, File, Datagrams, Address]:
    """A conversation connected to a port of ours, and its own address."""
    peer = stage.datagrams()
    conversation = await stage.clone("udp")
    await conversation.command(f"connect {stage.peer}!{peer.port}")
    data = await conversation.open_data()
    await data.write(b"hello")
    text, where = await peer.receive()
    same(text, b"hello")
    return conversation, data, peer, where


async def _headers(stage: Stage) -> tuple[Conversation, File]:
    """An announced conversation that takes all datagrams with their addresses."""
    conversation = await stage.clone("udp")
    await conversation.command("announce 0")
    await conversation.command("headers")
    return conversation, await conversation.open_data()


@claim("connect is granted at once: there is nothing to wait for", SOURCE, needs=NEEDS)
async def connect_is_immediate(stage: Stage) -> None:
    conversation = await stage.clone("udp")
    await conversation.command(f"connect {stage.nowhere()}")
    status = await conversation.text("status")
    expect(status.startswith("Open"), "Open …", status)


@claim("A write is one datagram, from the port that local shows", SOURCE, needs=NEEDS)
async def a_write_is_a_datagram(stage: Stage) -> None:
    conversation, data, peer, where = await _connected(stage)
    same(await conversation.port(), where[1])
    for text in (b"one", b"twotwo"):
        await data.write(text)
        same((await peer.receive())[0], text)


@claim("A read is one datagram, whatever waits behind it", SOURCE, needs=NEEDS)
async def a_read_is_a_datagram(stage: Stage) -> None:
    _, data, peer, where = await _connected(stage)
    peer.send(b"one", where)
    peer.send(b"twotwo", where)
    same(await data.read(), b"one")
    same(await data.read(), b"twotwo")


@claim(
    "What a read has no room for is gone: the next read is the next datagram", SOURCE, needs=NEEDS
)
async def the_excess_is_discarded(stage: Stage) -> None:
    _, data, peer, where = await _connected(stage)
    peer.send(b"0123456789", where)
    peer.send(b"next", where)
    same(await data.read(4), b"0123")
    same(await data.read(), b"next")


@claim("An empty datagram goes out by an empty write", SOURCE, needs=NEEDS)
async def an_empty_write_is_sent(stage: Stage) -> None:
    _, data, peer, _ = await _connected(stage)
    await data.write(b"")
    same((await peer.receive())[0], b"")


@claim("An empty datagram reads as no bytes, and ends nothing", SOURCE, needs=NEEDS)
async def an_empty_datagram_is_no_end(stage: Stage) -> None:
    _, data, peer, where = await _connected(stage)
    for _ in range(5):
        peer.send(b"", where)
    peer.send(b"more", where)
    for _ in range(5):
        same(await data.read(), b"")
    same(await data.read(), b"more")


@claim("A large datagram goes out and comes in as one", SOURCE, needs=NEEDS)
async def a_large_datagram_is_one(stage: Stage) -> None:
    conversation, data, peer, where = await _connected(stage)
    if conversation.session.msize - IOHDRSZ < LARGE + HEADER:
        raise NotOffered(f"an msize of {conversation.session.msize} holds no large datagram")
    text = bytes(range(250)) * (LARGE // 250)
    await data.write(text)
    expect((await peer.receive())[0] == text, f"one datagram of {LARGE} bytes", "another one")
    peer.send(text, where)
    expect(await data.read(LARGE) == text, f"Rread of {LARGE} bytes", "other bytes")


@claim("A connected conversation hears its remote and nobody else", SOURCE, needs=NEEDS)
async def others_are_not_heard(stage: Stage) -> None:
    _, data, peer, where = await _connected(stage)
    stranger = stage.datagrams()
    stranger.send(b"psst", where)
    peer.send(b"hello", where)
    same(await data.read(), b"hello")


@claim(
    "With `headers` a datagram comes behind 52 bytes: addresses of 16, ports of 2",
    SOURCE,
    needs=NEEDS,
)
async def headers_tell_where_from(stage: Stage) -> None:
    conversation, data = await _headers(stage)
    port = await conversation.port()
    peer = stage.datagrams()
    peer.send(b"hello", (stage.subject.gateway, port))
    got = await data.read()
    same(got[HEADER:], b"hello")
    same(got[:16], _sixteen(stage.peer))
    same(got[16:32], _sixteen(stage.subject.gateway))
    same(int.from_bytes(got[48:50], "big"), peer.port)
    same(int.from_bytes(got[50:52], "big"), port)


@claim("The same 52 bytes before an answer take it back", SOURCE, needs=NEEDS)
async def headers_take_an_answer_back(stage: Stage) -> None:
    conversation, data = await _headers(stage)
    port = await conversation.port()
    peer = stage.datagrams()
    peer.send(b"question", (stage.subject.gateway, port))
    got = await data.read()
    same(await data.write(got[:HEADER] + b"answer"), HEADER + 6)
    text, where = await peer.receive()
    same(text, b"answer")
    same(where[1], port)


@claim("With `headers` one conversation serves many remotes", SOURCE, needs=NEEDS)
async def headers_serve_many(stage: Stage) -> None:
    conversation, data = await _headers(stage)
    where = (stage.subject.gateway, await conversation.port())
    peers = [stage.datagrams() for _ in range(5)]
    for number, peer in enumerate(peers):
        peer.send(bytes([number]), where)
    for _ in peers:
        got = await data.read()
        await data.write(got)
    for number, peer in enumerate(peers):
        same((await peer.receive())[0], bytes([number]))


@claim("A write shorter than its 52 bytes sends nothing and is no error", SOURCE, needs=NEEDS)
async def a_short_header_is_dropped(stage: Stage) -> None:
    conversation, data = await _headers(stage)
    same(await data.write(b"short"), 5)
    await conversation.text("status")


@claim(
    "Without `headers` a datagram from a new remote is a call, and waits in its data",
    SOURCE,
    needs=NEEDS,
)
async def a_new_remote_is_a_call(stage: Stage) -> None:
    announced = await stage.announced("udp")
    where = (stage.subject.gateway, await announced.port())
    listening = await announced.begin_listen()
    await announced.session.round_trip()
    expect(not listening.answered, "an open that waits", "Ropen")
    peer = stage.datagrams()
    peer.send(b"first", where)
    taken = await announced.taken(listening)
    same(await taken.text("remote"), f"{stage.peer}!{peer.port}\n")
    data = await taken.open_data()
    same(await data.read(), b"first")
    peer.send(b"second", where)
    same(await data.read(), b"second")
    await data.write(b"answer")
    text, back = await peer.receive()
    same((text, back[1]), (b"answer", where[1]))


@claim("Two remotes are two calls, each with its own datagrams", SOURCE, needs=NEEDS)
async def two_remotes_are_two_calls(stage: Stage) -> None:
    announced = await stage.announced("udp")
    where = (stage.subject.gateway, await announced.port())
    peers = {peer.port: peer for peer in (stage.datagrams(), stage.datagrams())}
    for port, peer in peers.items():
        peer.send(str(port).encode(), where)
    for _ in peers:
        taken = await announced.taken(await announced.begin_listen())
        remote = (await taken.text("remote")).strip().partition("!")[2]
        same((await (await taken.open_data()).read()).decode(), remote)


@claim("A port that somebody has announced is `address in use`", SOURCE, needs=("udp",))
async def a_taken_port_is_refused(stage: Stage) -> None:
    first = await stage.announced("udp")
    port = await first.port()
    await refused((await stage.clone("udp")).command(f"announce {port}"), "address in use")


@claim("An announced port shows in local, and the status begins with Open", SOURCE, needs=("udp",))
async def announced_shows_its_port(stage: Stage) -> None:
    conversation = await stage.announced("udp")
    same(await conversation.text("local"), f"::!{await conversation.port()}\n")
    status = await conversation.text("status")
    expect(status.startswith("Open"), "Open …", status)


@claim("stats has the four counters of udp", SOURCE, needs=("udp",))
async def stats_has_four_counters(stage: Stage) -> None:
    session = await stage.session()
    names = [line.partition(":")[0] for line in (await session.text("udp", "stats")).splitlines()]
    expect(
        {"InDatagrams", "NoPorts", "InErrors", "OutDatagrams"} <= set(names),
        "InDatagrams NoPorts InErrors OutDatagrams",
        names,
    )


@claim("A verb that udp does not know is `unknown control request`", SOURCE, needs=("udp",))
async def an_unknown_verb_is_refused(stage: Stage) -> None:
    conversation = await stage.clone("udp")
    await refused(conversation.command("keepalive"), "unknown control request")


@claim("A listen of what is not announced is `not announced`", SOURCE, needs=("udp",))
async def listen_needs_an_announcement(stage: Stage) -> None:
    conversation = await stage.clone("udp")
    await refused(conversation.open("listen", mode=ORDWR), "not announced")


def _sixteen(host: str) -> bytes:
    """An address as ip(3) has it: 16 bytes, IPv4 behind ::ffff."""
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv4Address):
        return bytes(10) + b"\xff\xff" + address.packed
    return address.packed
