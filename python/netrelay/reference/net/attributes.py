"""What Twstat and Tsetattr may change, and what Tgetattr tells (stat(5), docs/tree.md 3 and 4).

Only mode and owner of a conversation in use may change, which is how a server hands one to another
user. A length of 0, with times beside it, is how a shell's `echo >` arrives; it changes nothing.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from netrelay.messages import Rgetattr, Tsetattr
from netrelay.reference.net.qids import Kind, Place
from netrelay.reference.net.refusal import refusal
from netrelay.reference.net.tree import Facts
from netrelay.types import DMDIR, Qid, Stat

_ONES_16, _ONES_32, _ONES_64 = (1 << 16) - 1, (1 << 32) - 1, (1 << 64) - 1
_UNTOUCHED: Final = Stat(
    _ONES_16, _ONES_32, Qid(0xFF, _ONES_32, _ONES_64), _ONES_32, _ONES_32, _ONES_32, _ONES_64,
    "", "", "", "",
)  # fmt: skip
# P9_SETATTR_*: MODE, SIZE, and all the times.
_MODE, _SIZE, _TIMES = 0x1, 0x8, 0x1F0
# P9_GETATTR_BASIC: what stat(2) needs.
_BASIC: Final = 0x7FF
_S_IFDIR, _S_IFREG = 0o040000, 0o100000


class Change(NamedTuple):
    """What a permitted request changes; nothing is a legal change."""

    mode: int | None = None
    owner: str | None = None


def wstat(place: Place, wanted: Stat, user: str, facts: Facts) -> Change:
    """What a Twstat changes. Errors: `permission denied`."""
    rest = wanted._replace(mode=_ONES_32, uid="")
    if wanted.length == 0:
        rest = rest._replace(length=_ONES_64, atime=_ONES_32, mtime=_ONES_32)
    if rest != _UNTOUCHED:
        raise refusal("PERMISSION_DENIED")
    mode = None if wanted.mode == _ONES_32 else wanted.mode
    return _permitted(place, Change(mode, wanted.uid or None), user, facts)


def setattr_(place: Place, wanted: Tsetattr, user: str, facts: Facts) -> Change:
    """What a Tsetattr changes; owners are numbers there and can't be set.

    Errors: `permission denied`.
    """
    truncates = wanted.valid & _SIZE and wanted.size == 0
    if wanted.valid & ~(_MODE | (_SIZE | _TIMES if truncates else 0)):
        raise refusal("PERMISSION_DENIED")
    return _permitted(place, Change(wanted.mode if wanted.valid & _MODE else None), user, facts)


def _permitted(place: Place, change: Change, user: str, facts: Facts) -> Change:
    if change == Change():
        return change
    mine = place.kind in {Kind.CTL, Kind.DATA} and facts.busy(place)
    if not mine or user not in {facts.owner(place), facts.host_owner}:
        raise refusal("PERMISSION_DENIED")
    return change._replace(mode=None if change.mode is None else change.mode & 0o666)


def getattr_(record: Stat) -> Rgetattr:
    """The attributes that a stat record amounts to."""
    kind = _S_IFDIR if record.mode & DMDIR else _S_IFREG
    return Rgetattr(
        valid=_BASIC,
        qid=record.qid,
        mode=kind | record.mode & 0o777,
        uid=record.n_uid,
        gid=record.n_gid,
        nlink=1,
        rdev=0,
        size=record.length,
        blksize=4096,
        blocks=0,
        atime_sec=record.atime,
        atime_nsec=0,
        mtime_sec=record.mtime,
        mtime_nsec=0,
        ctime_sec=record.mtime,
        ctime_nsec=0,
        btime_sec=0,
        btime_nsec=0,
        gen=0,
        data_version=0,
    )
