"""Qid paths: every file of the tree is a number that can be taken apart (ip(3), docs/tree.md 1).

The tree is computed, not stored: a qid says protocol, conversation and kind, and names, modes
and owners follow from it. Nothing here knows which conversations there are.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from netrelay.types import QTDIR, QTFILE, Qid

_KIND_BITS: Final = 5
_NUMBER_BITS: Final = 20


class Kind(enum.IntEnum):
    """What a file is; the original's numbers."""

    ROOT = 0
    NET = 1
    NDB = 4
    LOG = 7
    TCP = 8
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
    CS = 20
    DNS = 21


DIRECTORIES: Final = frozenset({Kind.ROOT, Kind.NET, Kind.TCP, Kind.CONV})
# In the order of a listing.
CONV_FILES: Final = (
    Kind.CTL, Kind.DATA, Kind.ERR, Kind.LISTEN, Kind.LOCAL, Kind.REMOTE, Kind.STATUS,
)  # fmt: skip
NET_FILES: Final = (Kind.TCP, Kind.NDB, Kind.LOG, Kind.CS, Kind.DNS)


class Place(NamedTuple):
    """A file: its kind and, inside a conversation, the number of that."""

    kind: Kind
    number: int = 0

    @property
    def directory(self) -> bool:
        """Whether it can be walked through."""
        return self.kind in DIRECTORIES


ROOT: Final = Place(Kind.ROOT)


def qid_of(place: Place, *, ndb_vers: int = 0) -> Qid:
    """The qid of a place of stack 0, protocol 0 (tcp)."""
    vers = ndb_vers if place.kind is Kind.NDB else 0
    return Qid(QTDIR if place.directory else QTFILE, vers, place.number << _KIND_BITS | place.kind)


def place_of(qid: Qid) -> Place:
    """The place of a qid that `qid_of` made."""
    number = qid.path >> _KIND_BITS & (1 << _NUMBER_BITS) - 1
    return Place(Kind(qid.path & (1 << _KIND_BITS) - 1), number)
