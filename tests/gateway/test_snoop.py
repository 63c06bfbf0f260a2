"""`netrelay snoop` and `session.frames`, with somebody at the other end of the cable."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

import netrelay
import netrelay.sync
from netrelay.errors import NetError
from tests.capture.test_pcapng import PING
from tests.netns.lab import until

from .cable import BROADCAST, OTHER_TYPE, SHORTEST, STRANGER, TYPE, Cable, frame
from .commands import NETRELAY, PATIENCE_S, run, started

if TYPE_CHECKING:
    from pathlib import Path

    from netrelay.client.frames import Frames
    from netrelay.core import Core

    from .conftest import Door, Place

WATCHING = "netrelay: watching ether0; Ctrl-C ends it"


@pytest.fixture
def door(place: Place, ends: Cable) -> Door:
    """A gateway that gives the frames of its end away."""
    return ends.gateway(place)


def ping(ends: Cable) -> bytes:
    """An echo request to the near end."""
    return (ends.mac + STRANGER + PING[12:]).ljust(SHORTEST, b"\0")


# the API


def test_frames_come_in_order_and_go_out(core: Core, ends: Cable, door: Door) -> None:
    sent = [frame(ends.mac, payload=b"%d" % number) for number in range(300)]

    async def scene() -> None:
        async with (
            asyncio.timeout(PATIENCE_S),
            netrelay.connect(door.address, core=core.name) as session,
            await session.frames() as frames,
        ):
            ends.send(*sent)
            assert [await anext(frames) for _ in sent] == sent
            await frames.write(frame(BROADCAST))
            assert ends.next() == frame(BROADCAST, of=ends.mac)
            stats = await frames.stats()
            assert (stats["in"], stats["soft overflows"]) == ("300", "0")
            assert stats["addr"] == ends.mac.hex()

    asyncio.run(scene())


def test_frames_can_be_of_one_type_and_of_others(core: Core, ends: Cable, door: Door) -> None:
    async def scene() -> None:
        async with (
            asyncio.timeout(PATIENCE_S),
            netrelay.connect(door.address, core=core.name) as session,
            await session.frames("ether0", ethertype=TYPE) as plain,
            await session.frames("ether0", ethertype=OTHER_TYPE, promiscuous=True) as strays,
        ):
            stray = frame(STRANGER, OTHER_TYPE)
            ends.send(frame(STRANGER), stray, frame(ends.mac))
            assert await anext(strays) == stray
            assert await anext(plain) == frame(ends.mac)

    asyncio.run(scene())


def test_a_wait_for_frames_ends_with_the_slot(core: Core, door: Door) -> None:
    async def scene() -> None:
        async with (
            asyncio.timeout(PATIENCE_S),
            netrelay.connect(door.address, core=core.name) as session,
        ):
            frames = await session.frames()
            collecting = asyncio.ensure_future(_collect(frames))
            await asyncio.sleep(0)
            frames.close()
            frames.close()
            assert await collecting == []
            # All eight slots are free again.
            for _ in range(9):
                (await session.frames()).close()

    asyncio.run(scene())


async def _collect(frames: Frames) -> list[bytes]:
    return [each async for each in frames]


def test_an_interface_that_goes_away_ends_the_frames(core: Core, ends: Cable, door: Door) -> None:
    async def scene() -> None:
        async with (
            asyncio.timeout(PATIENCE_S),
            netrelay.connect(door.address, core=core.name) as session,
            await session.frames() as frames,
        ):
            ends.send(frame(ends.mac))
            assert await anext(frames) == frame(ends.mac)
            ends.own.ip("link del eth0")
            with pytest.raises(NetError, match=r"^i/o error$"):
                await anext(frames)

    asyncio.run(scene())


def test_a_script_has_frames_too(core: Core, ends: Cable, door: Door) -> None:
    with (
        netrelay.sync.connect(door.address, core=core.name) as session,
        session.frames() as frames,
    ):
        ends.send(frame(ends.mac))
        assert next(iter(frames)) == frame(ends.mac)
        frames.write(frame(BROADCAST))
        assert ends.next() == frame(BROADCAST, of=ends.mac)
        assert frames.stats()["out"] == "1"


# the command


@pytest.mark.interop
def test_the_readme_s_pipe_to_tshark(ends: Cable, door: Door) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed (tools/install-test-deps)")
    with started(door.address, "snoop", "ether0", "--count", "2") as snoop:
        assert snoop.said() == WATCHING
        with subprocess.Popen(
            ["tshark", "-n", "-r", "-", "-T", "fields", "-e", "frame.interface_name", "-e",
             "icmp.type", "-e", "eth.type"],
            stdin=snoop.process.stdout, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        ) as tshark:  # fmt: skip
            ends.send(ping(ends), frame(BROADCAST))
            shown, _ = tshark.communicate(timeout=PATIENCE_S)
        assert snoop.said() == "netrelay: 2 frames"
        assert snoop.process.wait(PATIENCE_S) == 0
    assert shown.decode().splitlines() == ["ether0\t8\t0x0800", f"ether0\t\t{TYPE:#06x}"]


def test_lines_for_people(ends: Cable, door: Door) -> None:
    with started(door.address, "snoop", "--text") as snoop:
        assert snoop.said() == WATCHING
        ends.send(ping(ends))
        assert re.fullmatch(
            r"\d\d:\d\d:\d\d\.\d{6} 10\.0\.0\.1 > 10\.0\.0\.2 icmp echo request code 0",
            snoop.line(),
        )
        assert snoop.interrupt() == (0, "", "netrelay: 1 frame\n")


def test_a_terminal_gets_lines(ends: Cable, door: Door) -> None:
    ours, theirs = pty.openpty()
    with (
        os.fdopen(ours, "rb", buffering=0) as screen,
        os.fdopen(theirs, "wb", buffering=0) as terminal,
        started(door.address, "snoop", stdout=terminal) as snoop,
    ):
        assert snoop.said() == WATCHING
        ends.send(ping(ends))
        shown = b""
        while not shown.endswith(b"\n"):
            shown += screen.read(1000)
        assert b"icmp echo request" in shown


def test_json_has_a_frame_a_line(ends: Cable, door: Door) -> None:
    with started(door.address, "snoop", "--json", "--snaplen", "20") as snoop:
        assert snoop.said() == WATCHING
        ends.send(ping(ends))
        record = json.loads(snoop.line())
    assert record.pop("time_ns") > 1_700_000_000_000_000_000
    assert record == {
        "length": SHORTEST,
        "summary": "10.0.0.1 > 10.0.0.2 icmp echo request code 0",
        "frame": ping(ends)[:20].hex(),
    }


def test_a_filter_and_a_file(ends: Cable, door: Door, tmp_path: Path) -> None:
    file = tmp_path / "seen.pcapng"
    with started(
        door.address, "snoop", "ether0", "--filter", "icmp", "--snaplen", "40", "--write", str(file)
    ) as snoop:
        assert snoop.said() == WATCHING
        ends.send(frame(BROADCAST), ping(ends))
        until(lambda: ping(ends)[:40] in file.read_bytes(), "the frame in the file")
        assert snoop.interrupt() == (0, "", "netrelay: 1 of 2 frames\n")
    written = file.read_bytes()
    assert b"icmp" in written
    assert frame(BROADCAST)[:40] not in written
    assert ping(ends)[:41] not in written


def test_own_only_leaves_out_what_is_for_others(ends: Cable, door: Door) -> None:
    with started(door.address, "snoop", "--own-only", "--json") as snoop:
        assert snoop.said() == WATCHING
        ends.send(frame(STRANGER), frame(ends.mac))
        assert json.loads(snoop.line())["frame"] == frame(ends.mac).hex()


def test_an_interface_that_is_not_there_is_told_with_those_that_are(
    place: Place, ends: Cable, door: Door
) -> None:
    done = run(door.address, "snoop", "ether7")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == ("netrelay: ether7: no such interface: the gateway has ether0\n")
    with ends.own.inside():
        plain = place.gateway()
    done = run(plain.address, "snoop")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "netrelay: ether0: no such interface: the gateway gives no interface away"
        " (export --ether)\n"
    )


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--text", "--json"), "exclude each other"),
        (("--json", "--write", "-"), "exclude each other"),
        (("--filter", "no such thing"), "filter 'no such thing': "),
        (("--write", "/nonexistent/file"), "can't write /nonexistent/file: "),
        (("--snaplen", "-1"), "--snaplen"),
    ],
)
def test_misuse(door: Door, arguments: tuple[str, ...], why: str) -> None:
    done = run(door.address, "snoop", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert why in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_reader_that_has_gone_ends_it(ends: Cable, door: Door) -> None:
    command = " ".join((*NETRELAY, "snoop", f"'{door.address}'", "--text"))
    with subprocess.Popen(
        ["bash", "-c", f"{command} | head -n 1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as shell:
        assert shell.stderr is not None
        assert shell.stdout is not None
        assert shell.stderr.readline().decode().strip() == WATCHING
        ends.send(ping(ends))
        assert b"icmp" in shell.stdout.readline()
        ends.send(ping(ends), ping(ends))
        assert shell.wait(PATIENCE_S) == 0
        assert shell.stderr.read().decode().startswith("netrelay: ")
