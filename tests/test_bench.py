"""The benchmarks run: every one of ours gets a rate, what is absent is named, costs are counted."""

from __future__ import annotations

import json
import selectors
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benches.machine import cpu_s, family, pss

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.bench
@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("cargo") is None, reason="no Rust toolchain (cargo)")
def test_a_quick_run_measures_every_work_of_ours(tmp_path: Path) -> None:
    streams = ("netrelay", "netrelay gateway")
    datagrams = ("netrelay gateway", "netrelay gateway reference")
    relays = ("direct", "haproxy", "uvloop", *streams, *datagrams)
    done = subprocess.run(
        [sys.executable, "-m", "benches.run", "--quick", "--out", tmp_path, "--only", *relays],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (results,) = (json.loads(path.read_text()) for path in tmp_path.glob("*.json"))
    works = {work: datagrams if work.startswith("dgram") else streams for work in results["works"]}
    assert {"dgram-up", "dgram-down", "down 1", "up 64"} < works.keys()
    for work, names in works.items():
        for name in names:
            assert results["works"][work][name]["rates"][0] > 0, f"{name}: {work}"
    assert not results["works"]["dgram-up"]["uvloop"]["failed"]
    assert "up at 100 ms" in works or "absent: rtt100" in done.stdout
    assert results["entries_per_mib"] == 0
    assert [path.read_text()[:4] for path in tmp_path.glob("*.svg")] == ["<svg"]
    assert "haproxy" in done.stdout


def test_processes_that_come_and_go_are_charged_and_trouble_nobody() -> None:
    """socat forks for each call: the row failed with "No such process"."""
    forks = "i=0; while [ $i -lt 1000 ]; do (:); i=$((i+1)); done; echo done; read line"
    with subprocess.Popen(
        ["sh", "-c", forks], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        done = selectors.DefaultSelector()
        assert parent.stdout is not None
        done.register(parent.stdout, selectors.EVENT_READ)
        while not done.select(0):
            cpu_s([parent.pid])
            pss([parent.pid])
        assert family(parent.pid) == {parent.pid}
        # The children are all gone, and their time has become the parent's.
        assert cpu_s([parent.pid]) > 0
        parent.communicate(b"\n")


def test_a_process_that_is_gone_costs_nothing() -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    assert (family(gone.pid), cpu_s([gone.pid]), pss([gone.pid])) == ({gone.pid}, 0, 0)
