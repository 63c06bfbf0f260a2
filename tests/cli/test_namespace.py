"""`netrelay export --namespace FILE`: what attaches see is composed by a file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import netrelay
from netrelay.cli.main import cli

if TYPE_CHECKING:
    from pathlib import Path

    from netrelay.core import Core

PATIENCE_S = 30.0
LISTEN = ("export", "--listen", "tcp!127.0.0.1!0", "--stack", "alt=addr:127.0.0.2")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("bind '#I1' /net\nbind /nowhere /x\n", "line 2: bind /nowhere /x: file does not exist"),
        ("bind '#I2' /x\n", "the name space has no file #I2"),
        ("bind '#l0' /x\n", "the name space has no file #I0/ether0"),
        ("mount tcp!gw2!9fs /n/gw2\n", "gateways bind trees of their own only"),
        ("frob\n", "line 1: unknown operation 'frob'"),
    ],
)
def test_a_file_that_can_not_be_is_misuse(tmp_path: Path, text: str, error: str) -> None:
    (tmp_path / "ns").write_text(text)
    done = CliRunner().invoke(cli, [*LISTEN, "--namespace", str(tmp_path / "ns")])
    assert done.exit_code == 2
    assert error in done.stderr
    assert "Traceback" not in done.stderr


def test_a_gateway_serves_what_is_composed_and_what_it_is_changed_to(
    core: Core, tmp_path: Path
) -> None:
    space = netrelay.Namespace.of_stacks("alt")
    space.run("bind '#I1' /n/gw/net\nbind -a '#I1' /net")

    async def work() -> None:
        address = f"unix!{tmp_path}/gate"
        gateway = netrelay.Gateway(
            address,
            core=core.name,
            stacks=["alt=addr:127.0.0.2"],
            allow_dial=["127.0.0.0/8"],
            namespace=space,
            grace_s=0,
        )
        server = await asyncio.start_server(_say_who_calls, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with (
            server,
            asyncio.timeout(PATIENCE_S),
            gateway,
            netrelay.connect(address, core=core.name) as session,
        ):
            assert [each.name for each in await session.ls("/n/gw")] == ["net"]
            for where, caller in (("/n/gw/net/", b"127.0.0.2"), ("", b"127.0.0.1")):
                reader, writer = await session.dial(f"{where}tcp!127.0.0.1!{port}")
                assert await reader.read() == caller
                writer.close()
            space.bind("#I1", "/net")
            gateway.set_namespace(space)
            reader, writer = await session.dial(f"tcp!127.0.0.1!{port}")
            assert await reader.read() == b"127.0.0.2"
            writer.close()

    asyncio.run(work())


async def _say_who_calls(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(writer.get_extra_info("peername")[0].encode())
    await writer.drain()
    writer.close()
