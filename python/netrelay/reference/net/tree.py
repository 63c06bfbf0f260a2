"""Walks, stat records and permissions as plain functions of places (docs/tree.md 2 to 4).

What changes (how many conversations there are, who owns them) is seen through `Facts`, so nothing
here needs a socket or a loop. Opening a file has effects elsewhere; here is only whether it may be.
"""

from __future__ import annotations

from typing import Final, Protocol

from netrelay.reference.net.qids import (
    CONV_FILES,
    NET_FILES,
    ROOT,
    Kind,
    Place,
    qid_of,
)
from netrelay.reference.net.refusal import refusal
from netrelay.types import (
    DMDIR,
    OEXEC,
    ORCLOSE,
    ORDWR,
    OREAD,
    OTRUNC,
    OWRITE,
    Stat,
)

NETWORK: Final = "network"
_DEVICE: Final = ord("I")
# A valid number, though nobody's: Linux lets no one write to a file whose owner has none.
_NOBODY: Final = 65534
_SHARED: Final = frozenset({Kind.NDB, Kind.LOG, Kind.CLONE, Kind.CS, Kind.DNS})
_OWNED: Final = frozenset({Kind.CTL, Kind.DATA, Kind.ERR, Kind.LISTEN})
_NEEDS: Final = {OREAD: 4, OWRITE: 2, ORDWR: 6}


class Facts(Protocol):
    """What the tree has to know of the gateway."""

    @property
    def host_owner(self) -> str:
        """The user the gateway runs as."""

    @property
    def started(self) -> int:
        """When it started, in seconds since 1970."""

    @property
    def conversations(self) -> int:
        """How many conversation numbers were ever used."""

    @property
    def ndb_length(self) -> int:
        """Bytes in ndb."""

    @property
    def ndb_vers(self) -> int:
        """Changes of ndb so far."""

    def owner(self, number: int) -> str:
        """Who owns a conversation; an idle one is the network's."""

    def mode(self, number: int) -> int:
        """The permissions of its ctl, data, err and listen."""

    def busy(self, number: int) -> bool:
        """Whether it is in use."""


def name_of(place: Place) -> str:
    """The name in the parent's listing; `/` for the root."""
    match place.kind:
        case Kind.ROOT:
            return "/"
        case Kind.CONV:
            return str(place.number)
    return place.kind.name.lower()


def children(place: Place, facts: Facts) -> list[Place]:
    """What a directory holds, in the order of its listing."""
    match place.kind:
        case Kind.ROOT:
            return [Place(Kind.NET)]
        case Kind.NET:
            return [Place(kind) for kind in NET_FILES]
        case Kind.TCP:
            numbered = [Place(Kind.CONV, number) for number in range(facts.conversations)]
            return [*numbered, Place(Kind.CLONE), Place(Kind.STATS)]
    return [Place(kind, place.number) for kind in CONV_FILES]


def parent(place: Place) -> Place:
    """The directory that holds a place; the root holds itself."""
    match place.kind:
        case Kind.ROOT | Kind.NET:
            return ROOT
        case Kind.CONV | Kind.CLONE | Kind.STATS:
            return Place(Kind.TCP)
    return Place(Kind.CONV, place.number) if place.kind in CONV_FILES else Place(Kind.NET)


def step(place: Place, root: Place, name: str, facts: Facts) -> Place:
    """One name of a walk. Errors: `file does not exist`, `not a directory`."""
    if not place.directory:
        raise refusal("NOT_A_DIRECTORY")
    if name in ("", ".", "/"):
        return place
    if name == "..":
        return place if place == root else parent(place)
    if place.kind is Kind.TCP and name.isascii() and name.isdecimal():
        # Only the number as a listing has it: 007 is nobody's name.
        found = int(name) if len(name) <= len(str(facts.conversations)) else facts.conversations
        if found < facts.conversations and str(found) == name:
            return Place(Kind.CONV, found)
    else:
        for child in children(place, facts) if place.kind is not Kind.TCP else _TCP_FILES:
            if name_of(child) == name:
                return child
    raise refusal("FILE_DOES_NOT_EXIST")


_TCP_FILES: Final = (Place(Kind.CLONE), Place(Kind.STATS))


def walk(place: Place, root: Place, names: tuple[str, ...], facts: Facts) -> list[Place]:
    """The places walked to (walk(5)); fewer than names when a later one is not there.

    Errors: that of the first name.
    """
    places: list[Place] = []
    for name in names:
        try:
            place = step(place, root, name, facts)
        except OSError:
            if not places:
                raise
            break
        places.append(place)
    return places


def attach(root: str, aname: str, facts: Facts) -> Place:
    """The subtree that aname names below the export's root, which `..` does not leave.

    Errors: `file does not exist`, `not a directory`.
    """
    top = _descend(ROOT, ROOT, root, facts)
    return _descend(top, top, aname, facts)


def _descend(place: Place, root: Place, path: str, facts: Facts) -> Place:
    for name in filter(None, path.split("/")):
        place = step(place, root, name, facts)
    return place


def stat(place: Place, facts: Facts) -> Stat:
    """The stat record of a place (stat(5))."""
    in_conversation = place.kind is Kind.CONV or place.kind in CONV_FILES
    owner = facts.owner(place.number) if in_conversation else NETWORK
    return Stat(
        type=_DEVICE,
        dev=0,
        qid=qid_of(place, ndb_vers=facts.ndb_vers),
        mode=_mode(place, facts),
        atime=facts.started,
        mtime=facts.started,
        length=facts.ndb_length if place.kind is Kind.NDB else 0,
        name=name_of(place),
        uid=owner,
        gid=facts.host_owner,
        muid=owner,
        n_uid=_NOBODY,
        n_gid=_NOBODY,
        n_muid=_NOBODY,
    )


def _mode(place: Place, facts: Facts) -> int:
    if place.directory:
        return DMDIR | 0o555
    if place.kind in _SHARED:
        return 0o666
    if place.kind in _OWNED:
        return facts.mode(place.number)
    return 0o444


def check_open(place: Place, mode: int, user: str, facts: Facts) -> None:
    """Whether a user may open a place so (open(5)). Errors: `permission denied`."""
    denied = refusal("PERMISSION_DENIED")
    access = mode & 3
    if mode & ORCLOSE:
        raise denied
    if place.directory:
        if access not in {OREAD, OEXEC} or mode & OTRUNC:
            raise denied
        return
    if access == OEXEC:
        raise denied
    needs = _NEEDS[access] | (2 if mode & OTRUNC else 0)
    if place.kind is Kind.NDB:
        if needs & 2 and user != facts.host_owner:
            raise denied
    elif place.kind in _OWNED:
        # An idle number is about to become its opener's.
        if user == facts.host_owner or not facts.busy(place.number):
            return
        triples = facts.mode(place.number)
        granted = triples >> 6 if user == facts.owner(place.number) else triples
        if granted & needs != needs:
            raise denied
    elif place.kind not in _SHARED and needs & 2:
        raise denied
