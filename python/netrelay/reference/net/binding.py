"""The local end of a socket, as connect, announce and bind ask for it (ip(3), docs/tree.md 5).

Nothing here knows a protocol: who makes the socket says of which kind it is and whether its port
may be shared. The host's refusals come out as OSError with its errno.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Final

from netrelay.reference.net.address import Address, Ip, of_socket

if TYPE_CHECKING:
    from collections.abc import Callable

_RESTRICTED: Final = range(600, 1024)
_EVERY_IPV4: Final = "0.0.0.0"  # noqa: S104  it is asked for
# What a host without IPv6 says of `::`.
_NO_IPV6: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


def family_of(ip: Ip | None) -> socket.AddressFamily:
    """The family of a socket for an address; any address is one of IPv6."""
    return socket.AF_INET if ip is not None and ip.version == 4 else socket.AF_INET6


def host_of(local: Address, remote: Ip | None) -> str:
    """The local address in the family of the remote one, as far as it names none."""
    if local.ip is not None:
        return str(local.ip)
    return _EVERY_IPV4 if family_of(remote) == socket.AF_INET else "::"


def bind(sock: socket.socket, host: str, port: int, *, restricted: bool) -> None:
    """Take a local address; a restricted port that is not given is a low one. Errors: OSError."""
    if port or not restricted:
        sock.bind((host, port))
        return
    for candidate in reversed(_RESTRICTED):
        try:
            sock.bind((host, candidate))
        except OSError as err:
            if err.errno != errno.EADDRINUSE:
                raise
        else:
            return
    raise OSError(errno.EADDRNOTAVAIL, "bind")


def announced(local: Address, make: Callable[[str], socket.socket]) -> socket.socket:
    """What `make` makes of a local host; without an address that is every one of both families.

    Where there is no IPv6 it is every one of IPv4. Errors: OSError.
    """
    if local.ip is not None:
        return make(str(local.ip))
    try:
        return make("::")
    except OSError as err:
        if err.errno not in _NO_IPV6:
            raise
    return make(_EVERY_IPV4)


def local_of(sock: socket.socket) -> Address:
    """The socket's own address."""
    return of_socket(sock.getsockname())
