"""What `/net` holds, and what a core lacks of it while the other one is ahead.

A name leaves `LACKING` in the commit that makes the core serve it. Tests of what is lacking are
skipped by name, and as long as the trees differ there is no equivalence to test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from netrelay.core import Core

NET: Final = (
    "tcp", "udp", "ipifc", "icmp", "icmpv6", "gre", "ipmux", "esp", "il",
    "arp", "bootp", "ndb", "iproute", "ipselftab", "log", "cs", "dns",
)  # fmt: skip
LACKING: Final[dict[str, frozenset[str]]] = {
    "python": frozenset(),
    "rust": frozenset(),
}


def net(core: Core) -> list[str]:
    """The names in `/net`."""
    return [name for name in NET if name not in LACKING[core.name]]


def need(core: Core, name: str) -> None:
    """Skip the test if the core lacks what it is about."""
    if name in LACKING[core.name]:
        pytest.skip(f"the {core.name} core has no {name}")


def need_twins() -> None:
    """Skip the test if the cores do not serve the same tree."""
    if LACKING["rust"] != LACKING["python"]:
        pytest.skip("the cores do not serve the same tree")
