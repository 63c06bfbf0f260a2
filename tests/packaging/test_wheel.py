"""The wheel that `make wheel` builds installs into an empty environment and runs there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The wheel is compiled with everything optimised; on two busy cores that takes its time.
pytestmark = [pytest.mark.packaging, pytest.mark.timeout(900)]

needs_rust = pytest.mark.skipif(shutil.which("cargo") is None, reason="no Rust toolchain (cargo)")


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    maturin = Path(sys.executable).with_name("maturin")
    run(maturin, "build", "--release", "--locked", "--compatibility", "pypi", "--out", out)
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an empty environment with nothing but the wheel and what it asks for."""
    home = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", home)
    pip = (home / "bin/python", "-m", "pip", "install", "--quiet")
    run(*pip, "--constraint", ROOT / "constraints.txt", wheel)
    return home / "bin"


@needs_rust
def test_one_wheel_serves_every_python_from_3_11(wheel: Path) -> None:
    assert "-cp311-abi3-manylinux" in wheel.name


@needs_rust
def test_wheel_holds_the_extension_its_stub_and_its_licences(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "netrelay/_core.abi3.so",
        "netrelay/_core.pyi",
        "netrelay/py.typed",
        "netrelay/reference/gateway.py",
    ):
        assert wanted in names
    assert {Path(name).name for name in names if "/licenses/" in name} >= {
        "LICENSE-MIT",
        "LICENSE-APACHE",
    }


@needs_rust
def test_installed_command_says_its_version(environment: Path, tmp_path: Path, wheel: Path) -> None:
    version = wheel.name.split("-")[1]
    assert run(environment / "netrelay", "--version", cwd=tmp_path) == f"netrelay {version}\n"


@needs_rust
def test_installed_package_has_both_cores(environment: Path, tmp_path: Path) -> None:
    script = "from netrelay import core; print(*core.available())"
    assert run(environment / "python", "-c", script, cwd=tmp_path) == "rust python\n"
