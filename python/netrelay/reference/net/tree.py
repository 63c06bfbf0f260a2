"""Names, stat records and permissions as plain functions of places (docs/tree.md 2 to 4).

What changes (how many conversations there are, who owns them) is seen through `Facts`, so nothing
here needs a socket or a loop. Opening a file has effects elsewhere; here is only whether it may be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from netrelay.reference.net.protocol import BY_NUMBER, ETHERS, PROTOCOLS, Makes
from netrelay.reference.net.qids import (
    IN_CONVERSATION,
    IN_PROTOCOL,
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

    from netrelay.reference.net.mounts import Mounts
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
        """The names of the stacks; the first is empty."""

    @property
    def mounts(self) -> Mounts:
        """What is mounted where."""

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
            return facts.mounts.name(place)
        case Kind.NET:
            home = facts.mounts.home(place)
            name = facts.stacks[place.stack]
            return facts.mounts.name(home) if home else f"net.{name}" if name else "net"
    return own_name(place)


def own_name(place: Place) -> str:
    """The name of what is in a stack: it has one, wherever the stack is."""
    match place.kind:
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
    if place.kind is Kind.ROOT:
        return facts.mounts.below(place)
    files = named(place, facts.ethers(place.stack))
    if place.kind is not Kind.PROTOCOL:
        return files
    numbers = range(facts.used(place.stack, place.protocol))
    numbered = [place._replace(kind=Kind.CONV, number=number) for number in numbers]
    return [*files, *numbered] if _makes(place) is Makes.FRAMES else [*numbered, *files]


def named(place: Place, ethers: int) -> list[Place]:
    """What a directory of a stack holds but for conversations, in the order of its listing."""
    match place.kind:
        case Kind.NET:
            there = (*PROTOCOLS, *ETHERS[:ethers])
            protocols = [Place(Kind.PROTOCOL, place.stack, each.number) for each in there]
            return [*protocols, *(Place(kind, place.stack) for kind in _NET_FILES)]
        case Kind.PROTOCOL:
            return [place.other(kind) for kind in BY_NUMBER[place.protocol].files]
        case Kind.CONV:
            files = [place.other(kind) for kind in BY_NUMBER[place.protocol].conversation_files]
            # What a slot has in common with the others is the interface's.
            return [each._replace(number=0) if each.kind in IN_PROTOCOL else each for each in files]
    return []


def child(place: Place, name: str, facts: Facts) -> Place | None:
    """What a directory has by that name."""
    # A protocol may have very many conversations: a number is not looked for among them.
    if place.kind is Kind.PROTOCOL and name.isascii() and name.isdecimal():
        # Only the number as a listing has it: 007 is nobody's name.
        used = facts.used(place.stack, place.protocol)
        number = int(name) if len(name) <= len(str(used)) else used
        found = number < used and str(number) == name
        return place._replace(kind=Kind.CONV, number=number) if found else None
    several = place.kind is Kind.ROOT
    inside = children(place, facts) if several else named(place, facts.ethers(place.stack))
    return next((each for each in inside if name_of(each, facts) == name), None)


def parent(place: Place, facts: Facts) -> Place:
    """The directory that holds a place in its own tree; a tree's root holds itself."""
    if place.kind is Kind.ROOT:
        return facts.mounts.above(place)
    if place.kind in IN_CONVERSATION:
        return place.other(Kind.CONV)
    if place.kind in IN_PROTOCOL:
        return Place(Kind.PROTOCOL, place.stack, place.protocol)
    return Place(Kind.NET, place.stack)


def seen(place: Place, facts: Facts) -> Stat:
    """The stat record of what is seen at a place, by the name that the place has (stat(2))."""
    return stat(facts.mounts.seen(place), facts)._replace(name=name_of(place, facts))


def stat(place: Place, facts: Facts) -> Stat:
    """The stat record of a place itself (stat(5))."""
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
