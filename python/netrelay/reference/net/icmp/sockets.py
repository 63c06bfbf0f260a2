"""Sockets of ICMP: raw ones with a filter for an id, and ping sockets, which have it as their port.

A ping socket (icmp(7)) is what anybody may have whom the host's `ping_group_range` names, and the
kernel lets no more than echo requests and their replies through it. Nothing here blocks. Errors:
OSError; EPERM where the gateway may have neither.
"""

from __future__ import annotations

import errno
import random
import socket
from itertools import chain
from typing import TYPE_CHECKING, Final

from netrelay.reference.net.address import NOWHERE, Address
from netrelay.reference.net.icmp.header import V4, Version
from netrelay.reference.net.packets import advice, raw
from netrelay.reference.net.packets.packet import name_of
from netrelay.reference.net.packets.sockets import prepare

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from netrelay.reference.net.sockets import Sockets
    from netrelay.reference.net.tuning import Tuning

# Where the id is in a message.
_ID: Final = 4
# The ids that are chosen from, and those that `!r` chooses from.
_CHOSEN: Final = range(32768, 65536)
_RESTRICTED: Final = range(600, 1024)


def dial(
    sockets: Sockets,
    version: Version,
    remote: Address,
    local: Address | None,
    tuning: Tuning,
    *,
    all_types: bool,
) -> socket.socket:
    """A socket for what one host sends; the port of `local` is the id."""
    local = sockets.local(local, remote.ip) or NOWHERE
    sock = announce(sockets, version, local, tuning, all_types=all_types)
    try:
        advice.ask_for(sock)
        sock.connect(name_of(sock, remote))
    except OSError:
        sock.close()
        raise
    return sock


def announce(
    sockets: Sockets, version: Version, local: Address, tuning: Tuning, *, all_types: bool
) -> socket.socket:
    """A socket for what anybody sends with the id that is the port of `local`."""
    local = sockets.local(local) or local
    if not all_types:
        try:
            sock = sockets.make(version.family, socket.SOCK_DGRAM, version.protocol)
        except PermissionError:  # the host's ping_group_range is not for us
            return _raw(sockets, version, local, tuning, (version.reply,))
        try:
            prepare(sock, tuning)
            raw.ask_for_header(sock)
            sock.bind(name_of(sock, local))
        except OSError:
            sock.close()
            raise
        return sock
    return _raw(sockets, version, local, tuning, ())


def candidates(wanted: int, taken: set[Hashable], *, restricted: bool) -> Iterable[int]:
    """The ids to try, in order. Errors: OSError of one that is taken."""
    if wanted:
        if wanted in taken:
            raise OSError(errno.EADDRINUSE, "the id of another conversation")
        return [wanted]
    begin = random.randrange(len(_CHOSEN))  # noqa: S311 (no secret)
    choice = reversed(_RESTRICTED) if restricted else chain(_CHOSEN[begin:], _CHOSEN[:begin])
    return (each for each in choice if each not in taken)


def unread(sock: socket.socket, version: Version) -> int:
    """Bytes of the next packet with its header; a ping socket has no ioctl to say so."""
    try:
        size = len(sock.recv(1 << 16, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except OSError:
        return 0
    return size if headed(sock, version) else size + version.header


def headed(sock: socket.socket, version: Version) -> bool:
    """Whether the host hands out the IP header too."""
    return version is V4 and sock.type == socket.SOCK_RAW


def _raw(
    sockets: Sockets, version: Version, local: Address, tuning: Tuning, only: tuple[int, ...]
) -> socket.socket:
    program = _program(version, local.port, only)
    sock = raw.raw(sockets, (version.family, version.protocol), local.ip, program, tuning)
    raw.ask_for_header(sock)
    return sock


def _program(version: Version, number: int, only: tuple[int, ...]) -> list[raw.Step]:
    """Lets through what has the id: of the types `only`, or of all but those never taken."""
    steps: list[raw.Step] = [raw.behind_ip(version.family), (raw.BYTE, 0, 0, 0)]
    if only:
        steps += [(raw.IF_EQUAL, 0, 3, each) for each in only]
    else:
        # From each on, the others, two steps and `ALL` are to be skipped.
        ahead = range(len(version.never) + 2, 2, -1)
        steps += [
            (raw.IF_EQUAL, skip, 0, each) for skip, each in zip(ahead, version.never, strict=True)
        ]
    return [
        *steps,
        (raw.HALF, 0, 0, _ID),
        (raw.IF_EQUAL, 0, 1, number),
        raw.ALL,
        raw.NOTHING,
    ]
