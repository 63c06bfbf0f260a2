"""`netrelay netstat` and `ip`, and what programs have of them, on a gateway in its namespace."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

import netrelay
import netrelay.sync
from netrelay.client.tables import Conversation

from .commands import run
from .hostnet import MAC, PATIENCE_S

if TYPE_CHECKING:
    from subprocess import CompletedProcess

    from netrelay.core import Core

    from .conftest import Door
    from .hostnet import Setting


async def command(setting: Setting, *arguments: str) -> CompletedProcess[str]:
    """A command at the setting's gateway."""
    name, *rest = arguments
    return await asyncio.to_thread(run, f"unix!{setting.folder}/gate", name, *rest)


def table(done: CompletedProcess[str]) -> list[dict[str, str]]:
    """The rows of a table by its header."""
    assert (done.returncode, done.stderr) == (0, "")
    header, *rows = (line.split() for line in done.stdout.splitlines())
    return [dict(zip(header, row, strict=False)) for row in rows]


def records(done: CompletedProcess[str]) -> Any:  # noqa: ANN401 (whatever JSON it is)
    """What it printed as JSON."""
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def furnished(setting: Setting) -> None:
    """A default route, one to nowhere, and a neighbour who is always known."""
    setting.own.ip("route add default via 10.0.0.2")
    setting.own.ip("route add blackhole 10.66.0.0/16")
    setting.own.ip(f"neigh add 10.0.0.7 lladdr {MAC} dev eth0 nud permanent")


def test_ip_shows_what_ip_of_linux_shows(setting: Setting) -> None:
    furnished(setting)

    async def act(session: netrelay.Session) -> None:
        shown = records(await command(setting, "ip", "--json"))
        assert list(shown) == ["addresses", "routes", "neighbours"]
        linux = {
            link["ifname"]: {f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"]}
            for link in setting.own.show("addr")
        }
        assert {
            one["device"]: {each["address"] for each in one["addresses"]}
            for one in shown["addresses"]
        } == linux
        eth0 = next(one for one in shown["addresses"] if one["device"] == "eth0")
        assert (eth0["mtu"], eth0["errors"]) == (1500, 0)
        assert {each["valid_s"] for each in eth0["addresses"]} == {None}

        routes = {one["target"]: one for one in shown["routes"]}
        default = routes["0.0.0.0/0"]
        assert (default["gateway"], default["device"]) == ("10.0.0.2", "eth0")
        assert (routes["10.0.0.0/24"]["gateway"], routes["10.0.0.0/24"]["tag"]) == (None, "ifc")
        assert routes["10.66.0.0/16"]["device"] is None
        assert routes["2001:db8::/64"]["device"] == "eth0"
        assert {
            "address": "10.0.0.7", "mac": MAC, "state": "known", "device": "eth0"
        } in shown["neighbours"]  # fmt: skip

        text = (await command(setting, "ip")).stdout
        assert [line for line in text.splitlines() if line.endswith(":")] == [
            "addresses:", "routes:", "neighbours:",
        ]  # fmt: skip
        (row,) = [row for row in table(await command(setting, "ip", "routes"))
                  if row["target"] == "0.0.0.0/0"]  # fmt: skip
        assert (row["gateway"], row["device"], row["source"]) == ("10.0.0.2", "eth0", "-")
        assert [one.device for one in await session.interfaces()] == ["eth0", "lo"]
        assert any(str(one.gateway) == "10.0.0.2" for one in await session.routes())
        assert [str(one.ip) for one in await session.neighbours() if one.known] == ["10.0.0.7"]

    setting.play(act)


def test_a_script_has_the_tables_too(setting: Setting) -> None:
    furnished(setting)

    def script() -> None:
        address = f"unix!{setting.folder}/gate"
        with netrelay.sync.connect(address, core=setting.core.name) as session:
            assert [one.device for one in session.interfaces()] == ["eth0", "lo"]
            assert any(str(one.gateway) == "10.0.0.2" for one in session.routes())
            assert "10.0.0.7" in [str(one.ip) for one in session.neighbours()]

    async def act(_: netrelay.Session) -> None:
        await asyncio.to_thread(script)

    setting.play(act)


def test_ip_of_a_stack_is_of_its_network(setting: Setting) -> None:
    async def act(_: netrelay.Session) -> None:
        done = await command(setting, "ip", "addresses", "--netdir", "/net.alt")
        (row,) = table(done)
        assert (row["device"], row["addresses"]) == ("eth0", "10.0.0.1/24")
        gone = await command(setting, "ip", "--netdir", "/net.no")
        assert (gone.returncode, gone.stdout) == (1, "")
        assert gone.stderr.startswith("netrelay: /net.no: file does not exist")

    setting.play(act, stacks=("alt=addr:10.0.0.1",))


def test_netstat_has_a_conversation_a_line(setting: Setting) -> None:
    async def act(session: netrelay.Session) -> None:
        with setting.own.inside(), socket.create_server(("10.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            async with asyncio.timeout(PATIENCE_S):
                _, writer = await session.dial(f"tcp!10.0.0.1!{port}")
                announced = await session.announce("udp!*!5353")
            call, (host, theirs) = server.accept()
            with call:
                call.sendall(b"12345")
                found = records(await command(setting, "netstat", "--json"))
                owner = found[0]["owner"]
                assert {one["net"]: one for one in found} == {
                    "tcp": {
                        "net": "tcp", "number": 0, "owner": owner, "state": "Established",
                        "queued_in": 0, "queued_out": 0, "local": f"{host}!{theirs}",
                        "remote": f"10.0.0.1!{port}",
                    },
                    "udp": {
                        "net": "udp", "number": 0, "owner": owner, "state": "Open",
                        "queued_in": 0, "queued_out": 0, "local": "::!5353", "remote": "::!0",
                    },
                }  # fmt: skip
                (row,) = table(await command(setting, "netstat", "udp"))
                assert row["local"] == "::!5353"
                assert await session.conversations("tcp") == [
                    Conversation("tcp", 0, owner, "Established", f"{host}!{theirs}",
                                 f"10.0.0.1!{port}"),
                ]  # fmt: skip
            writer.close()
            announced.close()

    # Not 10.0.0.1's own addresses: calls to them are the guard's to refuse.
    setting.play(act, allow_dial=("10.0.0.1/32",))


def test_numbers_that_nobody_uses_are_shown_when_asked_for(door: Door) -> None:
    client = door.attach()
    _, ctl = client.clone("net/udp")
    client.clunk(ctl)
    assert table(run(door.address, "netstat")) == []
    (row,) = table(run(door.address, "netstat", "--all"))
    assert (row["net"], row["number"], row["owner"], row["state"]) == (
        "udp", "0", "network", "Closed",
    )  # fmt: skip


def test_what_protocols_count(door: Door) -> None:
    done = run(door.address, "netstat", "--stats", "tcp", "esp", "--json")
    counts = records(done)
    assert list(counts) == ["tcp", "esp"]
    assert counts["tcp"]["MaxConn"] > 0
    assert counts["esp"] == {"": "0 0"}
    shown = run(door.address, "netstat", "-s", "tcp", "esp").stdout.splitlines()
    assert (shown[0], shown[-2:]) == ("tcp:", ["esp:", "    0 0"])


def test_a_protocol_that_is_not_there(door: Door) -> None:
    done = run(door.address, "netstat", "sctp")
    assert (done.returncode, done.stdout) == (1, "")
    assert "file does not exist" in done.stderr


def test_a_session_that_ends_while_a_table_is_read_says_so(core: Core, door: Door) -> None:
    async def scene() -> None:
        async with asyncio.timeout(PATIENCE_S):
            async with netrelay.connect(door.address, core=core.name) as session:
                reading = asyncio.ensure_future(session.conversations(free=True))
                await asyncio.sleep(0)
            with pytest.raises(netrelay.NetError):
                await reading

    asyncio.run(scene())
