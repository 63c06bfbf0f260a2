"""etherN: the frames of an interface, by slots (ether(3), netif.c, devether.c).

The first interface that the server gives away is tried, with a type that IEEE keeps for
experiments, so that nobody's traffic is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from netrelay.conform.claims import NotOffered, claim, expect, same
from netrelay.conform.exchange import Refusal
from netrelay.conform.expectations import refused
from netrelay.types import ORDWR

if TYPE_CHECKING:
    from netrelay.conform.files import File, Session
    from netrelay.conform.stage import Stage

ETHER: Final = "ether0"
EXPERIMENTAL: Final = 0x88B5
STATS: Final = (
    "in", "link", "out", "crc errs", "overflows", "soft overflows", "framing errs",
    "buffer errs", "output errs", "prom", "mbps", "addr",
)  # fmt: skip
NUMBER_BYTES: Final = 12
ADDRESS_DIGITS: Final = 12
HEXADECIMAL: Final = frozenset("0123456789abcdef")


class Slot:
    """An open ctl of the interface and its number."""

    def __init__(self, session: Session, ctl: File, number: str) -> None:
        self.session = session
        self.ctl = ctl
        self.number = number

    @classmethod
    async def clone(cls, stage: Stage) -> Self:
        """Open clone on a session of its own. Errors: `NotOffered` where the frames aren't ours."""
        session = await stage.session()
        try:
            ctl = await session.open(ETHER, "clone", mode=ORDWR)
        except Refusal as refusal:
            raise NotOffered(f"no slot of {ETHER} ({refusal.seen})") from None
        number = (await ctl.read()).decode(errors="replace").strip()
        expect(number.isdecimal(), "a slot's number", repr(number))
        return cls(session, ctl, number)

    async def command(self, text: str) -> int:
        """Write a command to ctl. Errors: `Refusal`."""
        return await self.ctl.write(text.encode())

    async def open_data(self) -> File:
        """Open data."""
        return await self.session.open(ETHER, self.number, "data", mode=ORDWR)


@claim(
    "The number of a slot is right in 11 columns, and a space behind it", "netif.c", needs=(ETHER,)
)
async def numbers_have_twelve_bytes(stage: Stage) -> None:
    slot = await Slot.clone(stage)
    number = await slot.ctl.read()
    same(number, f"{slot.number:>11} ".encode())
    same(await slot.ctl.read(NUMBER_BYTES, NUMBER_BYTES), b"")


@claim("A slot has its files", "ether(3)", needs=(ETHER,))
async def a_slot_has_its_files(stage: Stage) -> None:
    slot = await Slot.clone(stage)
    names = {entry.name for entry in await slot.session.entries(ETHER, slot.number)}
    same(names, {"ctl", "data", "ifstats", "stats", "type"})


@claim("addr is the address: 12 hexadecimal digits and nothing else", "ether(3)", needs=(ETHER,))
async def addr_is_twelve_digits(stage: Stage) -> None:
    text = await (await stage.session()).text(ETHER, "addr")
    digits = len(text) == ADDRESS_DIGITS and set(text) <= HEXADECIMAL
    expect(digits, "12 hexadecimal digits", repr(text))


@claim("stats are counters by name, and end with the address", "ether(3)", needs=(ETHER,))
async def stats_have_their_lines(stage: Stage) -> None:
    session = await stage.session()
    lines = (await session.text(ETHER, "stats")).splitlines()
    named = [line.partition(": ") for line in lines[: len(STATS)]]
    same(tuple(name for name, _, _ in named), STATS)
    *counters, (_, _, address) = named
    for name, _, value in counters:
        expect(value.isdecimal(), f"a number behind {name}", repr(value))
    same(address, await session.text(ETHER, "addr"))


@claim("type tells what a slot is connected to", "ether(3), netif.c", needs=(ETHER,))
async def type_tells_what_is_taken(stage: Stage) -> None:
    slot = await Slot.clone(stage)
    await slot.command(f"connect {EXPERIMENTAL:#x}")
    same(await slot.session.text(ETHER, slot.number, "type"), f"{EXPERIMENTAL:>11} ")


@claim("A type is one slot's at a time", "netif.c", needs=(ETHER,))
async def a_type_has_one_slot(stage: Stage) -> None:
    first, second = await Slot.clone(stage), await Slot.clone(stage)
    await first.command(f"connect {EXPERIMENTAL}")
    taken = second.command(f"connect {EXPERIMENTAL}")
    await refused(taken, "device or object already in use")
    await first.ctl.clunk()
    await second.command(f"connect {EXPERIMENTAL}")


@claim("A command that is none is refused", "netif.c, devether.c", needs=(ETHER,))
async def an_unknown_command_is_refused(stage: Stage) -> None:
    slot = await Slot.clone(stage)
    await refused(slot.command("frob"), "bad process or channel control request")


@claim(
    "A frame goes out with the interface's own address, whatever address was written",
    "devether.c",
    needs=(ETHER,),
)
async def frames_have_our_address(stage: Stage) -> None:
    sender, watcher = await Slot.clone(stage), await Slot.clone(stage)
    await watcher.command("promiscuous")
    await watcher.command("connect -1")
    await sender.command(f"connect {EXPERIMENTAL}")
    seen, written = await watcher.open_data(), await sender.open_data()
    ours = bytes.fromhex(await sender.session.text(ETHER, "addr"))
    nobody = bytes.fromhex("020000000001")
    kind = EXPERIMENTAL.to_bytes(2, "big")
    payload = b"netrelay conform".ljust(46, b"\0")
    await written.write(nobody + bytes.fromhex("020000000002") + kind + payload)
    # The wire may carry what is others' before it.
    while (frame := await seen.read())[12:14] != kind or frame[14:60] != payload:
        pass
    same(frame[:12], nobody + ours)
