"""Which frames a slot takes, as a program of the kernel's packet filter (packet(7))."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netrelay.reference.net.packets.raw import ALL, HALF, IF_ANY_OF, IF_EQUAL, NOTHING, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

# Where frames go, as linux/if_packet.h numbers it.
_HOST, _OTHER_HOST, _OUTGOING = 0, 3, 4
_TCP: Final = 6
_IPV4, _IPV6 = 0x0800, 0x86DD
_SKIP: Final = 0x05
# These load what is that far behind the frame's begin.
_BYTE_AT, _HALF_AT = 0x30, 0x28
_TYPE: Final[Step] = (_HALF_AT, 0, 0, 12)
# X is the length of the IPv4 header.
_HEADER_LENGTH: Final[Step] = (0xB1, 0, 0, 14)
_FRAGMENT_OFFSET: Final = 0x1FFF
# Where the ports of a segment are.
_FROM, _TO = 0, 2


@dataclass(slots=True)
class Wanted:
    """What a slot was told to take: frames of a type alone, or all where it is not above 0."""

    kind: int = 0
    # Frames for other stations too, and those that this machine sends.
    promiscuous: bool = False
    # No frames for this machine.
    bridge: bool = False


def program(wanted: Wanted, ports: Sequence[int]) -> list[Step]:
    """Lets through what is wanted, but for what goes to and from `ports` of this machine.

    Those are what the gateway itself listens on: who captured the session that carries the
    capture would never end.
    """
    steps = [_PACKET_TYPE]
    if not wanted.promiscuous:
        steps += [*_when(_OTHER_HOST, [NOTHING]), *_when(_OUTGOING, [NOTHING])]
    if wanted.bridge:
        steps += _when(_HOST, [NOTHING])
    if wanted.kind > 0:
        # The type of a frame whose VLAN tag was taken off is its tag's.
        steps += [_TAG_PRESENT, (IF_EQUAL, 2, 0, 0), _TAG_TYPE, (_SKIP, 0, 0, 1), _TYPE]
        steps += [(IF_EQUAL, 1, 0, wanted.kind), NOTHING]
    if ports:
        for way, end in ((_HOST, _TO), (_OUTGOING, _FROM)):
            steps += [_PACKET_TYPE, *_when(way, [*_four(ports, end), *_six(ports, end)])]
    return [*steps, ALL]


def _four(ports: Sequence[int], end: int) -> list[Step]:
    """Refuses segments of TCP over IPv4 whose port at `end` is one of `ports`."""
    segment = [_HEADER_LENGTH, (HALF, 0, 0, 14 + end), *_any_of(ports)]
    # Only the first fragment has ports.
    first = [(_HALF_AT, 0, 0, 20), (IF_ANY_OF, 0, 1, _FRAGMENT_OFFSET), _over(segment), *segment]
    return [_TYPE, *_when(_IPV4, [(_BYTE_AT, 0, 0, 23), *_when(_TCP, first)])]


def _six(ports: Sequence[int], end: int) -> list[Step]:
    """The same over IPv6, where nothing is between the headers."""
    segment = [(_HALF_AT, 0, 0, 54 + end), *_any_of(ports)]
    return [_TYPE, *_when(_IPV6, [(_BYTE_AT, 0, 0, 20), *_when(_TCP, segment)])]


def _any_of(ports: Sequence[int]) -> list[Step]:
    return [step for port in ports for step in _when(port, [NOTHING])]


def _when(number: int, steps: Sequence[Step]) -> list[Step]:
    """Runs the steps if what is loaded is `number`."""
    return [(IF_EQUAL, 1, 0, number), _over(steps), *steps]


def _over(steps: Sequence[Step]) -> Step:
    """Skips the steps, which may be more than a comparison can skip."""
    return (_SKIP, 0, 0, len(steps))


def _known(what: int) -> Step:
    """Loads what the kernel knows beside the bytes (SKF_AD_OFF of linux/filter.h)."""
    return (0x20, 0, 0, 0xFFFF_F000 + what)


_PACKET_TYPE, _TAG_PRESENT, _TAG_TYPE = _known(4), _known(48), _known(60)
