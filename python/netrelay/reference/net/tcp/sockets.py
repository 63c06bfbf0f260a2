"""TCP sockets: how they are made, named and tuned.

Nothing here blocks and nothing here decides. Every socket sends without Nagle's delay, as a Twrite
is the client's own unit. The host's refusals come out as OSError with its errno.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Final

from netrelay.reference.net import binding
from netrelay.reference.net.address import NOWHERE, Address, of_socket
from netrelay.reference.net.tuning import Tuning, tune

if TYPE_CHECKING:
    from netrelay.reference.net.sockets import Sockets

# Completed calls that the host keeps until they are listened for.
BACKLOG: Final = 128


def dial(
    sockets: Sockets, remote: Address, local: Address | None, tuning: Tuning, *, restricted: bool
) -> socket.socket:
    """Begin a connection; its outcome is known when the socket becomes writable.

    Errors: OSError when the host refuses at once.
    """
    local = sockets.local(local, remote.ip)
    sock = sockets.make(binding.family_of(remote.ip), socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tune(sock, tuning)
        if local is not None or restricted:
            local = local or NOWHERE
            _bind(sock, binding.host_of(local, remote.ip), local.port, restricted=restricted)
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
    return binding.announced(
        local, lambda host: _listener(sockets, host, local.port, tuning, restricted=restricted)
    )


def probe(sockets: Sockets, local: Address, *, restricted: bool) -> None:
    """Check that `local` may be bound, without taking it. Errors: OSError."""
    local = sockets.local(local) or local
    with sockets.make(binding.family_of(local.ip), socket.SOCK_STREAM) as sock:
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
    # The port of calls that have just ended may be had again.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    binding.bind(sock, host, port, restricted=restricted)
