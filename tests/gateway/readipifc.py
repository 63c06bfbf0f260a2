"""`ipifc/N/status` as readipifc(2) reads it, step by step, with its buffers and its limits.

Written from what the original's reader does and not from our own formats, so that what it makes of
our text is what a Plan 9 program would make of it.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

BUFFER = 4 * 1024 - 1
LINES = 32
FIELDS = 64
ULONG = 0xFFFF_FFFF
BITS = 128


class Address(NamedTuple):
    """One Iplifc."""

    ip: str
    prefix: int
    net: str
    valid: int
    preferred: int


class Interface(NamedTuple):
    """One Ipifc."""

    device: str
    mtu: int
    numbers: dict[str, int]
    addresses: list[Address]


def readipifc(text: str) -> Interface | None:
    """What the reader knows afterwards; none if it takes no interface from the text."""
    buffer = text[:BUFFER]
    assert buffer.startswith("device"), "it would be read in the format of the second edition"
    if buffer[6:8] == "  ":
        return None
    lines = [line for line in buffer.split("\n") if line]
    lines = [*lines[: LINES - 1], "\n".join(lines[LINES - 1 :])]
    fields = lines[0].split()[:FIELDS]
    if len(fields) % 2:
        return None
    found = dict(zip(fields[::2], fields[1::2], strict=True))
    if not found.get("device"):
        return None
    numbers = {name: min(_atoi(word), ULONG) for name, word in found.items() if name != "device"}
    addresses = []
    for line in lines[1:]:
        words = line.split()
        if len(words) < 5:
            break
        addresses.append(_address(words))
    return Interface(found["device"], numbers["maxtu"], numbers, addresses)


def _address(words: list[str]) -> Address:
    ip, mask, net, valid, preferred = words[:5]
    return Address(ip, _prefix(ip, mask), net, _atoi(valid), _atoi(preferred))


def _prefix(ip: str, mask: str) -> int:
    """In the bits of the family: the original counts 128 in both."""
    assert mask.startswith("/")
    address = ipaddress.ip_address(ip)
    length = _atoi(mask[1:])
    return length - (BITS - address.max_prefixlen) if length > address.max_prefixlen else length


def _atoi(word: str) -> int:
    digits = re.match(r"-?\d+", word)
    return int(digits[0]) if digits else 0
