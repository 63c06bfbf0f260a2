"""`netrelay ping` and `session.pings`, with a host and a router beyond the gateway."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING

import pytest

import netrelay
import netrelay.sync
from netrelay.errors import NetError
from tests.served import need

from .commands import PATIENCE_S, run, started
from .hosts import OTHER, OTHER6, OWN, hosts
from .namespaces import namespace, wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from netrelay.core import Core

    from .conftest import Door, Place
    from .hosts import Hosts

ALT = ("--netdir", "/net.alt")
LINE = r"64 bytes from {}: seq {} ttl 64 time \d+\.\d{{3}} ms"
# Nobody has it.
NOBODY = "10.0.0.77"


@pytest.fixture
def wired(core: Core) -> Iterator[Hosts]:
    """Two hosts; the network of one is the gateway's `/net.alt`."""
    need(core, "icmp")
    with hosts() as made:
        yield made


@pytest.fixture
def door(place: Place, wired: Hosts) -> Door:
    """A gateway without a grant."""
    return wired.gateway(place)


@pytest.mark.parametrize("host", [OTHER, OTHER6])
def test_a_line_a_reply_and_a_summary(door: Door, host: str) -> None:
    done = run(door.address, "ping", host, "--count", "3", "--interval", "0.01", *ALT)
    assert (done.returncode, done.stderr) == (0, f"netrelay: pinging {host} ({host})\n")
    *lines, summary = done.stdout.splitlines()
    for number, line in enumerate(sorted(lines), 1):
        assert re.fullmatch(LINE.format(re.escape(host), number), line)
    assert re.fullmatch(
        r"3 sent, 3 received, 0 % lost; min/avg/max/mdev [\d.]+/[\d.]+/[\d.]+/[\d.]+ ms", summary
    )


def test_json_has_an_object_a_reply_and_one_for_all(door: Door) -> None:
    done = run(door.address, "ping", OTHER, "-c", "1", "-s", "1000", "--json", *ALT)
    reply, summary = map(json.loads, done.stdout.splitlines())
    time_ms = reply.pop("time_ms")
    assert 0 < time_ms < PATIENCE_S * 1000
    assert reply == {"sequence": 1, "bytes": 1008, "ttl": 64}
    assert summary == {
        "host": OTHER, "address": OTHER, "sent": 1, "received": 1,
        "time_ms": {"min": time_ms, "avg": time_ms, "max": time_ms, "mdev": 0.0},
    }  # fmt: skip


def test_it_goes_on_until_it_is_interrupted(door: Door) -> None:
    with started(door.address, "ping", OTHER, "-i", "0.01", *ALT) as ping:
        assert ping.said() == f"netrelay: pinging {OTHER} ({OTHER})"
        lines = [ping.line() for _ in range(3)]
        assert all(line.startswith(f"64 bytes from {OTHER}: ") for line in lines)
        status, rest, said = ping.interrupt()
    assert (status, said) == (0, "")
    assert re.match(r"\d+ sent, \d+ received, ", rest.splitlines()[-1])


def test_who_is_not_there_is_told_and_pinged_again(door: Door) -> None:
    done = run(door.address, "ping", NOBODY, "-c", "2", "-i", "0.01", "-W", "20", *ALT)
    assert (done.returncode, done.stderr) == (1, f"netrelay: pinging {NOBODY} ({NOBODY})\n")
    *lines, summary = done.stdout.splitlines()
    assert sorted(lines) == ["seq 1: host unreachable", "seq 2: host unreachable"]
    assert summary == "2 sent, 0 received, 100 % lost"


def test_no_answer_in_time_is_no_reply(door: Door, wired: Hosts) -> None:
    wired.other.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/icmp_echo_ignore_all")
    done = run(door.address, "ping", OTHER, "-c", "1", "-W", "0.05", *ALT)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "seq 1: no answer in 0.05 s", "1 sent, 0 received, 100 % lost",
    ]  # fmt: skip
    done = run(door.address, "ping", OTHER, "-c", "1", "-W", "0.05", "--json", *ALT)
    failure, summary = map(json.loads, done.stdout.splitlines())
    assert failure == {"sequence": 1, "error": "no answer in 0.05 s"}
    assert (summary["received"], summary["time_ms"]) == (0, None)


def test_a_router_says_where_hops_run_out(door: Door, wired: Hosts) -> None:
    with namespace() as far:
        wire(wired.other, "eth1", far, "eth0")
        wired.other.ip("addr add 10.9.0.1/24 dev eth1")
        wired.other.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
        wired.own.ip(f"route add 10.9.0.0/24 via {OTHER}")
        done = run(door.address, "ping", "10.9.0.2", "-c", "1", "--ttl", "1", *ALT)
    assert done.stdout.splitlines()[0] == f"seq 1: ttl exceeded at {OTHER}"


def test_what_the_guard_forbids_is_one_line(door: Door) -> None:
    done = run(door.address, "ping", "169.254.169.254", *ALT)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("netrelay: 169.254.169.254: permission denied")


def test_a_name_that_is_none_is_one_line(door: Door) -> None:
    done = run(door.address, "ping", "no/name")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [("--interval", "0"), ("--size", "7"), ("--timeout", "0"), ("--ttl", "0")]
)
def test_misuse(door: Door, arguments: tuple[str, ...]) -> None:
    done = run(door.address, "ping", OTHER, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert arguments[0] in done.stderr


def test_pings_of_a_program_may_overlap(core: Core, door: Door) -> None:
    async def scene() -> None:
        async with (
            asyncio.timeout(PATIENCE_S),
            netrelay.connect(door.address, core=core.name) as session,
            await session.pings(OTHER, size=8, netdir="/net.alt") as pings,
        ):
            assert pings.address == OTHER
            replies = await asyncio.gather(*(pings.ping() for _ in range(50)))
            assert sorted(reply.sequence for reply in replies) == list(range(1, 51))
            assert {(reply.size, reply.hops) for reply in replies} == {(16, 64)}
            # Cancelled, it leaves nothing behind that the next one could stumble over.
            waiting = asyncio.ensure_future(pings.ping())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            assert (await pings.ping()).sequence > 50

    asyncio.run(scene())


def test_a_ping_behind_an_unreachable_one_has_a_conversation_of_its_own(
    core: Core, door: Door
) -> None:
    async def scene() -> None:
        async with (
            asyncio.timeout(PATIENCE_S),
            netrelay.connect(door.address, core=core.name) as session,
            await session.pings(NOBODY, netdir="/net.alt") as pings,
        ):
            for _ in range(2):
                with pytest.raises(NetError, match=r"^host unreachable$"):
                    await pings.ping(PATIENCE_S)
            (one,) = await session.conversations("icmp", free=True, netdir="/net.alt")
            assert one.state == "Datagram"

    asyncio.run(scene())


def test_a_script_pings_too(core: Core, door: Door) -> None:
    with (
        netrelay.sync.connect(door.address, core=core.name) as session,
        session.pings(OTHER6, netdir="/net.alt") as pings,
    ):
        assert (pings.address, pings.ping().sequence, pings.ping().sequence) == (OTHER6, 1, 2)
        (one,) = session.conversations("icmpv6", netdir="/net.alt")
        assert one.remote == f"{OTHER6}!1"


async def _open(session: netrelay.Session) -> AsyncIterator[str]:
    """Where the pings of the other host come from, once there are some."""
    while True:
        for one in await session.conversations("icmp", netdir="/net.alt"):
            yield one.local


def test_pings_that_are_closed_end_those_that_wait(core: Core, door: Door, wired: Hosts) -> None:
    wired.other.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/icmp_echo_ignore_all")

    async def scene() -> None:
        async with (
            asyncio.timeout(PATIENCE_S),
            netrelay.connect(door.address, core=core.name) as session,
        ):
            pings = await session.pings(OTHER, netdir="/net.alt")
            waiting = asyncio.ensure_future(pings.ping(PATIENCE_S))
            assert (await anext(_open(session))).startswith(OWN)
            pings.close()
            with pytest.raises(NetError, match=r"^i/o on hungup channel$"):
                await waiting
            assert await session.conversations("icmp", netdir="/net.alt") == []

    asyncio.run(scene())
