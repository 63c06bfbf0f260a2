"""The benchmarks run: every one of ours gets a rate, and what is absent is named."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.bench
@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("cargo") is None, reason="no Rust toolchain (cargo)")
def test_a_quick_run_measures_every_work_of_ours(tmp_path: Path) -> None:
    ours = ("netrelay", "netrelay gateway")
    relays = ("direct", "haproxy", *ours)
    done = subprocess.run(
        [sys.executable, "-m", "benches.run", "--quick", "--out", tmp_path, "--only", *relays],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (results,) = (json.loads(path.read_text()) for path in tmp_path.glob("*.json"))
    for work, rows in results["works"].items():
        for name in ours:
            assert rows[name]["rates"][0] > 0, f"{name}: {work}"
    assert results["entries_per_mib"] == 0
    assert [path.read_text()[:4] for path in tmp_path.glob("*.svg")] == ["<svg"]
    assert "haproxy" in done.stdout
