"""Which of the two cores runs, and what both of them are.

The only module that imports `_core` (Rust) or `reference` (Python): everything else speaks to the
protocols below, so that a program, a test or a user can choose. A core that is not there
is refused by name and never replaced silently by the other one.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from netrelay.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.il.machine import IlFactory
    from netrelay.messages import Message, Payload
    from netrelay.types import (
        ClientEvent,
        Completion,
        Dialect,
        Dirent,
        Event,
        FidView,
        GatewayConfig,
        NamespaceConfig,
        Stat,
        Upcall,
    )


class DeframerCore(Protocol):
    """A stream of bytes into whole frames."""

    def feed(self, data: Payload, /) -> None:
        """Take bytes as they come; can't fail."""

    def next_frame(self) -> bytes | None:
        """The next whole frame, if it is there. Errors: `FrameError`."""


class ServerCore(Protocol):
    """One session served (docs/protocol.md section 5)."""

    def feed(self, data: Payload, /) -> None:
        """Take bytes as they come; can't fail."""

    def next_event(self) -> Event | None:
        """What to do next. Errors: `FrameError`, `DecodeError`, which end the session."""

    def answer(self, tag: int, message: Message, /) -> None:
        """The tree's reply. Errors: `UsageError`."""

    def refuse(self, tag: int, text: str, errno: int, /) -> None:
        """The tree's refusal. Errors: `UsageError`."""

    def withdraw(self, tag: int, /) -> None:
        """The request left nothing behind. Errors: `UsageError`."""

    def fids(self) -> tuple[FidView, ...]:
        """Every fid, by number."""


class ClientCore(Protocol):
    """One session used (docs/protocol.md section 7)."""

    def hello(self) -> bytes:
        """The Tversion's frame."""

    def request(self, message: Message, /) -> tuple[int, bytes]:
        """The request's tag and frame. Errors: `UsageError`."""

    def flush(self, tag: int, /) -> bytes:
        """The Tflush's frame. Errors: `UsageError`."""

    def feed(self, data: Payload, /) -> None:
        """Take bytes as they come; can't fail."""

    def next_event(self) -> ClientEvent | None:
        """What has come. Errors: `FrameError`, `DecodeError`, `PeerError` end the session."""


class GatewayCore(Protocol):
    """A gateway: it owns the sessions and the sockets; Python answers its upcalls."""

    def listen(self, fd: int, /) -> None:
        """Take over the descriptor of a listening stream socket."""

    def serve(self, fd: int, root: str = "", /) -> None:
        """Take over the descriptor of a connected stream socket: one session.

        Its attaches see the subtree `root` of what is exported.
        """

    def upcall_fd(self) -> int:
        """Readable when questions wait."""

    def upcalls(self) -> list[Upcall]:
        """The questions that wait. Blocks never."""

    def answer(
        self, id: int, replies: list[bytes] | None, error: str | None, errno: int, /
    ) -> None:
        """The verdict on a question: replies, or an error."""

    def set_namespace(self, config: NamespaceConfig, /) -> None:
        """What is mounted where from now on (docs/namespaces.md); what is open goes on.

        Errors: `UsageError`, when a file in it can't be; then all stays as it was.
        """

    def set_interfaces(self, stack: int, count: int, /) -> None:
        """How many interfaces a stack's `ipifc` lists. Errors: `UsageError`."""

    def stats(self) -> dict[str, int]:
        """Counters by name."""

    def stop_listening(self) -> None:
        """Accept no more sessions."""

    def shutdown(self, deadline_s: float, /) -> None:
        """Close sessions as their conversations end, all of them at the deadline."""

    def closed_fd(self) -> int:
        """Readable when everything is closed."""

    def wait_closed(self, timeout_s: float, /) -> bool:
        """Blocks until everything is closed; false if that took too long."""

    def abort(self) -> None:
        """Close everything now."""


class ImporterCore(Protocol):
    """The import side: one session used, dials and pumps without Python on the byte path."""

    def completion_fd(self) -> int:
        """Readable when completions wait."""

    def completions(self) -> list[Completion]:
        """What has been finished. Blocks never."""

    def new_fid(self) -> int:
        """A fid number that is free."""

    def rpc(self, message: Message, /) -> int:
        """Send a request; the id of its completion."""

    def flush(self, id: int, /) -> None:
        """Take a request back."""

    def dial(self, netdir: tuple[str, ...], clone: tuple[str, ...], remote: str, /) -> int:
        """Open a conversation and connect it; the id of its completion."""

    def listen(self, conversation: tuple[str, ...], /) -> int:
        """Wait for a call of an announced conversation; the id of its completion."""

    def pump(self, ctl: int, data: int, fd: int, /) -> int:
        """Take over a local socket and pump both ways; the id of its completion."""

    def dial_and_pump(
        self, netdir: tuple[str, ...], clone: tuple[str, ...], remote: str, fd: int, /
    ) -> int:
        """Both; one id."""

    def stats(self) -> dict[str, int]:
        """Counters by name."""

    def close(self) -> None:
        """End the session."""


class ServerFactory(Protocol):
    """Makes server sessions."""

    def __call__(
        self,
        *,
        max_msize: int = ...,
        versions: tuple[str, ...] = ...,
        max_fids: int = ...,
        max_requests: int = ...,
    ) -> ServerCore:
        """A session that has seen nothing."""


class ClientFactory(Protocol):
    """Makes client sessions."""

    def __call__(self, *, msize: int = ..., version: str = ...) -> ClientCore:
        """A session that has sent nothing."""


class ImporterFactory(Protocol):
    """Makes importers."""

    def __call__(self, fd: int, /, *, msize: int = ..., version: str = ...) -> ImporterCore:
        """Owns the descriptor of a connected stream socket from now on."""


@dataclass(frozen=True, slots=True)
class Core:
    """One core: the same functions and classes whichever it is."""

    name: str
    encode: Callable[[int, Message, Dialect], bytes]
    decode: Callable[[bytes, Dialect], tuple[int, Message]]
    to_text: Callable[[int, Message], str]
    from_text: Callable[[str], tuple[int, Message]]
    pack_stat: Callable[[Stat, Dialect], bytes]
    unpack_stats: Callable[[Payload, Dialect], list[Stat]]
    pack_dirents: Callable[[list[Dirent]], bytes]
    unpack_dirents: Callable[[Payload], list[Dirent]]
    Deframer: Callable[[int], DeframerCore]
    ServerSession: ServerFactory
    ClientSession: ClientFactory
    Il: IlFactory
    Gateway: Callable[[GatewayConfig], GatewayCore]
    Importer: ImporterFactory


_HOMES = {
    "rust": dict.fromkeys(Core.__slots__[1:], "netrelay._core"),
    "python": {
        "encode": "netrelay.reference.codec",
        "decode": "netrelay.reference.codec",
        "to_text": "netrelay.reference.text",
        "from_text": "netrelay.reference.text",
        "pack_stat": "netrelay.reference.dirs",
        "unpack_stats": "netrelay.reference.dirs",
        "pack_dirents": "netrelay.reference.dirs",
        "unpack_dirents": "netrelay.reference.dirs",
        "Deframer": "netrelay.reference.deframe",
        "ServerSession": "netrelay.reference.server",
        "ClientSession": "netrelay.reference.client",
        "Il": "netrelay.reference.il",
        "Gateway": "netrelay.reference.gateway",
        "Importer": "netrelay.reference.importer",
    },
}
# These two bring sockets and asyncio in, so they are looked up when they are called.
_WITH_IO = ("Gateway", "Importer")


def available() -> tuple[str, ...]:
    """The cores that can be loaded, the preferred one first."""
    return tuple(name for name in _HOMES if _refusal(name) is None)


def load(name: str | None = None) -> Core:
    """The core of that name, `rust` or `python`; without a name the preferred one.

    Errors: `UsageError` for another name, or when the extension is not built.
    """
    name = name or available()[0]
    if name not in _HOMES:
        raise UsageError(f"no core is called {name!r}: there are {' and '.join(_HOMES)}")
    refusal = _refusal(name)
    if refusal is not None:
        raise UsageError(
            f"the {name} core is not there ({refusal}): "
            "build it with `make build`, or choose --core=python"
        )
    parts = {
        part: _later(home, part) if part in _WITH_IO else _part(home, part)
        for part, home in _HOMES[name].items()
    }
    return cast("Callable[..., Core]", Core)(name=name, **parts)


def _refusal(name: str) -> str | None:
    try:
        importlib.import_module(_HOMES[name]["encode"])
    except ImportError as err:
        return str(err)
    return None


def _part(home: str, part: str) -> object:
    return getattr(importlib.import_module(home), part)


def _later(home: str, part: str) -> object:
    def make(*args: object, **options: object) -> object:
        return cast("Callable[..., object]", _part(home, part))(*args, **options)

    return make
