"""What connect asks for in ipmux: a filter of IP packets (ip(3), docs/raw.md).

`proto=29|3a;dst=10.0.0.1&255.255.255.0;data[0:1]=6000`. A filter is clauses, all of which must
hold, and a clause is bytes of the packet under a mask, which must be one of its values. Bytes in,
yes or no out: nothing here knows a socket.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from netrelay.errors import NetError
from netrelay.reference.net.address import parse_ip
from netrelay.reference.net.refusal import refusal

if TYPE_CHECKING:
    from netrelay.reference.net.address import Ip

MOST_CLAUSES: Final = 10
MOST_VALUES: Final = 20
# The last byte that `data` and `iph` may name.
_MOST: Final = 44
_BLANKS: Final = b" \t"
_RANGE: Final = re.compile(rb"(data|iph)\[(\d{1,2})(?::(\d{1,2}))?\]")
_HEX: Final = re.compile(rb"(?:[0-9a-fA-F]{2})+")
# What the host has itself, by version: it would be copied, and can't be diverted. Of IPv6 what may
# stand between its header and another protocol, too.
_OF_HOST: Final = {
    4: frozenset({0, 1, 2, 6, 17}),
    6: frozenset({0, 6, 17, 43, 44, 58, 60}),
}


class Layout(NamedTuple):
    """Where the fields of an IP header are."""

    size: int
    address: int
    protocol: int
    source: int
    destination: int


LAYOUTS: Final = {4: Layout(20, 4, 9, 12, 16), 6: Layout(40, 16, 6, 8, 24)}
# The original's order of clauses.
_KINDS: Final = (b"proto", b"data", b"iph", b"dst", b"src", b"ifc")


@dataclass(frozen=True, slots=True)
class Clause:
    """Bytes and what they may be; `at` counts from the begin of the header, or behind it."""

    kind: bytes
    at: int
    mask: bytes
    values: tuple[bytes, ...]

    def text(self, layout: Layout) -> str:
        """A line of status; an address of the interface is ahead of the packet."""
        begin = self.at + layout.size if self.kind == b"data" else self.at
        values = "".join(f"{value.hex()}|" for value in self.values)
        return f"h[{begin}:{begin + len(self.mask) - 1}]&{self.mask.hex()}={values}\n"

    def holds(self, packet: bytes, begin: int, here: bytes) -> bool:
        """Whether a packet whose data begin there has one of the values."""
        at = self.at + begin if self.kind == b"data" else self.at
        seen = here if self.kind == b"ifc" else packet[at : at + len(self.mask)]
        if len(seen) < len(self.mask):
            return False
        masked = bytes(byte & mask for byte, mask in zip(seen, self.mask, strict=True))
        return masked in self.values


class Filter(NamedTuple):
    """Packets of one version of IP, of these protocols, for which every clause holds."""

    version: int
    protocols: tuple[int, ...]
    clauses: tuple[Clause, ...]

    @property
    def text(self) -> str:
        """The filter as status has it."""
        return "".join(clause.text(LAYOUTS[self.version]) for clause in self.clauses)

    def accepts(self, packet: bytes, here: Ip | None) -> bool:
        """Whether a packet is wanted that came by an interface with the address `here`."""
        layout = LAYOUTS[self.version]
        begin = 4 * (packet[0] & 15) if self.version == 4 else layout.size
        address = here.packed if here is not None else bytes(layout.address)
        return all(clause.holds(packet, begin, address) for clause in self.clauses)


def parse(text: bytes) -> Filter:
    """The word behind connect. Errors: `bad arg in system call`."""
    try:
        return _filter([part.strip(_BLANKS) for part in text.split(b";")])
    except (ValueError, NetError):
        raise refusal("BAD_ARG") from None


def _filter(parts: list[bytes]) -> Filter:
    clauses = [_halves(part, b"=") for part in parts if part]
    if len(clauses) > MOST_CLAUSES:
        raise ValueError(parts)
    versions = [value for name, value in clauses if name == b"ver"]
    if versions not in ([], [b"4"], [b"6"]):
        raise ValueError(versions)
    version = int(versions[0]) if versions else 4
    made = [_clause(*clause, version) for clause in clauses if clause[0] != b"ver"]
    protocols = [value[0] for clause in made if clause.kind == b"proto" for value in clause.values]
    if sum(clause.kind == b"proto" for clause in made) != 1:
        raise ValueError(parts)
    if _OF_HOST[version].intersection(protocols):
        raise ValueError(protocols)
    return Filter(version, tuple(dict.fromkeys(protocols)), tuple(sorted(made, key=_rank)))


def _rank(clause: Clause) -> tuple[int, int, int, list[int]]:
    """Earlier bytes first, then longer ones, then larger masks."""
    mask = [-byte for byte in clause.mask]
    return _KINDS.index(clause.kind), clause.at, -len(clause.mask), mask


def _clause(name: bytes, text: bytes, version: int) -> Clause:
    layout = LAYOUTS[version]
    values, masked, mask = (part.strip(_BLANKS) for part in text.partition(b"&"))
    places = {b"dst": layout.destination, b"src": layout.source, b"ifc": -layout.address}
    found = _RANGE.fullmatch(name)
    if name in places:
        kind, at, size = name, places[name], layout.address
    elif name == b"proto" and not masked:
        kind, at, size = name, layout.protocol, 1
    elif found is not None:
        kind, first, last = found.groups()
        at = int(first)
        size = int(last or first) + 1 - at
        if size < 1 or at + size - 1 > _MOST:
            raise ValueError(name)
    else:
        raise ValueError(name)
    several = tuple(
        _bytes(value.strip(_BLANKS), size, version if kind in places else 0)
        for value in values.split(b"|")
        if value.strip(_BLANKS)
    )
    if not 0 < len(several) <= MOST_VALUES:
        raise ValueError(text)
    whole = _bytes(mask, size, version if kind in places else 0) if masked else b"\xff" * size
    return Clause(kind, at, whole, several)


def _bytes(text: bytes, size: int, version: int) -> bytes:
    """A value: an address of that version, or hexadecimal digits; zeros follow a shorter one."""
    if version:
        ip = parse_ip(text)
        if ip.version != version:
            raise ValueError(text)
        return ip.packed
    if _HEX.fullmatch(text) is None or len(text) > 2 * size:
        raise ValueError(text)
    return bytes.fromhex(text.decode()).ljust(size, b"\0")


def _halves(text: bytes, at: bytes) -> tuple[bytes, bytes]:
    head, found, tail = text.partition(at)
    if not found:
        raise ValueError(text)
    return head.strip(_BLANKS), tail.strip(_BLANKS)
