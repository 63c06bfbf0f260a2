"""Listening sockets for a gateway, made and checked before the core gets them.

Off loopback a listener without authentication is an open relay, so it is refused unless the
operator has said so in so many words. A Unix socket is mode 0600; one that a dead gateway has left
behind is taken over, one that a living gateway serves is not. Accepting is the core's, but for IL,
whose sessions the core is given one by one.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from netrelay import hosts
from netrelay.errors import NetError, UsageError
from netrelay.il.listener import Listener
from netrelay.names.dialstring import IlAddress, TcpAddress, UnixAddress

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.il.machine import IlFactory

# Keepalive probes are sent this often until the session's timeout is over.
PROBES = 3

log = logging.getLogger("netrelay.gateway")


def listen(
    address: TcpAddress | UnixAddress, *, insecure_no_auth: bool, session_timeout_s: int
) -> list[socket.socket]:
    """Bound, listening sockets of one address: one, or two for `*` (IPv6 and IPv4).

    Errors: `UsageError` off loopback without `insecure_no_auth`; `NetError` of the host.
    """
    match address:
        case UnixAddress(path):
            return [_listen_unix(path)]
        case TcpAddress(host, port):
            return _listen_tcp(host, port, insecure_no_auth, session_timeout_s)


async def listen_il(
    address: IlAddress, il: IlFactory, serve: Callable[[int], None], *, insecure_no_auth: bool
) -> list[Listener]:
    """The listeners of one address, on one port; `serve` gets the descriptor of each session.

    Errors: as `listen`.
    """
    anywhere = address.host == hosts.ANY
    own = [None] if anywhere else await hosts.four(address.host)
    made: list[Listener] = []
    try:
        for host in own:
            port = made[0].port if made else address.port
            _guard(IlAddress(str(host or "0.0.0.0"), port), insecure_no_auth)  # noqa: S104 (asked for by name: `*`)
            made.append(Listener(host, port, il, serve))
    except BaseException:
        for listener in made:
            listener.stop()
        raise
    return made


def bound_address(listener: socket.socket) -> TcpAddress | UnixAddress:
    """Where a listener came to be: the port is the one that was chosen."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return UnixAddress(name)
    return TcpAddress(name[0], name[1])


def _listen_tcp(
    host: str, port: int, insecure_no_auth: bool, session_timeout_s: int
) -> list[socket.socket]:
    def prepare(listener: socket.socket, address: str) -> None:
        _guard(TcpAddress(address, port), insecure_no_auth)
        _prepare(listener, session_timeout_s)

    return hosts.listen(host, port, prepare)


def _guard(where: TcpAddress | IlAddress, insecure_no_auth: bool) -> None:
    if ipaddress.ip_address(where.host.partition("%")[0]).is_loopback:
        return
    if not insecure_no_auth:
        raise UsageError(
            f"{where} is not loopback and there is no authentication: "
            "listen on tcp!127.0.0.1!PORT or unix!/path, or say --insecure-no-auth"
        )
    log.warning(
        "WARNING: open relay: whoever reaches %s may use this machine's network "
        "(--insecure-no-auth)", where,
    )  # fmt: skip


def _prepare(listener: socket.socket, session_timeout_s: int) -> None:
    """Set what accepted sockets inherit: a dead importer must not hold its ports forever."""
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    pause_s = max(1, session_timeout_s // PROBES)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, pause_s)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, pause_s)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
    # Unacknowledged data and unanswered probes both end the session in this time (tcp(7)).
    timeout_ms = session_timeout_s * 1000
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)


def _listen_unix(path: str) -> socket.socket:
    _remove_stale(Path(path))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)  # the mode must be right from the first moment
    try:
        listener.bind(path)
        listener.listen(hosts.BACKLOG)
    except OSError as error:
        listener.close()
        raise NetError(f"can't listen on unix!{path}: {hosts.words(error)}", error.errno) from None
    finally:
        os.umask(mask)
    return listener


def _remove_stale(path: Path) -> None:
    """Remove the socket of a gateway that is gone; leave everything else alone."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return
    except OSError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except OSError:
            return
