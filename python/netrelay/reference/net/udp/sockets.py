"""UDP sockets: with one peer, for whoever sends, and for one caller beside an announced one.

Nothing here blocks and nothing here decides. A port is one socket's, so that nobody else gets a
share of its datagrams; only callers share the announced one's. Errors: OSError.
"""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from netrelay.reference.net import binding
from netrelay.reference.net.address import NOWHERE, Address
from netrelay.reference.net.packets import advice
from netrelay.reference.net.packets.packet import Packet, name_of
from netrelay.reference.net.packets.sockets import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netrelay.reference.net.sockets import Sockets
    from netrelay.reference.net.tuning import Tuning


def dial(
    sockets: Sockets, remote: Address, local: Address | None, tuning: Tuning, *, restricted: bool
) -> socket.socket:
    """A socket for one peer."""
    local = sockets.local(local, remote.ip)
    sock = sockets.make(binding.family_of(remote.ip), socket.SOCK_DGRAM)
    try:
        prepare(sock, tuning)
        if local is not None or restricted:
            local = local or NOWHERE
            host = binding.host_of(local, remote.ip)
            binding.bind(sock, host, local.port, restricted=restricted)
        _connect(sock, remote)
    except OSError:
        sock.close()
        raise
    return sock


def announce(
    sockets: Sockets, local: Address, tuning: Tuning, *, restricted: bool
) -> socket.socket:
    """A socket for whoever sends."""
    local = sockets.local(local) or local

    def make(host: str) -> socket.socket:
        return _bound(sockets, host, local.port, tuning, restricted=restricted)

    return binding.announced(local, make)


def probe(sockets: Sockets, local: Address, *, restricted: bool) -> None:
    """Check that `local` may be bound, without taking it."""
    local = sockets.local(local) or local

    def make(host: str) -> socket.socket:
        return _bound(sockets, host, local.port, None, restricted=restricted)

    binding.announced(local, make).close()


def call(
    sockets: Sockets, announced: socket.socket, packet: Packet, tuning: Tuning
) -> socket.socket:
    """A socket for the sender of a datagram, at the address to which that was sent.

    Between its binding and its connecting it may have got datagrams of others.
    """
    sock = sockets.make(binding.family_of(packet.remote.ip), socket.SOCK_DGRAM)
    try:
        prepare(sock, tuning)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with _port_shared(announced):
            sock.bind(name_of(sock, packet.local, packet.interface))
        _connect(sock, packet.remote, packet.interface)
    except OSError:
        sock.close()
        raise
    return sock


def _connect(sock: socket.socket, remote: Address, interface: int = 0) -> None:
    advice.ask_for(sock)
    sock.connect(name_of(sock, remote, interface))


def _bound(
    sockets: Sockets, host: str, port: int, tuning: Tuning | None, *, restricted: bool
) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = sockets.make(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        if tuning is not None:
            prepare(sock, tuning)
        binding.bind(sock, host, port, restricted=restricted)
    except OSError:
        sock.close()
        raise
    return sock


@contextmanager
def _port_shared(announced: socket.socket) -> Iterator[None]:
    """While the block lasts, and no longer, others may bind to its port."""
    announced.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        yield
    finally:
        announced.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
