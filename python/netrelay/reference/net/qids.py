"""Qid paths: every file of the tree is a number that can be taken apart (ip(3), docs/tree.md 1).

The tree is computed, not stored: a qid says stack, protocol, conversation and kind, and names,
modes and owners follow from it. Nothing here knows which conversations there are.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from netrelay.types import QTDIR, QTFILE, Qid

_KIND_BITS: Final = 5
_NUMBER_BITS: Final = 20
MAX_CONVERSATIONS: Final = 1 << _NUMBER_BITS
_PROTOCOL_BITS: Final = 7
_PROTOCOL_AT: Final = _KIND_BITS + _NUMBER_BITS
_STACK_AT: Final = _PROTOCOL_AT + _PROTOCOL_BITS


class Kind(enum.IntEnum):
    """What a file is; the original's numbers."""

    ROOT = 0
    NET = 1
    ARP = 2
    BOOTP = 3
    NDB = 4
    IPROUTE = 5
    IPSELFTAB = 6
    LOG = 7
    PROTOCOL = 8
    CLONE = 9
    STATS = 10
    CONV = 11
    CTL = 12
    DATA = 13
    ERR = 14
    LISTEN = 15
    LOCAL = 16
    REMOTE = 17
    STATUS = 18
    SNOOP = 19
    CS = 20
    DNS = 21
    ADDR = 22
    IFSTATS = 23
    TYPE = 24


DIRECTORIES: Final = frozenset({Kind.ROOT, Kind.NET, Kind.PROTOCOL, Kind.CONV})
IN_PROTOCOL: Final = frozenset({Kind.CLONE, Kind.STATS, Kind.CONV, Kind.ADDR, Kind.IFSTATS})
IN_CONVERSATION: Final = frozenset(
    {
        Kind.CTL, Kind.DATA, Kind.ERR, Kind.LISTEN, Kind.LOCAL, Kind.REMOTE, Kind.STATUS,
        Kind.SNOOP, Kind.TYPE,
    }
)  # fmt: skip


class Place(NamedTuple):
    """A file: its kind and, as far as that has one, its stack, protocol and conversation."""

    kind: Kind
    stack: int = 0
    protocol: int = 0
    number: int = 0

    @property
    def directory(self) -> bool:
        """Whether it can be walked through."""
        return self.kind in DIRECTORIES

    def other(self, kind: Kind) -> Place:
        """Another file of the same conversation, or of the same protocol's directory."""
        return self._replace(kind=kind)


ROOT: Final = Place(Kind.ROOT)


def qid_of(place: Place, vers: int = 0) -> Qid:
    """The qid of a place."""
    path = place.stack << _STACK_AT | place.protocol << _PROTOCOL_AT
    path |= place.number << _KIND_BITS | place.kind
    return Qid(QTDIR if place.directory else QTFILE, vers, path)


def place_of(qid: Qid) -> Place:
    """The place of a qid that `qid_of` made."""
    return Place(
        Kind(qid.path & (1 << _KIND_BITS) - 1),
        qid.path >> _STACK_AT,
        qid.path >> _PROTOCOL_AT & (1 << _PROTOCOL_BITS) - 1,
        qid.path >> _KIND_BITS & (1 << _NUMBER_BITS) - 1,
    )
