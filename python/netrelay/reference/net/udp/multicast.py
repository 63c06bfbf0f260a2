"""Which groups a socket belongs to, and the interfaces by which it does (docs/tree.md 10).

An interface is named by an address that it has; two may have the same one, of which a stack of
one interface means its own. Memberships end with the socket.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from netrelay.reference.net.address import Address, Ip
from netrelay.reference.net.binding import family_of
from netrelay.reference.net.packets.sources import interface_of
from netrelay.reference.net.refusal import of_host, refusal

if TYPE_CHECKING:
    from netrelay.reference.net.sockets import Sockets

_ANY: Final = ipaddress.IPv4Address(0)


class Membership(NamedTuple):
    """A group, and an address of the interface."""

    group: Ip
    interface: Ip


def membership(group: Ip | None, interface: Ip) -> Membership:
    """One that makes sense. Errors: as listed in docs/tree.md."""
    if group is None or not group.is_multicast:
        raise refusal("NOT_MULTICAST")
    if group.version != interface.version:
        raise refusal("INCOMPATIBLE_MULTICAST")
    return Membership(group, interface)


class Groups:
    """The memberships of one conversation, before it has a socket and after."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets
        self._wanted: list[Membership] = []

    def add(self, wanted: Membership, sock: socket.socket | None) -> None:
        """Join, or remember to; a second time is nothing new. Errors: as listed in docs/tree.md."""
        self._check(wanted)
        if sock is not None:
            self._join(wanted, sock)
        if wanted not in self._wanted:
            self._wanted.append(wanted)

    def remove(self, wanted: Membership, sock: socket.socket | None) -> None:
        """Leave; a group that was not joined is left already."""
        if wanted in self._wanted:
            self._wanted.remove(wanted)
            if sock is not None:
                with contextlib.suppress(OSError):  # the interface may be gone
                    self._change(wanted, sock, socket.IP_DROP_MEMBERSHIP, socket.IPV6_LEAVE_GROUP)

    def join_all(self, sock: socket.socket) -> None:
        """The socket is there. Errors: as listed in docs/tree.md."""
        for wanted in self._wanted:
            self._join(wanted, sock)

    def _check(self, wanted: Membership) -> None:
        """Whether the stack has that interface: whether it could send by it."""
        ip = wanted.interface
        try:
            self._sockets.local(Address(ip, 0))
            number = interface_of(self._sockets, ip)
            with self._sockets.make(family_of(ip), socket.SOCK_DGRAM) as probe:
                if ip.version == 4:
                    by = _mreqn(_ANY, ip, number)
                    probe.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, by)
                else:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, number)
        except OSError:
            raise refusal("NOT_LOCAL") from None

    def _join(self, wanted: Membership, sock: socket.socket) -> None:
        if wanted.group.version == 6 and sock.family == socket.AF_INET:
            raise refusal("INCOMPATIBLE_MULTICAST")
        try:
            self._change(wanted, sock, socket.IP_ADD_MEMBERSHIP, socket.IPV6_JOIN_GROUP)
        except OSError as err:
            if err.errno == errno.ENODEV:
                raise refusal("NOT_LOCAL") from None
            if err.errno != errno.EADDRINUSE:  # that it is in the group already
                raise of_host(err.errno) from None

    def _change(self, wanted: Membership, sock: socket.socket, four: int, six: int) -> None:
        group, interface = wanted
        number = interface_of(self._sockets, interface)
        if group.version == 4:
            sock.setsockopt(socket.IPPROTO_IP, four, _mreqn(group, interface, number))
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, six, group.packed + struct.pack("=I", number))


def _mreqn(group: Ip, interface: Ip, number: int) -> bytes:
    return group.packed + interface.packed + struct.pack("=i", number)
