"""The Ethernet frames of a gateway's interface: a slot of `/net/etherN` (docs/ether.md, ether(3)).

What finds no room at the gateway, because nobody takes it from here, is lost there and counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from netrelay.client.packets import Packets
from netrelay.texts import counters
from netrelay.types import ORDWR

if TYPE_CHECKING:
    from types import TracebackType

    from netrelay.client.files import File
    from netrelay.client.session import Session

ALL_TYPES: Final = -1
_AHEAD: Final = 64
# Linux joins segments on arrival to up to 64 KiB of payload; the headers come on top.
_LONGEST: Final = (1 << 16) + 256
_LINE: Final = 64


class Frames:
    """Frames of an interface: `async for frame in frames`. `async with` or `close` ends it."""

    def __init__(self, session: Session, slot: tuple[str, ...], ctl: File, data: File) -> None:
        self._session = session
        self._slot = slot
        self._ctl = ctl
        self._data = data
        self._packets = Packets(session.wire, data.fid, longest=_LONGEST, ahead=_AHEAD)

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
        return await anext(self._packets)

    @property
    def pending(self) -> int:
        """How many frames have come that nobody has taken yet."""
        return self._packets.pending

    async def write(self, frame: bytes) -> None:
        """Send a frame, 60 bytes or more; its source becomes the interface's address.

        Errors: `NetError`, e.g. `read or write too small`.
        """
        await self._data.write(frame)

    async def stats(self) -> dict[str, str]:
        """The interface's `stats`, by name; those but `addr` are decimal. Errors: `NetError`."""
        return counters.parse((await self._session.read_at((*self._slot, "stats"))).decode())

    def close(self) -> None:
        """Give the slot back; frames that nobody has taken are gone."""
        self._packets.stop()
        self._data.close()
        self._ctl.close()


async def open_slot(
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


async def granted(session: Session, netdir: tuple[str, ...]) -> list[str]:
    """The interfaces whose frames the gateway gives away: `ether0` and so on."""
    return [entry.name for entry in await session.ls_at(netdir) if entry.name.startswith("ether")]
