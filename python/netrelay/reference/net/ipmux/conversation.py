"""One ipmux conversation: whole IP packets of the protocols of its filter (ip(3), docs/raw.md).

A socket of Linux is of one protocol, so there is one for each. What the host's own protocols have
is copied to them and not diverted. A packet of IPv6 is handed out without its header, which is made
of what the host tells beside it.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
from typing import TYPE_CHECKING, ClassVar, Final, cast

from netrelay.reference.net.address import NOWHERE, Address
from netrelay.reference.net.conversation import State
from netrelay.reference.net.ipmux.filters import LAYOUTS
from netrelay.reference.net.ipmux.verbs import VERBS, Choose
from netrelay.reference.net.packets import raw, sockets
from netrelay.reference.net.packets.conversation import PacketConversation
from netrelay.reference.net.packets.packet import receive
from netrelay.reference.net.packets.sources import check_local, check_route, send_between
from netrelay.reference.net.protocol import IPMUX
from netrelay.reference.net.refusal import refusal
from netrelay.reference.net.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Hashable

    from netrelay.reference.net import ctl
    from netrelay.reference.net.address import Ip
    from netrelay.reference.net.conversation import Surroundings
    from netrelay.reference.net.ipmux.filters import Filter
    from netrelay.reference.net.packets.packet import Packet
    from netrelay.reference.net.qids import Place

_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}
# What an interface of none is bound to, by version.
_ANY: Final = {4: "0.0.0.0", 6: "::"}  # noqa: S104
_MOST6: Final = 65535
_LENGTH6: Final = struct.Struct(">H")
# Of an IPv4 header without options.
_PLAIN: Final = 0x45


class IpmuxConversation(PacketConversation):
    """A numbered directory of `/net/ipmux` in use."""

    IDLE = "\n"
    VERBS: ClassVar[ctl.Verbs] = VERBS

    def __init__(self, around: Surroundings, place: Place, owner: str) -> None:
        super().__init__(around, place, owner)
        self._filter: Filter | None = None
        # By which packets leave; it sends headers as they are written (raw(7)).
        self._sender: socket.socket | None = None
        # Behind the first protocol's, which is the conversation's own.
        self._others: list[Watch] = []
        # Packets that a protocol's socket had no room for.
        self._lost_of: dict[int, int] = {}
        # Whose socket is looked at first: they take turns.
        self._turn = 0

    @staticmethod
    def stats(around: Surroundings, _most: int) -> str:
        """The text of the protocol's stats: the filters of all, by number."""
        taken = cast("set[tuple[int, str]]", around.taken(IPMUX.number))
        return "".join(text for _, text in sorted(taken))

    # sockets

    def _permit(self) -> None:
        self._around.check_grant("ipmux")

    def _socket(self, version: int, protocol: int, program: list[raw.Step]) -> socket.socket:
        local = self._around.sockets.local(None, ipaddress.ip_address(_ANY[version]))
        kind = (_FAMILIES[version], protocol)
        own = local.ip if local is not None else None
        sock = raw.raw(self._around.sockets, kind, own, program, self._tuning)
        try:
            raw.ask_for_header(sock)
        except OSError:
            sock.close()
            raise
        return sock

    def _choose(self, wanted: Filter) -> socket.socket:
        """The sockets of a filter, the first of which is the conversation's. Errors: OSError."""
        socks: list[socket.socket] = []
        try:
            socks.append(self._socket(wanted.version, socket.IPPROTO_RAW, [raw.NOTHING]))
            for protocol in wanted.protocols:
                socks.append(self._socket(wanted.version, protocol, [raw.ALL]))  # noqa: PERF401
        except OSError:
            for sock in socks:
                sock.close()
            raise
        self._filter = wanted
        self._sender, first, *others = socks
        self._others = [Watch(self._around.loop, sock) for sock in others]
        self._taken.add((self.place.number, wanted.text))
        return first

    def _dial(self, remote: Address, local: Address | None, *, restricted: bool) -> socket.socket:
        raise refusal("BAD_ARG")

    def _announced(self, local: Address, *, restricted: bool) -> socket.socket:
        raise refusal("IPMUX_ANNOUNCE")

    def _probe(self, local: Address, *, restricted: bool) -> None:
        check_local(self._around.sockets, local)

    def _close(self) -> None:
        if self._watch is not None and self._filter is not None:
            lost = (sockets.lost(sock) for sock in self._sockets(self._watch.sock))
            self._count_lost(sum(lost))
            self._taken.discard((self.place.number, self._filter.text))
        super()._close()
        if self._sender is not None:
            self._sender.close()
            self._sender = None
        for other in self._others:
            other.close()
        self._others.clear()

    def _name(self, sock: socket.socket) -> Address:
        return NOWHERE

    @property
    def _taken(self) -> set[Hashable]:
        return self._around.taken(self.place.protocol)

    def _sockets(self, first: socket.socket) -> list[socket.socket]:
        return [first, *(other.sock for other in self._others)]

    # ctl

    def _own(self, command: ctl.Command) -> None:
        if not isinstance(command, Choose):
            return
        if self.state is not State.IDLE:
            raise refusal("CONNECTION_IN_USE")
        self._permit()
        self._dialled(NOWHERE, lambda: self._choose(command.filter))

    @property
    def status(self) -> str:
        """The text of status."""
        return self.IDLE if self._watch is None or self._filter is None else self._filter.text

    # data

    def _await_input(self) -> None:
        super()._await_input()
        wanted = self._carries and self._reads.ready
        for other in self._others:
            other.readable(self.serve_reads if wanted else None)

    def _receive(self, sock: socket.socket) -> Packet:
        # A socket does not say with a packet of which protocol it is.
        queues = list(zip(self._sockets(sock), self._protocols, strict=True))
        for _ in queues:
            each, protocol = queues[self._turn]
            self._turn = (self._turn + 1) % len(queues)
            try:
                packet = receive(each)
            except BlockingIOError:
                continue
            self._lost_of[protocol] = packet.lost
            remote = packet.remote._replace(port=protocol)
            return packet._replace(remote=remote, lost=sum(self._lost_of.values()))
        raise BlockingIOError

    @property
    def _protocols(self) -> tuple[int, ...]:
        return self._filter.protocols if self._filter is not None else ()

    def _text(self, packet: Packet) -> bytes | None:
        if self._filter is None:
            return None
        data = packet.data
        if self._filter.version == 6:
            data = raw.header6(packet, packet.remote.port, len(data)) + data
        here = packet.here
        if here is None and packet.remote.ip is not None:
            with contextlib.suppress(OSError):
                here = check_route(self._around.sockets, packet.remote.ip, packet.interface)
        if not self._filter.accepts(data, here):
            return None
        return _mapped(here) + data

    def _send(self, sock: socket.socket, data: bytes) -> bool:
        if self._filter is None or self._sender is None:
            raise refusal("HUNGUP")
        layout = LAYOUTS[self._filter.version]
        if len(data) < layout.size or data[0] >> 4 != self._filter.version:
            return False
        four = self._filter.version == 4
        if four and not layout.size <= 4 * (data[0] & 15) <= len(data):
            return False
        # Options could name other hosts to pass by.
        if data[layout.protocol] not in self._filter.protocols or (four and data[0] != _PLAIN):
            raise refusal("PERMISSION_DENIED")
        source, to = (
            ipaddress.ip_address(data[at : at + layout.address])
            for at in (layout.source, layout.destination)
        )
        self._around.check_dial(to)
        if not int(source):
            source = self._around.sockets.address or check_route(self._around.sockets, to) or source
        end = layout.source + layout.address
        packet = data[: layout.source] + source.packed + data[end:]
        if not four:
            size = len(data) - layout.size
            if size > _MOST6:
                raise refusal("TOO_LARGE")
            packet = packet[:4] + _LENGTH6.pack(size) + packet[6:]
        send_between(self._around.sockets, self._sender, source, to, packet)
        return True


def _mapped(ip: Ip | None) -> bytes:
    """An address as 16 bytes."""
    if ip is None:
        return bytes(16)
    return ip.packed if ip.version == 6 else bytes(10) + b"\xff\xff" + ip.packed
