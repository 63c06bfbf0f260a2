"""What asks a gateway's network may ask another of its net directories."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from click.testing import CliRunner

import netrelay
from netrelay.cli.main import cli

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

PATIENCE_S = 30.0


def asked(folder: Path, *arguments: str) -> Result:
    """A command's end, before a gateway whose second stack is `/net.alt`."""
    address = f"unix!{folder}/gate"
    command, *rest = arguments

    async def work() -> Result:
        gateway = netrelay.Gateway(address, stacks=["alt=addr:127.0.0.2"], grace_s=0)
        async with asyncio.timeout(PATIENCE_S), gateway:
            line = [command, address, "--netdir", *rest]
            return await asyncio.to_thread(CliRunner().invoke, cli, line)

    return asyncio.run(work())


def test_cs_answers_for_the_stack(tmp_path: Path) -> None:
    done = asked(tmp_path, "cs", "/net.alt", "tcp!127.0.0.1!9fs", "--json")
    assert json.loads(done.stdout) == ["/net.alt/tcp/clone 127.0.0.1!564"]


def test_dns_answers_for_the_stack(tmp_path: Path) -> None:
    done = asked(tmp_path, "dns", "/net.alt", "localhost")
    assert done.stdout == "localhost ip\t127.0.0.1\n"


def test_one_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = asked(tmp_path, "cs", "/net.none", "tcp!*!80")
    assert done.exit_code == 1
    assert "file does not exist" in done.stderr
