"""A name space as a program or a file composes it (bind(2), namespace(6)).

What is composed is a table; nothing is dialled or opened here. A gateway that is given a name space
takes what it is at that moment.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from netrelay.errors import UsageError
from netrelay.names.dialstring import Address, parse_address
from netrelay.namespace import lines
from netrelay.namespace.known import Directories
from netrelay.namespace.places import Order, device_of, names_of
from netrelay.namespace.table import Found, Known, Table
from netrelay.types import ROOT_DEVICE, SESSION_DEVICE, NamespaceConfig, Spot, Tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Mounted(NamedTuple):
    """A session to mount: whose, and what of its tree."""

    address: Address
    aname: str = ""


class Namespace:
    """What an attach sees: trees that are bound and mounted on one another.

    It begins with nothing but `/`. Names are paths from the root, from the directory that `cd`
    named, or from a device: `#I0` is the first stack, `#I1` the next, `#l0` the first interface
    that is given away. What is mounted on need not be there: directories of the root are made.
    """

    def __init__(self) -> None:
        self._table = Table()
        self._directories = Directories()
        self._sessions: list[Mounted] = []
        self._cwd: tuple[str, ...] = ()
        self._lines: list[str] = []

    @classmethod
    def of_stacks(cls, *names: str) -> Self:
        """What a gateway has of its own accord: `/net`, and `/net.NAME` for each further stack."""
        made = cls()
        made.bind("#I0", "/net")
        for number, name in enumerate(names, 1):
            made.bind(f"#I{number}", f"/net.{name}")
        return made

    @property
    def table(self) -> Table:
        """What is mounted where."""
        return self._table

    @property
    def known(self) -> Known:
        """What can be told of its trees."""
        return self._directories

    @property
    def config(self) -> NamespaceConfig:
        """What a core is told of it as it is now."""
        return NamespaceConfig(tuple(self._directories.made), tuple(self._table.mounts.items()))

    @property
    def sessions(self) -> tuple[Mounted, ...]:
        """What `#M0` on are."""
        return tuple(self._sessions)

    def bind(
        self, new: str, old: str, order: Order = Order.REPLACE, *, create: bool = False
    ) -> None:
        """Have `new` at `old` too: instead of what is there, or in a union before or after it.

        `create` lets files be made in `new`. Errors: `UsageError`, with what bind(2) would say.
        """
        with _about("bind", new, old):
            found = self._find(new)
            if found is None:
                raise UsageError("file does not exist")
            self._mount(found, old, order, create=create)
        self._note("bind", order, create, self._absolute(new), self._absolute(old))

    def mount(
        self,
        address: str,
        old: str,
        order: Order = Order.REPLACE,
        *,
        create: bool = False,
        aname: str = "",
    ) -> None:
        """Have the tree of the server at `address` at `old`; mounted twice, it is one session.

        Errors: as `bind`, and for what is no address.
        """
        with _about("mount", address, old):
            mounted = Mounted(parse_address(address), aname)
            sessions = [*self._sessions, *([] if mounted in self._sessions else [mounted])]
            spot = Spot(Tree(SESSION_DEVICE, sessions.index(mounted)))
            self._mount(self._table.at(spot), old, order, create=create)
            self._sessions = sessions
        aname_too = (aname,) if aname else ()
        self._note("mount", order, create, address, self._absolute(old), *aname_too)

    def unmount(self, old: str, new: str | None = None) -> None:
        """Take `new` from `old`, or all that is mounted there.

        `new` is a name or the address of a mounted server. Errors: `UsageError` `not mounted`, `not
        in union`.
        """
        with _about("unmount", *([] if new is None else [new]), old):
            found = self._find(old)
            if found is None:
                raise UsageError("file does not exist")
            what = None if new is None else self._what(new)
            self._table = self._table.unmounted(found.under, what)
        words = [] if new is None else [new if "!" in new else self._absolute(new)]
        self._note("unmount", Order.REPLACE, False, *words, self._absolute(old))

    def cd(self, path: str) -> None:
        """Have names that begin with no slash mean files of this directory from now on.

        Errors: `UsageError`, when it is not there.
        """
        with _about("cd", path):
            found = self._find(path)
            if found is None:
                raise UsageError("file does not exist")
            if self._directories.directory(found.spot) is False:
                raise UsageError("not a directory")
            if path.startswith("#"):
                raise UsageError("a device has no name in the name space: bind it")
            self._cwd = names_of(self._absolute(path))

    def clear(self) -> None:
        """Begin again with nothing but `/`."""
        self._table, self._directories = Table(), Directories()
        self._sessions, self._cwd, self._lines = [], (), []

    def run(self, text: str, *, env: Mapping[str, str] | None = None) -> None:
        """Carry out lines of a namespace file (namespace(6)); `$NAME` is taken from `env`.

        The original passes over lines that fail; here the first is an error, and what stands before
        it is done. Errors: `UsageError`, which names the line.
        """
        lines.Reader(self, env or {}).run(text, "namespace", Path())

    def load(self, path: Path, *, env: Mapping[str, str] | None = None) -> None:
        """Carry out a namespace file of this machine. Errors: as `run`, and `OSError`."""
        lines.Reader(self, env or {}).run(path.read_text(), str(path), path.parent)

    def lines(self) -> list[str]:
        """The lines of a namespace file that make it again from nothing."""
        return list(self._lines)

    def _mount(self, new: Found, old: str, order: Order, *, create: bool) -> None:
        start, names = self._start(old)
        found = self._table.find(names, self._directories, start=start)
        under = found.under if found is not None else self._to_make(start, names)
        if under is None:
            raise UsageError("file does not exist")
        self._table = self._table.bound(new, under, order, self._directories, create=create)
        if under.tree.device == ROOT_DEVICE:
            self._directories.make(under.names)

    def _find(self, path: str) -> Found | None:
        start, names = self._start(path)
        return self._table.find(names, self._directories, start=start)

    def _to_make(self, start: Spot, names: tuple[str, ...]) -> Spot | None:
        """The directory of the root's own that a name means which is not there.

        None where it would be in another tree.
        """
        for count in reversed(range(len(names))):
            above = self._table.find(names[:count], self._directories, start=start)
            if above is not None:
                spot = above.spot.below(*names[count:])
                return spot if spot.tree.device == ROOT_DEVICE else None
        return None

    def _what(self, new: str) -> Spot:
        """What an unmount takes away."""
        if "!" in new:
            address = parse_address(new)
            for number, mounted in enumerate(self._sessions):
                if mounted.address == address:
                    return Spot(Tree(SESSION_DEVICE, number))
            raise UsageError("not mounted")
        found = self._find(new)
        if found is None:
            raise UsageError("file does not exist")
        return found.spot

    def _start(self, path: str) -> tuple[Spot, tuple[str, ...]]:
        if path.startswith("#"):
            return device_of(path)
        return Spot(Tree(ROOT_DEVICE)), names_of(self._absolute(path))

    def _absolute(self, path: str) -> str:
        if path.startswith(("/", "#")):
            return path
        return "/" + "/".join((*self._cwd, path))

    def _note(self, command: str, order: Order, create: bool, *arguments: str) -> None:
        self._lines.append(lines.written(command, order, create, arguments))


@contextlib.contextmanager
def _about(*words: str) -> Iterator[None]:
    """An operation, for the error that it may end in."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{' '.join(map(lines.quoted, words))}: {error}") from None
