"""An importer core that does what the test says: requests are recorded, completions are given."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netrelay.types import Completion

if TYPE_CHECKING:
    from netrelay.messages import Message


@dataclass
class Scripted:
    """The importer's face, without a session behind it; dials and pumps are for tests of a core."""

    asked: list[tuple[int, Message]] = field(default_factory=list)
    flushed: list[int] = field(default_factory=list)
    windowed: bool = True

    def __post_init__(self) -> None:
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._ready: list[Completion] = []
        self._next = 0
        self._fid = 0
        self.finish(Completion(0, "ready", number=8216, windowed=self.windowed))

    def finish(self, completion: Completion) -> None:
        """Let a completion arrive."""
        self._ready.append(completion)
        os.eventfd_write(self._event, 1)

    def reply(self, number: int, message: Message) -> None:
        """Let a reply arrive."""
        self.finish(Completion(number, "rpc", message))

    def completion_fd(self) -> int:
        return self._event

    def completions(self) -> list[Completion]:
        os.eventfd_read(self._event)
        ready, self._ready = self._ready, []
        return ready

    def new_fid(self) -> int:
        self._fid += 1
        return self._fid

    def rpc(self, message: Message, /) -> int:
        self._next += 1
        self.asked.append((self._next, message))
        return self._next

    def flush(self, id: int, /) -> None:
        self.flushed.append(id)

    def dial(self, netdir: tuple[str, ...], clone: tuple[str, ...], remote: str, /) -> int:
        raise NotImplementedError

    def listen(self, conversation: tuple[str, ...], /) -> int:
        raise NotImplementedError

    def pump(self, ctl: int, data: int, fd: int, /) -> int:
        raise NotImplementedError

    def dial_and_pump(
        self, netdir: tuple[str, ...], clone: tuple[str, ...], remote: str, fd: int, /
    ) -> int:
        raise NotImplementedError

    def stats(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        self.finish(Completion(0, "closed"))

    def end(self) -> None:
        """Give the descriptor back."""
        os.close(self._event)
