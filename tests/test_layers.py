"""Who may know whom, where neither compiler nor import-linter looks."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "python" / "netrelay"
CORES = ("netrelay._core", "netrelay.reference")
BAGS = {"utils", "util", "common", "helpers", "misc"}
# Measured by the house rule: one file is one idea, and one idea fits.
LINES = 500
# A table of every message in wire order, which is one idea however long it gets.
TABLES = {"messages.py"}


def sources() -> list[Path]:
    """Every source file of ours; build output and environments are not."""
    folders = ("python", "rust", "tests", "benches", "tools")
    return sorted(
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".rs"} and "target" not in path.parts
    )


def named(tree: ast.AST) -> set[str]:
    """Modules that the code imports, or names in a string of its own."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=str(module), names=names):
                found |= {module, *(f"{module}.{alias.name}" for alias in names)}
            case ast.Constant(value=str(text)):
                found.add(text)
    return found


def test_import_contracts_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint, "--config", "pyproject.toml", "--no-cache"],
        cwd=ROOT,
        env={"PYTHONPATH": "python", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_core_names_a_core() -> None:
    offenders = [
        str(path.relative_to(ROOT))
        for path in PACKAGE.rglob("*.py")
        if path != PACKAGE / "core.py"
        and PACKAGE / "reference" not in path.parents
        and any(name.startswith(CORES) for name in named(ast.parse(path.read_text())))
    ]
    assert offenders == []


@pytest.mark.parametrize(
    ("crate", "ours"),
    [
        ("proto", set()),
        ("engine", {"netrelay-proto"}),
        ("pyext", {"netrelay-engine", "netrelay-proto"}),
    ],
)
def test_crates_depend_one_way(crate: str, ours: set[str]) -> None:
    manifest = tomllib.loads((ROOT / "rust" / crate / "Cargo.toml").read_text())
    dependencies = set(manifest.get("dependencies", {}))
    assert {name for name in dependencies if name.startswith("netrelay")} <= ours
    assert crate != "proto" or not dependencies
    assert crate == "pyext" or "pyo3" not in dependencies


@pytest.mark.parametrize("crate", ["proto", "pyext"])
def test_crates_forbid_unsafe_code(crate: str) -> None:
    assert "forbid(unsafe_code" in (ROOT / "rust" / crate / "src/lib.rs").read_text()


def test_every_file_is_one_idea() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources()
        if (lines := len(path.read_text().splitlines())) > LINES and path.name not in TABLES
    }
    assert long == {}


def test_no_module_is_a_bag() -> None:
    assert [path for path in sources() if path.stem in BAGS] == []


def test_importing_the_package_does_no_work() -> None:
    """No thread, no socket, no event loop: a program that imports netrelay has not yet used it."""
    script = """
import os, sys, threading
before = len(os.listdir("/proc/self/fd"))
import netrelay, netrelay.core, netrelay.errors, netrelay.types, netrelay.messages
assert threading.active_count() == 1
assert len(os.listdir("/proc/self/fd")) == before
assert "asyncio" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(ROOT / "python")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
