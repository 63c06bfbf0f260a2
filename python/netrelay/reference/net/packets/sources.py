"""Which addresses a packet may be sent from, and by which interface (docs/tree.md 10)."""

from __future__ import annotations

import array
import errno
import fcntl
import ipaddress
import socket
import struct
from typing import TYPE_CHECKING, Final

from netrelay.reference.net import binding
from netrelay.reference.net.address import Address, Ip, of_socket, unmapped
from netrelay.reference.net.packets.packet import name_of, send
from netrelay.reference.net.refusal import refusal

if TYPE_CHECKING:
    from netrelay.reference.net.sockets import Sockets

_SIOCGIFCONF: Final = 0x8912  # linux/sockios.h
_IFCONF: Final = struct.Struct("@iP")
# A name, then a sockaddr_in: family, port and address, all padded to 40 bytes.
_IFREQ: Final = struct.Struct("=16s4x4s16x")
# Of some 1600 addresses; the host leaves out what finds no room.
_ROOM: Final = 64 << 10
# Nothing is sent there.
_ANY_PORT: Final = 9


def check_own(sockets: Sockets, ip: Ip) -> None:
    """Whether it is a unicast address of the stack's. Errors: `not a local IP address`."""
    try:
        sockets.local(Address(ip, 0))
        interface_of(sockets, ip)
        if ip.version == 6:
            return
        with sockets.make(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((str(ip), 0))
            # What is for many can be bound to, but not called by who has not asked for that.
            probe.connect((str(ip), _ANY_PORT))
    except OSError:
        raise refusal("NOT_LOCAL") from None
    if ip.is_multicast:
        raise refusal("NOT_LOCAL")


def check_local(sockets: Sockets, local: Address) -> None:
    """Whether a local address may be had. Errors: OSError."""
    local = sockets.local(local) or local
    if local.ip is not None:
        with sockets.make(binding.family_of(local.ip), socket.SOCK_DGRAM) as probe:
            probe.bind(name_of(probe, local._replace(port=0)))


def check_route(sockets: Sockets, to: Ip, interface: int = 0) -> Ip | None:
    """The address from which the host would send to one. Errors: OSError if it can't."""
    with sockets.make(binding.family_of(to), socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        probe.connect(name_of(probe, Address(to, _ANY_PORT), interface))
        return of_socket(probe.getsockname()).ip


def send_between(sockets: Sockets, sock: socket.socket, source: Ip, to: Ip, data: bytes) -> None:
    """Send one packet from an address; zeros are chosen by the host.

    Errors: `not a local IP address`, and OSError.
    """
    if unmapped(to).version != to.version:
        raise OSError(errno.ENETUNREACH, "another family")
    interface = 0
    if int(source):
        check_own(sockets, source)
        interface = sending_by(sockets, to, source)
    send(sock, data, Address(to, 0), source if int(source) else None, interface)


def interface_of(sockets: Sockets, ip: Ip) -> int:
    """The number of the stack's interface that has an address; 0 where the host finds it by that.

    Errors: OSError if none has.
    """
    if ip.version == 4:
        if sockets.device is None:
            return 0
        if (sockets.device, ip) in _fours(sockets):
            return socket.if_nametoindex(sockets.device)
    else:
        for line in sockets.proc("if_inet6").splitlines():
            address, number, *_, name = line.split()
            own = sockets.device in (None, name)
            if own and ipaddress.IPv6Address(bytes.fromhex(address)) == ip:
                return int(number, 16)
    raise OSError(errno.ENODEV, "no interface has it")


def _fours(sockets: Sockets) -> set[tuple[str, Ip]]:
    """All addresses of IPv4, each with its interface (netdevice(7), SIOCGIFCONF)."""
    room = array.array("B", bytes(_ROOM))
    address, _ = room.buffer_info()
    with sockets.make(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        told = fcntl.ioctl(probe, _SIOCGIFCONF, _IFCONF.pack(_ROOM, address))
    length, _ = _IFCONF.unpack(told)
    found: set[tuple[str, Ip]] = set()
    for label, four in _IFREQ.iter_unpack(room.tobytes()[:length]):
        # An address is listed by its label, `eth0:1`.
        name = label.partition(b"\0")[0].decode().partition(":")[0]
        found.add((name, ipaddress.IPv4Address(four)))
    return found


def sending_by(sockets: Sockets, to: Ip, source: Ip) -> int:
    """The interface by which a packet from `source` has to leave; 0 where the route says it.

    Errors: OSError if there is none.
    """
    near = to.version == 6 and (to.is_multicast or to.is_link_local)
    return interface_of(sockets, source) if near else 0
