"""A server that nobody here wrote under the suite: diod, which serves files and has no `/net`.

What it gets wrong is on the page, check by check; everything else that it can be asked must pass,
or the suite claims more of 9P than others do.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import selectors
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netrelay import conform
from netrelay.conform.report import lines
from netrelay.types import Dialect

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("diod") is None, reason="diod is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="diod serves whoever attaches as root only"),
    pytest.mark.timeout(120),
]

PAGE = (Path(__file__).resolve().parent.parent.parent / "docs" / "conformance.md").read_text()
PATIENCE_S = 10.0


@pytest.fixture
def diod(tmp_path: Path) -> Iterator[conform.Options]:
    """A diod that exports a folder with a file in it."""
    export = tmp_path / "export"
    (export / "folder").mkdir(parents=True)
    (export / "file").write_text("hello\n")
    where = tmp_path / "socket"
    command = ["diod", "-f", "-n", "-e", str(export), "-l", str(where), "-L", "/dev/null"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            until_it_listens(where, server)
            yield conform.Options(f"unix!{where}", Dialect.L, "root", str(export))
        finally:
            server.terminate()
            server.wait(PATIENCE_S)


def until_it_listens(where: Path, server: subprocess.Popen[bytes]) -> None:
    """Wait for the socket to take a call."""
    deadline = time.monotonic() + PATIENCE_S
    pause = selectors.DefaultSelector()
    while time.monotonic() < deadline:
        assert server.poll() is None, "diod ended"
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as call:
            call.connect(str(where))
            return
        pause.select(0.01)
    pytest.fail("diod does not listen")


def test_diod_passes_but_for_what_the_page_says(diod: conform.Options) -> None:
    async def run() -> list[conform.Outcome]:
        subject = await conform.examine(diod)
        return [outcome async for outcome in conform.run(subject, conform.select(Dialect.L))]

    outcomes = asyncio.run(run())
    _, _, seen = PAGE.partition("\n## Seen elsewhere\n")
    wrong = set(re.findall(r"^\| `([\w.-]+)` \|", seen.partition("\n## ")[0], re.MULTILINE))
    failed = {one.check.name: one for one in outcomes if one.result is conform.Result.FAIL}
    assert set(failed) <= wrong, "\n".join(line for one in failed.values() for line in lines(one))
    passed = {one.check.name for one in outcomes if one.result is conform.Result.PASS}
    subjects = {name.partition(".")[0] for name in passed}
    assert subjects == {"session", "walk", "opening", "directories", "linux", "flush"}
