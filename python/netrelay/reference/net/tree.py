"""Walks, stat records and permissions as plain functions of places (docs/tree.md 2 to 4).

What changes (how many conversations there are, who owns them) is seen through `Facts`, so nothing
here needs a socket or a loop. Opening a file has effects elsewhere; here is only whether it may be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from netrelay.reference.net.protocol import BY_NUMBER, ETHERS, PROTOCOLS, Makes
from netrelay.reference.net.qids import (
    IN_CONVERSATION,
    IN_PROTOCOL,
    ROOT,
    Kind,
    Place,
    qid_of,
)
from netrelay.reference.net.refusal import refusal
from netrelay.types import (
    DMDIR,
    NONUNAME,
    OEXEC,
    ORCLOSE,
    ORDWR,
    OREAD,
    OTRUNC,
    OWRITE,
    Stat,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netrelay.types import Qid

NETWORK: Final = "network"
_DEVICE: Final = ord("I")
# A valid number, though nobody's: Linux lets no one write to a file whose owner has none.
_NOBODY: Final = 65534
# Of each stack, in the order of a listing, behind the protocols.
_NET_FILES: Final = (
    Kind.ARP, Kind.BOOTP, Kind.NDB, Kind.IPROUTE, Kind.IPSELFTAB, Kind.LOG, Kind.CS, Kind.DNS,
)  # fmt: skip
_SHARED: Final = frozenset({Kind.NDB, Kind.LOG, Kind.CLONE, Kind.CS, Kind.DNS})
_OWNED: Final = frozenset({Kind.CTL, Kind.DATA, Kind.ERR, Kind.LISTEN})
# What an interface can't be asked for: it is the host's.
_NEVER: Final = frozenset({Kind.CLONE, Kind.DATA, Kind.ERR, Kind.LISTEN, Kind.SNOOP})
_SNOOPED: Final = 0o400
_FREE_SLOT: Final = 0o666
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
    def stacks(self) -> Sequence[str]:
        """The names of the stacks; the first is empty and is `/net`."""

    def used(self, stack: int, protocol: int) -> int:
        """How many conversation numbers of a protocol were ever used."""

    def ethers(self, stack: int) -> int:
        """How many interfaces of a stack give their frames away."""

    def ndb_length(self, stack: int) -> int:
        """Bytes in ndb."""

    def ndb_vers(self, stack: int) -> int:
        """Changes of ndb so far."""

    def owner(self, place: Place) -> str:
        """Who owns a place's conversation; an idle one is the network's."""

    def mode(self, place: Place) -> int:
        """The permissions of its ctl, data, err and listen."""

    def busy(self, place: Place) -> bool:
        """Whether it is in use."""


def name_of(place: Place, facts: Facts) -> str:
    """The name in the parent's listing; `/` for the root."""
    match place.kind:
        case Kind.ROOT:
            return "/"
        case Kind.NET:
            name = facts.stacks[place.stack]
            return f"net.{name}" if name else "net"
        case Kind.PROTOCOL:
            return BY_NUMBER[place.protocol].name
        case Kind.CONV:
            return str(place.number)
    return place.kind.name.lower()


def qid(place: Place, facts: Facts) -> Qid:
    """The qid of a place as it is now."""
    return qid_of(place, facts.ndb_vers(place.stack) if place.kind is Kind.NDB else 0)


def children(place: Place, facts: Facts) -> list[Place]:
    """What a directory holds, in the order of its listing."""
    match place.kind:
        case Kind.ROOT:
            return [Place(Kind.NET, stack) for stack in range(len(facts.stacks))]
        case Kind.NET:
            there = (*PROTOCOLS, *ETHERS[: facts.ethers(place.stack)])
            protocols = [Place(Kind.PROTOCOL, place.stack, each.number) for each in there]
            return [*protocols, *(Place(kind, place.stack) for kind in _NET_FILES)]
        case Kind.PROTOCOL:
            numbers = range(facts.used(place.stack, place.protocol))
            numbered = [place._replace(kind=Kind.CONV, number=number) for number in numbers]
            named = _beside_conversations(place)
            return [*named, *numbered] if _makes(place) is Makes.FRAMES else [*numbered, *named]
    files = [place.other(kind) for kind in BY_NUMBER[place.protocol].conversation_files]
    # What a slot has in common with the others is the interface's.
    return [each._replace(number=0) if each.kind in IN_PROTOCOL else each for each in files]


def _beside_conversations(place: Place) -> list[Place]:
    return [place.other(kind) for kind in BY_NUMBER[place.protocol].files]


def parent(place: Place) -> Place:
    """The directory that holds a place; the root holds itself."""
    if place.kind in IN_CONVERSATION:
        return place.other(Kind.CONV)
    if place.kind in IN_PROTOCOL:
        return Place(Kind.PROTOCOL, place.stack, place.protocol)
    return ROOT if place.kind in {Kind.ROOT, Kind.NET} else Place(Kind.NET, place.stack)


def step(place: Place, root: Place, name: str, facts: Facts) -> Place:
    """One name of a walk. Errors: `file does not exist`, `not a directory`."""
    if not place.directory:
        raise refusal("NOT_A_DIRECTORY")
    if name in ("", ".", "/"):
        return place
    if name == "..":
        return place if place == root else parent(place)
    # A protocol may have very many conversations: a number is not looked for among them.
    numbered = place.kind is Kind.PROTOCOL
    if numbered and name.isascii() and name.isdecimal():
        # Only the number as a listing has it: 007 is nobody's name.
        used = facts.used(place.stack, place.protocol)
        found = int(name) if len(name) <= len(str(used)) else used
        if found < used and str(found) == name:
            return place._replace(kind=Kind.CONV, number=found)
    else:
        for child in _beside_conversations(place) if numbered else children(place, facts):
            if name_of(child, facts) == name:
                return child
    raise refusal("FILE_DOES_NOT_EXIST")


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
    owned = place.kind is Kind.CONV or place.kind in IN_CONVERSATION - {Kind.TYPE}
    owner = facts.owner(place) if owned else NETWORK
    return Stat(
        type=_DEVICE,
        dev=place.stack,
        qid=qid(place, facts),
        mode=_mode(place, facts),
        atime=facts.started,
        mtime=facts.started,
        length=facts.ndb_length(place.stack) if place.kind is Kind.NDB else 0,
        name=name_of(place, facts),
        uid=owner,
        gid=facts.host_owner,
        muid=owner,
        n_uid=_number(owner),
        n_gid=_NOBODY,
        n_muid=_number(owner),
    )


def _number(user: str) -> int:
    """The number of a user who attached by number alone, as Linux does for each of its users."""
    plain = user.isascii() and user.isdecimal() and len(user) <= len(str(NONUNAME))
    number = int(user) if plain else NONUNAME
    return number if number < NONUNAME and str(number) == user else _NOBODY


def _mode(place: Place, facts: Facts) -> int:
    if place.directory:
        return DMDIR | 0o555
    if place.kind in _SHARED:
        return 0o666
    if _host_owners(place):
        return 0o664
    if place.kind is Kind.SNOOP:
        return _SNOOPED
    if place.kind in _OWNED:
        free = _makes(place) is Makes.FRAMES and not facts.busy(place)
        return _FREE_SLOT if free else facts.mode(place)
    return 0o444


def _host_owners(place: Place) -> bool:
    """Whether anyone may read the file and the host owner alone write it."""
    ctl_of_interface = place.kind is Kind.CTL and _of_host(place)
    return place.kind in {Kind.NDB, Kind.ARP, Kind.IPROUTE} or ctl_of_interface


def _of_host(place: Place) -> bool:
    return _makes(place) is Makes.HOST


def _makes(place: Place) -> Makes:
    return BY_NUMBER[place.protocol].makes


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
    if _host_owners(place):
        if needs & 2 and user != facts.host_owner:
            raise denied
    elif _of_host(place) and place.kind in _NEVER:
        raise denied
    elif place.kind in _OWNED:
        # An idle number is about to become its opener's.
        if user == facts.host_owner or not facts.busy(place):
            return
        triples = facts.mode(place)
        granted = triples >> 6 if user == facts.owner(place) else triples
        if granted & needs != needs:
            raise denied
    elif place.kind not in _SHARED and needs & 2:
        raise denied
