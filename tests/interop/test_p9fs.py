"""p9fs, an fsspec file system in Python, in all three dialects.

It brings a package of the same name as another client's, so it has an environment of its own. It
reads as much as stat says, so that of our files only ndb has something for it.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from netrelay import core as cores
from tests.integrity.relay import gateway
from tests.served import net

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.interop

PYTHON = Path(__file__).resolve().parents[2] / "target/p9fs/bin/python"
PROGRAM = """
import json, sys
import p9fs
tree = p9fs.P9FileSystem(
    host="127.0.0.1", port=int(sys.argv[1]), username="glenda", version=sys.argv[2])
said = {
    "ls": tree.ls("net", detail=False),
    "info": tree.info("net/ndb"),
    "cat": tree.cat_file("net/ndb").decode(),
    "exists": [tree.exists("net/tcp/clone"), tree.exists("net/tcp/nothing")],
    "walk": [[folder, sorted(files)] for folder, _, files in tree.walk("net/tcp")],
}
try:
    tree.mkdir("net/folder")
except Exception as err:  # which kind it is depends on the dialect
    said["mkdir"] = str(err)
json.dump(said, sys.stdout)
"""


@pytest.fixture(params=["python", "rust"], scope="module")
def core(request: pytest.FixtureRequest) -> str:
    """Each core's name."""
    if request.param == "rust" and request.config.getoption("--ref-only"):
        pytest.skip("--ref-only")
    return str(request.param)


@pytest.fixture(scope="module")
def port(core: str) -> Iterator[int]:
    """Where a gateway listens."""
    if not PYTHON.exists():
        pytest.skip("p9fs is not installed (tools/install-test-deps)")
    with gateway(core) as (_, listening):
        yield listening


@pytest.mark.parametrize("version", ["9P2000", "9P2000.u", "9P2000.L"])
def test_it_lists_and_reads_the_tree(core: str, port: int, version: str) -> None:
    done = subprocess.run(
        [PYTHON, "-c", PROGRAM, str(port), version],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    assert [name.removeprefix("net/").rstrip("/") for name in said["ls"]] == net(cores.load(core))
    assert said["info"]["type"] == "file"
    assert said["info"]["size"] == len(said["cat"])
    assert "sys=" in said["cat"]
    assert said["exists"] == [True, False]
    assert said["walk"] == [["net/tcp", ["clone", "stats"]]]
    assert any(word in said["mkdir"] for word in ("13", "permission denied"))
