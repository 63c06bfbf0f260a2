"""TCP sockets: how they are made, named and tuned.

Nothing here blocks and nothing here decides. Every socket sends without Nagle's delay, as a Twrite
is the client's own unit. The host's refusals come out as OSError with its errno.
"""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netrelay.reference.net.address import Address, of_socket

if TYPE_CHECKING:
    from netrelay.reference.net.sockets import Sockets

# Completed calls that the host keeps until they are listened for.
BACKLOG: Final = 128
_RESTRICTED: Final = range(600, 1024)


@dataclass(slots=True)
class Tuning:
    """Options of ctl that outlive the socket they were set before."""

    ttl: int | None = None
    tos: int | None = None


def dial(
    sockets: Sockets, remote: Address, local: Address | None, tuning: Tuning, *, restricted: bool
) -> socket.socket:
    """Begin a connection; its outcome is known when the socket becomes writable.

    Errors: OSError when the host refuses at once.
    """
    local = sockets.local(local, remote.ip)
    sock = sockets.make(_family(remote), socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tune(sock, tuning)
        if local is not None:
            _bind(sock, _alike(local, remote), local.port, restricted=restricted)
        elif restricted:
            _bind(sock, _alike(Address(None, 0), remote), 0, restricted=True)
        number = sock.connect_ex((str(remote.ip), remote.port))
        if number not in {0, errno.EINPROGRESS}:
            raise OSError(number, "connect")
    except OSError:
        sock.close()
        raise
    return sock


def announce(
    sockets: Sockets, local: Address, tuning: Tuning, *, restricted: bool
) -> socket.socket:
    """Take calls; without an address at every one of both families, or of IPv4 if that is all.

    Errors: OSError.
    """
    local = sockets.local(local) or local
    if local.ip is not None:
        return _listener(sockets, str(local.ip), local.port, tuning, restricted=restricted)
    try:
        return _listener(sockets, "::", local.port, tuning, restricted=restricted)
    except OSError as err:
        if err.errno not in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}:
            raise
    every = "0.0.0.0"  # noqa: S104  it is asked for
    return _listener(sockets, every, local.port, tuning, restricted=restricted)


def probe(sockets: Sockets, local: Address, *, restricted: bool) -> None:
    """Check that `local` may be bound, without taking it. Errors: OSError."""
    local = sockets.local(local) or local
    with sockets.make(_family(local), socket.SOCK_STREAM) as sock:
        _bind(sock, str(local.ip or "::"), local.port, restricted=restricted)


def accept(listener: socket.socket) -> socket.socket:
    """One call off a listener. Errors: BlockingIOError when none waits, OSError."""
    while True:
        try:
            sock, _ = listener.accept()
        except ConnectionAbortedError:
            continue
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


def local_of(sock: socket.socket) -> Address:
    """The socket's own address."""
    return of_socket(sock.getsockname())


def remote_of(sock: socket.socket) -> Address | None:
    """The address of the other end; none if it has gone already."""
    try:
        return of_socket(sock.getpeername())
    except OSError:
        return None


def keep_alive(sock: socket.socket, interval_ms: int) -> None:
    """Probe the other end after so long a silence; the host counts whole seconds, 1 to 32767."""
    seconds = min(max(interval_ms // 1000, 1), 32767)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, seconds)


def tune(sock: socket.socket, tuning: Tuning) -> None:
    """Apply ttl and tos. Errors: OSError."""
    six = sock.family == socket.AF_INET6
    if tuning.ttl is not None:
        # 0 is no hop count that the host takes; nothing would leave with it either way.
        hops = max(tuning.ttl, 1)
        if six:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)
    if tuning.tos is not None:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tuning.tos)


def _listener(
    sockets: Sockets, host: str, port: int, tuning: Tuning, *, restricted: bool
) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = sockets.make(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        tune(sock, tuning)
        _bind(sock, host, port, restricted=restricted)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _bind(sock: socket.socket, host: str, port: int, *, restricted: bool) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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


def _family(address: Address) -> socket.AddressFamily:
    four = address.ip is not None and address.ip.version == 4
    return socket.AF_INET if four else socket.AF_INET6


def _alike(local: Address, remote: Address) -> str:
    """The local address in the family of the remote one, as far as it names none."""
    if local.ip is not None:
        return str(local.ip)
    return "0.0.0.0" if _family(remote) == socket.AF_INET else "::"  # noqa: S104  any, to call from
