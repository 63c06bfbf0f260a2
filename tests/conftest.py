"""The cores under test, and how hard the machine tries.

Without `--ref-only` a missing extension is a failure: a test that silently runs one core proves
nothing about the other. `HYPOTHESIS_PROFILE` is `fast` (the edit loop), `ci` (the same every
time) or `slow` (nightly).
"""

from __future__ import annotations

import faulthandler
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from netrelay import core as cores
from netrelay.errors import UsageError

if TYPE_CHECKING:
    from netrelay.core import Core

faulthandler.enable()
_CHECKS = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture)
settings.register_profile("fast", max_examples=50, deadline=None, suppress_health_check=_CHECKS)
settings.register_profile(
    "ci", max_examples=200, deadline=None, derandomize=True, suppress_health_check=_CHECKS
)
settings.register_profile("slow", max_examples=10_000, deadline=None, suppress_health_check=_CHECKS)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the Python core be tested where there is no compiler."""
    parser.addoption("--ref-only", action="store_true", help="leave the Rust core out, visibly")


def _rust(config: pytest.Config) -> Core:
    if config.getoption("--ref-only"):
        pytest.skip("--ref-only")
    try:
        return cores.load("rust")
    except UsageError as err:
        pytest.fail(f"{err} (or say --ref-only)")


@pytest.fixture(params=["python", "rust"])
def core(request: pytest.FixtureRequest) -> Core:
    """Each core in turn."""
    return _rust(request.config) if request.param == "rust" else cores.load("python")


@pytest.fixture
def rust(request: pytest.FixtureRequest) -> Core:
    """The Rust core, to be compared with the Python one."""
    return _rust(request.config)


@pytest.fixture
def python() -> Core:
    """The Python core."""
    return cores.load("python")
