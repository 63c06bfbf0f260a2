"""A gateway of each core, made once for all checks."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from netrelay import core as cores

from .served import Served, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def gateway_of(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Served]]:
    """The gateway of a core, by its name."""
    with contextlib.ExitStack() as stack:
        found: dict[str, Served] = {}

        def of(core: str) -> Served:
            if core == "rust" and request.config.getoption("--ref-only"):
                pytest.skip("--ref-only")
            if core not in found:
                cores.load(core)
                found[core] = stack.enter_context(served(core))
            return found[core]

        yield of
