"""Which core runs: the Rust extension or the pure-Python reference.

Both offer the same names, so that everything above is written once; this is the only module that imports
either. The extension is the default where it exists. Asking for it where it does not is an error
and never a silent fall back to the slow one.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from netrelay.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.messages import Message
    from netrelay.types import (
        ClientEvent,
        Completion,
        Dialect,
        Dirent,
        Event,
        FidView,
        GatewayConfig,
        Stat,
        Upcall,
    )

NAMES: Final = ("rust", "python")


class Deframer(Protocol):
    """A stream into frames."""

    def feed(self, data: bytes | bytearray | memoryview) -> None: ...
    def next_frame(self) -> bytes | None: ...


class ServerSession(Protocol):
    """One session served (docs/protocol.md, section 5)."""

    def feed(self, data: bytes | bytearray | memoryview) -> None: ...
    def next_event(self) -> Event | None: ...
    def answer(self, tag: int, message: Message) -> None: ...
    def refuse(self, tag: int, text: str, number: int) -> None: ...
    def withdraw(self, tag: int) -> None: ...
    def fids(self) -> tuple[FidView, ...]: ...


class ClientSession(Protocol):
    """One session used (docs/protocol.md, section 7)."""

    def hello(self) -> bytes: ...
    def request(self, message: Message) -> tuple[int, bytes]: ...
    def flush(self, tag: int) -> bytes: ...
    def feed(self, data: bytes | bytearray | memoryview) -> None: ...
    def next_event(self) -> ClientEvent | None: ...


class Gateway(Protocol):
    """The export side: threads that serve sessions; every method may be called from any thread and none blocks but `wait_closed`."""

    def listen(self, fd: int) -> None: ...
    def upcall_fd(self) -> int: ...
    def upcalls(self) -> list[Upcall]: ...
    def answer(
        self, id: int, replies: list[bytes] | None, error: str | None, errno: int
    ) -> None: ...
    def stats(self) -> dict[str, int]: ...
    def stop_listening(self) -> None: ...
    def shutdown(self, deadline_s: float) -> None: ...
    def wait_closed(self, timeout_s: float) -> bool: ...
    def abort(self) -> None: ...


class Importer(Protocol):
    """The import side: one session used, dials and pumps without the interpreter."""

    def completion_fd(self) -> int: ...
    def completions(self) -> list[Completion]: ...
    def new_fid(self) -> int: ...
    def rpc(self, message: Message) -> int: ...
    def flush(self, id: int) -> None: ...
    def dial(
        self, netdir: tuple[str, ...], clone: tuple[str, ...], remote: str
    ) -> int: ...
    def listen(self, conversation: tuple[str, ...]) -> int: ...
    def pump(self, ctl: int, data: int, fd: int) -> int: ...
    def dial_and_pump(
        self, netdir: tuple[str, ...], clone: tuple[str, ...], remote: str, fd: int
    ) -> int: ...
    def stats(self) -> dict[str, int]: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Core:
    """One core's functions and classes."""

    name: str
    encode: Callable[[int, Message, Dialect], bytes]
    decode: Callable[[bytes, Dialect], tuple[int, Message]]
    to_text: Callable[[int, Message], str]
    from_text: Callable[[str], tuple[int, Message]]
    pack_stat: Callable[[Stat, Dialect], bytes]
    unpack_stats: Callable[[bytes, Dialect], list[Stat]]
    pack_dirents: Callable[[list[Dirent]], bytes]
    unpack_dirents: Callable[[bytes], list[Dirent]]
    Deframer: Callable[[int], Deframer]
    ServerSession: Callable[..., ServerSession]
    ClientSession: Callable[..., ClientSession]
    Gateway: Callable[[GatewayConfig], Gateway]
    Importer: Callable[..., Importer]


def available() -> tuple[str, ...]:
    """The cores that this installation has, the faster first."""
    return tuple(name for name in NAMES if name == "python" or _extension() is not None)


def load(name: str | None = None) -> Core:
    """A core by name, or the fastest there is.

    Errors: `UsageError` for a name that is none, or an extension that is not installed.
    """
    name = name or available()[0]
    if name == "python":
        module = importlib.import_module("netrelay.reference")
    elif name == "rust":
        found = _extension()
        if found is None:
            raise UsageError(
                "the Rust core is not built here: run `make build`, or choose --core=python"
            )
        module = found
    else:
        raise UsageError(f"no core is called {name!r}: choose rust or python")
    fields = (field for field in Core.__slots__ if field != "name")
    return Core(name, **{field: getattr(module, field) for field in fields})


def _extension() -> object:
    try:
        return importlib.import_module("netrelay._core")
    except ImportError:
        return None
