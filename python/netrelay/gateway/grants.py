"""What a gateway does only if its operator has said so in so many words (docs/tree.md 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netrelay.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

GRANTS: Final = ("arp", "esp", "gre", "icmp-raw", "il", "ipifc", "ipmux", "iproute")


def check_grants(names: Iterable[str]) -> None:
    """Errors: `UsageError` for a name that no grant has."""
    for name in names:
        if name not in GRANTS:
            raise UsageError(f"no grant is called {name!r}: there are {', '.join(GRANTS)}")
