"""The protocols that are served, as a table: a row is all that the tree knows of one.

Listings, walks and opens follow from it, so that a protocol that is not implemented is not there.
What its conversations do is in a package of its own, which `stack` puts to the row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netrelay.reference.net.qids import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.types import Limits


@dataclass(frozen=True, slots=True)
class Protocol:
    """One directory of `/net`; files are in the order of their listing."""

    number: int
    name: str
    # Behind the conversations.
    files: tuple[Kind, ...]
    conversation_files: tuple[Kind, ...]
    # Most conversations at a time, of one stack.
    most: Callable[[Limits], int]


_USUAL: Final = (Kind.CLONE, Kind.STATS)
_OF_CONVERSATION: Final = (
    Kind.CTL, Kind.DATA, Kind.ERR, Kind.LISTEN, Kind.LOCAL, Kind.REMOTE, Kind.STATUS,
)  # fmt: skip

TCP: Final = Protocol(0, "tcp", _USUAL, _OF_CONVERSATION, lambda limits: limits.conversations)

# In the order of a listing.
PROTOCOLS: Final = (TCP,)
BY_NUMBER: Final = {protocol.number: protocol for protocol in PROTOCOLS}
