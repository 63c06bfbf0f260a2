"""The cores under test, and how hard the machine tries.

Without `--ref-only` a missing extension is a failure: a test that silently runs one core proves
nothing about the other. `HYPOTHESIS_PROFILE` is `fast` (the edit loop), `ci` (the same every
time) or `slow` (nightly). CI has all that a test needs, so that there a test which misses something
fails.
"""

from __future__ import annotations

import faulthandler
import os
import re
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from netrelay import core as cores
from netrelay.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pluggy

    from netrelay.core import Core

faulthandler.enable()
# A job in the background of a shell ignores it, and so would every program that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
_CHECKS = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture)
settings.register_profile("fast", max_examples=50, deadline=None, suppress_health_check=_CHECKS)
settings.register_profile(
    "ci", max_examples=200, deadline=None, derandomize=True, suppress_health_check=_CHECKS
)
settings.register_profile("slow", max_examples=10_000, deadline=None, suppress_health_check=_CHECKS)
_CI = os.environ.get("CI") == "true"
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if _CI else "fast"))
# What a skip says when it is the machine that lacks something.
_MISSING = re.compile(r"not installed|no Rust toolchain|\broot\b")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the Python core be tested where there is no compiler."""
    parser.addoption("--ref-only", action="store_true", help="leave the Rust core out, visibly")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Turn a skip for want of something into a failure where nothing should be wanting."""
    outcome: pluggy.Result[pytest.TestReport] = yield  # type: ignore[assignment]
    report = outcome.get_result()
    if _CI and report.skipped and _MISSING.search(str(report.longrepr)):
        report.outcome = "failed"
        report.longrepr = f"skipped where everything should be there: {report.longrepr}"


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
