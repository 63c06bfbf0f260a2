"""The Ethernet frames of a gateway's interface: a slot of `/net/etherN` (docs/ether.md, ether(3)).

On a gateway of ours several Treads are outstanding, so that a long line does not slow a capture
down; elsewhere replies may come out of order, and there is one. Frames that have come wait here,
and what does not fit is lost at the gateway, which counts it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, Self

from netrelay import messages as m
from netrelay.errors import NetError
from netrelay.types import IOHDRSZ, ORDWR

if TYPE_CHECKING:
    from types import TracebackType

    from netrelay.client.files import File
    from netrelay.client.session import Session
    from netrelay.types import Completion

ALL_TYPES: Final = -1
# Treads outstanding and frames not taken yet, together.
_AHEAD: Final = 64
# Linux joins segments on arrival to up to 64 KiB of payload; the headers come on top.
_LONGEST: Final = (1 << 16) + 256
_LINE: Final = 64
_HUNGUP: Final = "i/o on hungup channel"


class Frames:
    """Frames of an interface: `async for frame in frames`. `async with` or `close` ends it."""

    def __init__(self, session: Session, slot: tuple[str, ...], ctl: File, data: File) -> None:
        self._session = session
        self._wire = session.wire
        self._slot = slot
        self._ctl = ctl
        self._data = data
        self._count = min(_LONGEST, self._wire.msize - IOHDRSZ)
        self._asked = 0
        self._came: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._error: NetError | None = None
        self._closed = False
        self._ask()

    async def __aenter__(self) -> Self:
        """Nothing to do: the slot is open."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the slot back."""
        self.close()

    def __aiter__(self) -> Self:
        """Frames in the order in which the interface saw them."""
        return self

    async def __anext__(self) -> bytes:
        """The next frame, whole; ends after `close`. Cancelled, it takes none.

        Errors: `NetError` behind the last frame: `i/o error` when the interface is down or gone.
        """
        while not self._came:
            if self._error is not None:
                raise self._error
            if self._closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        frame = self._came.popleft()
        self._ask()
        return frame

    @property
    def pending(self) -> int:
        """How many frames have come that nobody has taken yet."""
        return len(self._came)

    async def write(self, frame: bytes) -> None:
        """Send a frame, 60 bytes or more; its source becomes the interface's address.

        Errors: `NetError`, e.g. `read or write too small`.
        """
        await self._data.write(frame)

    async def stats(self) -> dict[str, str]:
        """The interface's `stats`, by name; those but `addr` are decimal. Errors: `NetError`."""
        text = (await self._session.read_at((*self._slot, "stats"))).decode()
        return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)

    def close(self) -> None:
        """Give the slot back; frames that nobody has taken are gone."""
        if not self._closed:
            self._closed = True
            self._came.clear()
            self._data.close()
            self._ctl.close()
            self._news.set()

    def _ask(self) -> None:
        ahead = _AHEAD if self._wire.windowed and not self._wire.crowded else 1
        while self._asked + len(self._came) < ahead and not self._closed and self._error is None:
            try:
                self._wire.submit(m.Tread(self._data.fid, 0, self._count), self._got)
            except NetError as error:
                self._fail(error)
                return
            self._asked += 1

    def _got(self, outcome: Completion) -> None:
        self._asked -= 1
        match outcome.message:
            case m.Rread(data=frame) if len(frame) > 0:
                if not self._closed:
                    self._came.append(bytes(frame))
                    self._news.set()
                    self._ask()
            case m.Rerror(ename=text, errno=number):
                self._fail(NetError(text, number or None))
            case _:
                self._fail(NetError(outcome.error or _HUNGUP))

    def _fail(self, error: NetError) -> None:
        if self._error is None:
            self._error = error
        self._news.set()


async def frames(
    session: Session,
    netdir: tuple[str, ...],
    interface: str,
    *,
    ethertype: int = ALL_TYPES,
    promiscuous: bool = False,
) -> Frames:
    """Open a slot of `interface` and connect it to frames of a type. Errors: `NetError`."""
    ether = (*netdir, interface)
    ctl = await session.open_at((*ether, "clone"), ORDWR)
    try:
        slot = (*ether, (await ctl.read(_LINE)).decode().strip())
        if promiscuous:
            await ctl.write(b"promiscuous")
        await ctl.write(f"connect {ethertype}".encode())
        data = await session.open_at((*slot, "data"), ORDWR)
    except BaseException:
        ctl.close()
        raise
    return Frames(session, slot, ctl, data)


async def interfaces(session: Session, netdir: tuple[str, ...]) -> list[str]:
    """The interfaces whose frames the gateway gives away: `ether0` and so on."""
    return [entry.name for entry in await session.ls_at(netdir) if entry.name.startswith("ether")]
