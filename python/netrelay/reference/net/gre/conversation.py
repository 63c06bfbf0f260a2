"""One gre conversation (ip(3), docs/raw.md).

It is with one host and about one encapsulated protocol, and no other conversation of the stack is
about both. Its socket is not connected, as `raw` lets it hear anybody at any time.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import TYPE_CHECKING, ClassVar, Final

from netrelay.reference.net import binding, ctl
from netrelay.reference.net.address import NOWHERE, Address
from netrelay.reference.net.gre.verbs import VERBS, Raw
from netrelay.reference.net.packets import advice, raw
from netrelay.reference.net.packets.conversation import PacketConversation
from netrelay.reference.net.packets.sources import check_local, check_route, send_between
from netrelay.reference.net.protocol import GRE
from netrelay.reference.net.refusal import refusal

if TYPE_CHECKING:
    from netrelay.reference.net.address import Ip
    from netrelay.reference.net.conversation import Surroundings
    from netrelay.reference.net.packets.packet import Packet
    from netrelay.reference.net.qids import Place

_GRE: Final = 47
# RFC 2784: flags and the encapsulated protocol. More comes behind it that is the client's business.
_HEADER: Final = struct.Struct(">HH")
_ROUTING: Final = 0x4000
_STATUS: Final = (
    "hoa 0.0.0.0 north 0.0.0.0 south 0.0.0.0 seq 0 pending 0  0 "
    "buffered dl 0 0 ul 0 0 ulkey 00000000\n"
)


class GreConversation(PacketConversation):
    """A numbered directory of `/net/gre` in use."""

    IDLE = f"Closed {_STATUS}"
    VERBS: ClassVar[ctl.Verbs] = VERBS
    UNKNOWN = "NO_SUCH_COMMAND"

    def __init__(self, around: Surroundings, place: Place, owner: str) -> None:
        super().__init__(around, place, owner)
        self._raw = False
        # With whom and about what, while it has that for itself.
        self._peer: Address | None = None
        self._own_end = NOWHERE
        self._tally = around.tally(GRE.number)

    @staticmethod
    def stats(around: Surroundings, _most: int) -> str:
        """The text of the protocol's stats, which don't tell the limit."""
        count = around.tally(GRE.number)
        return (
            f"gre: {count['in']} {count['out']} 0 0 {count['bytes in']} {count['bytes out']} 0 0, "
            f"lenerrs {count['short']}\n"
        )

    # sockets

    def _permit(self) -> None:
        self._around.check_grant("gre")

    def _dial(self, remote: Address, local: Address | None, *, restricted: bool) -> socket.socket:
        taken = self._around.taken(self.place.protocol)
        local = self._around.sockets.local(local, remote.ip) or NOWHERE
        own = local.ip
        if own is None and remote.ip is not None:
            own = check_route(self._around.sockets, remote.ip)
        if remote in taken:
            raise refusal("ALREADY_CONNECTED")
        family = binding.family_of(remote.ip)
        program = _program(family, remote.port)
        sock = raw.raw(self._around.sockets, (family, _GRE), local.ip, program, self._tuning)
        advice.ask_for(sock)
        taken.add(remote)
        self._peer = remote
        self._own_end = Address(own, local.port)
        return sock

    def _announced(self, local: Address, *, restricted: bool) -> socket.socket:
        raise refusal("GRE_ANNOUNCE")

    def _probe(self, local: Address, *, restricted: bool) -> None:
        check_local(self._around.sockets, local)

    def _close(self) -> None:
        super()._close()
        if self._peer is not None:
            self._around.taken(self.place.protocol).discard(self._peer)
            self._peer = None

    def _name(self, sock: socket.socket) -> Address:
        return self._own_end

    # ctl

    def _check(self, command: ctl.Command) -> None:
        match command:
            case ctl.Connect(remote, Address(ip)) if ip is not None:
                if ip.version != remote.ip.version:
                    raise refusal("BAD_IP")

    def _own(self, command: ctl.Command) -> None:
        if isinstance(command, Raw):
            self._raw = command.on
            self.serve_reads()

    @property
    def status(self) -> str:
        """The text of status."""
        self._heed_advice()
        return f"Open {'raw ' if self._raw else ''}{_STATUS}"

    # data

    @property
    def _address_size(self) -> int:
        return 4 if binding.family_of(self._remote.ip) == socket.AF_INET else 16

    def _sent(self, quoted: bytes, to: Ip | None) -> bool:
        if to != self._remote.ip or len(quoted) < _HEADER.size:
            return False
        return bool(_HEADER.unpack_from(quoted)[1] == self._remote.port)

    def _text(self, packet: Packet) -> bytes | None:
        if not self._raw and packet.remote.ip != self._remote.ip:
            return None
        message = raw.unheaded(packet.data, binding.family_of(self._remote.ip))
        if len(message) < _HEADER.size:
            self._tally["short"] += 1
            return None
        flags, protocol = _HEADER.unpack_from(message)
        if flags & _ROUTING or protocol != self._remote.port:
            return None
        ends = (end.ip.packed for end in (packet.remote, packet.local) if end.ip is not None)
        text = b"".join(ends) + message
        self._tally["in"] += 1
        self._tally["bytes in"] += len(text)
        return text

    def _send(self, sock: socket.socket, data: bytes) -> bool:
        size = self._address_size
        message = data[2 * size :]
        if len(message) < _HEADER.size:
            return False
        source, to = (ipaddress.ip_address(data[at : at + size]) for at in (0, size))
        if not self._raw:
            flags, _ = _HEADER.unpack_from(message)
            message = _HEADER.pack(flags, self._remote.port) + message[_HEADER.size :]
            to = to if int(to) or self._remote.ip is None else self._remote.ip
        if not int(to):
            return False
        self._around.check_dial(to)
        send_between(self._around.sockets, sock, source, to, message)
        self._tally["out"] += 1
        self._tally["bytes out"] += len(data)
        return True


def _program(family: socket.AddressFamily, protocol: int) -> list[raw.Step]:
    """Lets through what is about that protocol and has no routing, and what is too short for it."""
    return [
        raw.behind_ip(family),
        raw.LENGTH,
        raw.LESS_X,
        (raw.IF_AT_LEAST, 0, 4, _HEADER.size),
        (raw.HALF, 0, 0, 0),
        (raw.IF_ANY_OF, 3, 0, _ROUTING),
        (raw.HALF, 0, 0, 2),
        (raw.IF_EQUAL, 0, 1, protocol),
        raw.ALL,
        raw.NOTHING,
    ]
