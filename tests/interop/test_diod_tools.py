"""diod's tools, in C: 9P2000.L.

They send Tauth first, and take only ENOENT as the word that it is not needed: that is what diod
itself says. They walk to an empty name, from open directories, and attach by number without a name.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from netrelay import core as cores
from tests.integrity.relay import gateway
from tests.served import net

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.interop


@pytest.fixture(params=["python", "rust"], scope="module")
def core(request: pytest.FixtureRequest) -> str:
    """Each core's name."""
    if request.param == "rust" and request.config.getoption("--ref-only"):
        pytest.skip("--ref-only")
    return str(request.param)


@pytest.fixture(scope="module")
def port(core: str) -> Iterator[int]:
    """Where a gateway listens."""
    with gateway(core) as (_, listening):
        yield listening


def run(tool: str, port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a tool says."""
    # Debian puts them where servers are.
    program = shutil.which(tool) or shutil.which(tool, path="/usr/sbin")
    if program is None:
        pytest.skip(f"{tool} is not installed (tools/install-test-deps)")
    command = [program, "-s", f"127.0.0.1:{port}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_diodcat_reads_files(port: int) -> None:
    done = run("diodcat", port, "-a", "/", "net/ndb", "net/tcp/stats")
    assert "sys=" in done.stdout, done.stderr
    # Made anew at each read: with a digit more by then the last byte comes twice (tree.md 11).
    assert done.stdout.rstrip("\n").endswith("\nRecoveryPA: 0")


def test_diodcat_is_told_what_is_not_there(port: int) -> None:
    done = run("diodcat", port, "-a", "/net", "nothing")
    assert done.returncode == 1
    assert "No such file or directory" in done.stderr


def test_diodls_lists_a_subtree(core: str, port: int) -> None:
    assert run("diodls", port, "-a", "/net").stdout.split() == net(cores.load(core))


def test_diodls_tells_modes_and_sizes(port: int) -> None:
    rows = [line.split() for line in run("diodls", port, "-l", "-a", "/net").stdout.splitlines()]
    modes = {row[-1]: row[0].rstrip(".") for row in rows}
    assert (modes["tcp"], modes["ndb"], modes["cs"]) == ("dr-xr-xr-x", "-rw-rw-rw-", "-rw-rw-rw-")
