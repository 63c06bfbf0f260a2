"""`ipifc/N/status`: an interface and its addresses (ipifc.c, as readipifc(2) reads it)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from netrelay.texts.notation import Ip, Network, address, network, prefix

FOREVER: Final = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Address:
    """An address of an interface; lifetimes in seconds, `FOREVER` if they have no end."""

    ip: Ip
    prefix: int
    remote: Ip
    valid_s: int = FOREVER
    preferred_s: int = FOREVER

    @property
    def network(self) -> Network:
        """What is reached by it."""
        return network(str(self.ip), f"/{self.prefix}")

    def __str__(self) -> str:
        return f"{self.ip}/{self.prefix}"


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface: `number` is its directory's, `numbers` what else the first line counts."""

    number: int
    device: str
    numbers: dict[str, int]
    addresses: tuple[Address, ...]

    @property
    def mtu(self) -> int:
        """Bytes that one packet may have."""
        return self.numbers.get("maxtu", 0)


def parse(number: int, text: str) -> Interface | None:
    """The interface of that directory; none if it is unbound, gone, or not told as one."""
    first, *rest = text.splitlines() or [""]
    # `device  maxtu 0`: one without a name.
    if first.startswith("device  "):
        return None
    words = first.split()
    fields = dict(zip(words[::2], words[1::2], strict=False))
    device = fields.pop("device", "")
    if not device:
        return None
    numbers = {name: int(word) for name, word in fields.items() if word.isdecimal()}
    found = (_address(line.split()) for line in rest)
    return Interface(number, device, numbers, tuple(one for one in found if one is not None))


def _address(words: list[str]) -> Address | None:
    try:
        local, mask, remote, valid, preferred = words[:5]
        ip = address(local)
        return Address(ip, prefix(mask, ip), address(remote), int(valid), int(preferred))
    except ValueError:
        return None
