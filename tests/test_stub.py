"""The stub of the extension says what the extension has."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.timeout(180)
def test_stub_matches_the_extension() -> None:
    if importlib.util.find_spec("netrelay._core") is None:
        pytest.fail("the extension is not built: `make build` builds it where there is Rust")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy.stubtest",
            "netrelay._core",
            "--mypy-config-file",
            "pyproject.toml",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
