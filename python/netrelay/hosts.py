"""Names of this machine's own world as sockets: where to listen, whom to call.

Not the gateway's network: that is asked for by files. `*` is every address of the machine, one
listener for IPv6 and one for IPv4, and a name with several addresses is listened to on each of
them; a family that the machine lacks is left out as long as there is another.
"""

from __future__ import annotations

import asyncio
import errno
import getpass
import os
import socket
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from netrelay.errors import NetError

if TYPE_CHECKING:
    from collections.abc import Callable

# Calls that come while we are busy; the kernel cuts it to net.core.somaxconn.
BACKLOG = 1024
ANY = "*"
_LACKING = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)

_Where = tuple[str | int, ...]


def listen(
    host: str, port: int, prepare: Callable[[socket.socket, str], None]
) -> list[socket.socket]:
    """Listening TCP sockets of `host`, all on one port, which is chosen if it is 0.

    `prepare` gets each socket and its address before it is bound, and may refuse by raising.
    Errors: `NetError`. Blocks on the lookup of a name.
    """
    made: list[socket.socket] = []
    lacking: NetError | None = None
    try:
        for family, where in _own(host, port):
            chosen = made[0].getsockname()[1] if made else port
            try:
                made.append(_listener(family, (where[0], chosen, *where[2:]), prepare))
            except NetError as refusal:
                if refusal.errno not in _LACKING:
                    raise
                lacking = refusal
        if not made:
            raise lacking or NetError(f"can't translate address {host}")
    except BaseException:
        for listener in made:
            listener.close()
        raise
    return made


async def call(host: str, port: int) -> socket.socket:
    """A connected, non-blocking TCP socket: the first address that answers.

    Errors: `NetError` when the name has no address; the host's `OSError` otherwise.
    """
    loop = asyncio.get_running_loop()
    refusal = OSError("no address")
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise NetError(f"can't translate address {host}") from None
    for family, *_, where in found:
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setblocking(False)
        try:
            await loop.sock_connect(made, where)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            made.close()
            refusal = error
        except BaseException:
            made.close()
            raise
        else:
            return made
    raise refusal


async def four(host: str) -> list[IPv4Address]:
    """The IPv4 addresses of `host`. Errors: `NetError` when there is none."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_RAW)
    except (socket.gaierror, UnicodeError):
        raise NetError(f"can't translate address {host}") from None
    return [IPv4Address(where[0]) for *_, where in found]


def own_user() -> str:
    """Who we are; a number where the machine has no name for it, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def words(error: OSError) -> str:
    """What the host said, as the end of a line."""
    return (error.strerror or str(error)).lower()


def _own(host: str, port: int) -> list[tuple[int, _Where]]:
    if host == ANY:
        return [(socket.AF_INET6, ("::", port)), (socket.AF_INET, ("0.0.0.0", port))]  # noqa: S104 (asked for by name: `*`)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError):
        raise NetError(f"can't translate address {host}") from None
    return [(family, (str(where[0]), *where[1:])) for family, *_, where in dict.fromkeys(found)]


def _listener(
    family: int, where: _Where, prepare: Callable[[socket.socket, str], None]
) -> socket.socket:
    address = str(where[0])
    try:
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            prepare(made, address)
            made.bind(where)
            made.listen(BACKLOG)
        except BaseException:
            made.close()
            raise
    except NetError:
        raise
    except OSError as error:
        text = f"can't listen on {address} port {where[1]}: {words(error)}"
        raise NetError(text, error.errno) from None
    return made
