"""A whole gateway in a namespace of its own, and what its host files say (docs/host.md)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

import netrelay

from .readipifc import Interface, readipifc

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from netrelay.core import Core

    from .namespaces import Namespace

PATIENCE_S = 30.0
DENIED = "permission denied"
GRANTS = ("arp", "iproute", "ipifc")
ANY = "0.0.0.0"  # noqa: S104 (as a target, not to bind)
MAC = "02:00:00:00:00:07"
# A grant, the file that it opens, and what could be written there.
WRITES = (
    ("arp", "/net/arp", "add 10.0.0.7 020000000007"),
    ("arp", "/net/arp", "flush"),
    ("arp", "/net/arp", "frob"),
    ("iproute", "/net/iproute", "add 10.9.0.0 /112 10.0.0.2"),
    ("iproute", "/net/iproute", "tag dhcp"),
    ("iproute", "/net/iproute", "flush"),
    ("ipifc", "/net/ipifc/0/ctl", "add 10.8.0.1 /24"),
    ("ipifc", "/net/ipifc/0/ctl", "mtu 1400"),
    ("ipifc", "/net/ipifc/0/ctl", "unbind"),
)


@dataclass(frozen=True)
class Setting:
    """A core, a namespace for its gateway, and one at the other end of `eth0`."""

    core: Core
    own: Namespace
    neighbour: Namespace
    folder: Path

    def play(
        self,
        act: Callable[[netrelay.Session], Awaitable[None]],
        *,
        grant: tuple[str, ...] = GRANTS,
        stacks: tuple[str, ...] = (),
        allow_dial: tuple[str, ...] = (),
    ) -> None:
        """Run `act` with a session of the host owner's."""

        async def scene() -> None:
            address = f"unix!{self.folder}/gate"
            async with (
                asyncio.timeout(PATIENCE_S),
                netrelay.Gateway(
                    address,
                    core=self.core.name,
                    grant=grant,
                    stacks=stacks,
                    allow_dial=allow_dial,
                    grace_s=0,
                ),
                netrelay.connect(address, core=self.core.name) as session,
            ):
                await act(session)

        self.own.play(scene())


async def text(session: netrelay.Session, path: str) -> str:
    """The whole of a file."""
    return (await session.read(path)).decode()


async def lines(session: netrelay.Session, path: str) -> list[list[str]]:
    """The words of each line."""
    return [line.split() for line in (await text(session, path)).splitlines()]


async def refusal(session: netrelay.Session, path: str, command: str) -> str:
    """Why a write is refused."""
    with pytest.raises(netrelay.NetError) as refused:
        await session.write(path, command.encode())
    return refused.value.text


async def interfaces(session: netrelay.Session, net: str = "/net") -> dict[int, Interface]:
    """What a Plan 9 program knows of the interfaces."""
    found = {}
    for entry in await session.ls(f"{net}/ipifc"):
        if entry.name.isdecimal():
            known = readipifc(await text(session, f"{net}/ipifc/{entry.name}/status"))
            if known is not None:
                found[int(entry.name)] = known
    return found


async def device(session: netrelay.Session, name: str, net: str = "/net") -> str:
    """The directory of an interface."""
    numbers = [at for at, one in (await interfaces(session, net)).items() if one.device == name]
    assert len(numbers) == 1
    return f"{net}/ipifc/{numbers[0]}"
