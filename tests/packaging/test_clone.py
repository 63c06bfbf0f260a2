"""A fresh clone in a folder whose name has a blank, built and run without a Rust toolchain.

`make` with an empty `RUST` is a machine without cargo.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# It installs what the package needs from the registry.
pytestmark = [pytest.mark.packaging, pytest.mark.timeout(600)]


def make(target: str, where: Path, *before: str) -> list[str | Path]:
    python = f"PYTHON={sys.base_prefix}/bin/python3"
    return [*before, "make", "--no-print-directory", "-C", where, "RUST=", python, target]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that a clone would have."""
    where = tmp_path_factory.mktemp("a folder")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is no clone")
    for name in listed.stdout.decode().split("\0")[:-1]:
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, where / name)
    return where


def test_a_clone_builds_once_and_says_which_core_it_has(clone: Path) -> None:
    first = subprocess.run(make("build", clone), capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    assert "no Rust toolchain (cargo): building without the Rust core" in first.stderr
    again = subprocess.run(make("build", clone), capture_output=True, text=True, check=True)
    assert "Nothing to be done for 'build'" in again.stdout
    version = subprocess.run(
        [clone / ".venv/bin/netrelay", "--version"], capture_output=True, text=True, check=True
    )
    assert version.stdout.startswith("netrelay ")


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("ip") is None,
    reason="the ports of the demo are free only in a network of its own (root, unshare, ip)",
)
def test_make_run_serves_on_the_reference_until_ctrl_c(clone: Path) -> None:
    subprocess.run(make("build", clone), capture_output=True, check=True)
    up = 'ip link set lo up && exec "$@"'
    own_network = ("unshare", "--net", "sh", "-c", up, "sh")
    with subprocess.Popen(
        make("run", clone, *own_network),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as demo:
        assert demo.stdout is not None
        lines = [next(demo.stdout).split()[0] for _ in range(3)]
        assert lines == ["curl", ".venv/bin/netrelay", ".venv/bin/netrelay"]
        # As a terminal does: to make and to all that it runs.
        os.killpg(demo.pid, signal.SIGINT)
        rest, complaints = demo.communicate(timeout=30)
    assert rest == ""
    assert "Traceback" not in complaints
    assert "the Rust core is not built, so the Python core runs" in complaints
