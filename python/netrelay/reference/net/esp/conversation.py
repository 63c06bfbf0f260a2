"""One esp conversation: a security association, of packets to one host or from it (docs/raw.md).

One that sends has an index that the other side has chosen, and nothing to read. One that receives
has chosen its own, and takes no writes.
"""

from __future__ import annotations

import errno
import secrets
import socket
from itertools import chain
from typing import TYPE_CHECKING, ClassVar, Final

from netrelay.reference.net import binding
from netrelay.reference.net.address import NOWHERE, print_ip
from netrelay.reference.net.conversation import State
from netrelay.reference.net.esp.association import HEADER, Association
from netrelay.reference.net.esp.verbs import VERBS, Associate, Authenticate, Encrypt, Header
from netrelay.reference.net.packets import advice, raw
from netrelay.reference.net.packets.conversation import PacketConversation
from netrelay.reference.net.packets.packet import name_of
from netrelay.reference.net.packets.sources import check_local
from netrelay.reference.net.protocol import ESP
from netrelay.reference.net.refusal import refusal

if TYPE_CHECKING:
    from netrelay.reference.net import ctl
    from netrelay.reference.net.address import Address, Ip
    from netrelay.reference.net.conversation import Surroundings
    from netrelay.reference.net.packets.packet import Packet
    from netrelay.reference.net.qids import Place

_ESP: Final = 50
# The indexes that are chosen from.
_CHOSEN: Final = range(256, 65792)
# Before a payload, where that is asked for: the next header and zeros.
_HEADER_SIZE: Final = 4


class EspConversation(PacketConversation):
    """A numbered directory of `/net/esp` in use."""

    IDLE = "Closed\n"
    VERBS: ClassVar[ctl.Verbs] = VERBS

    def __init__(self, around: Surroundings, place: Place, owner: str) -> None:
        super().__init__(around, place, owner)
        # What connect asks for.
        self._wanted: int | None = None
        self._association: Association | None = None
        # The index of an incoming one, while it has that for itself.
        self._chosen: int | None = None
        self._incoming = False
        self._header = False
        self._tally = around.tally(ESP.number)

    @staticmethod
    def stats(around: Surroundings, _most: int) -> str:
        """The text of the protocol's stats."""
        count = around.tally(ESP.number)
        return f"{count['in']} {count['errors']}\n"

    # sockets

    def _permit(self) -> None:
        self._around.check_grant("esp")

    def _connect(self, command: ctl.Connect) -> None:
        if isinstance(command, Associate):
            self._wanted = command.index
        super()._connect(command)

    def _dial(self, remote: Address, local: Address | None, *, restricted: bool) -> socket.socket:
        local = self._around.sockets.local(local, remote.ip)
        incoming, index = self._wanted is None, self._wanted
        if index is None:
            index = self._choose()
        family = binding.family_of(remote.ip)
        program = _program(family, index) if incoming else [raw.NOTHING]
        ip = local.ip if local is not None else None
        sock = raw.raw(self._around.sockets, (family, _ESP), ip, program, self._tuning)
        try:
            advice.ask_for(sock)
            sock.connect(name_of(sock, remote))
        except OSError:
            sock.close()
            raise
        self._association, self._incoming = Association(index), incoming
        if incoming:
            self._chosen = index
            self._around.taken(self.place.protocol).add(index)
        return sock

    def _choose(self) -> int:
        """An index that no other conversation of the stack has. Errors: OSError."""
        taken = self._around.taken(self.place.protocol)
        begin = secrets.randbelow(len(_CHOSEN))
        for index in chain(_CHOSEN[begin:], _CHOSEN[:begin]):
            if index not in taken:
                return index
        raise OSError(errno.EADDRNOTAVAIL, "every index is taken")

    def _announced(self, local: Address, *, restricted: bool) -> socket.socket:
        raise refusal("NO_ANNOUNCE")

    def _probe(self, local: Address, *, restricted: bool) -> None:
        check_local(self._around.sockets, local)

    def _close(self) -> None:
        super()._close()
        if self._chosen is not None:
            self._around.taken(self.place.protocol).discard(self._chosen)
            self._chosen = None

    # ctl

    def _own(self, command: ctl.Command) -> None:
        match command:
            case Encrypt(cipher) if self._association is not None:
                self._association.cipher = cipher
            case Authenticate(authentication) if self._association is not None:
                self._association.authentication = authentication
            case Header(on):
                self._header = on

    @property
    def local(self) -> str:
        """The text of local."""
        if self._association is None:
            return super().local
        return self._end_text(self._local.ip, indexed=self._incoming)

    @property
    def remote(self) -> str:
        """The text of remote."""
        if self._association is None:
            return super().remote
        return self._end_text(self._remote.ip, indexed=not self._incoming)

    def _end_text(self, ip: Ip | None, *, indexed: bool) -> str:
        if ip is None or self._association is None:
            return f"{NOWHERE}\n"
        return f"{print_ip(ip)}!{self._association.index}\n" if indexed else f"{print_ip(ip)}\n"

    @property
    def status(self) -> str:
        """The text of status."""
        self._heed_advice()
        return "Open\n"

    # data

    @property
    def _carries(self) -> bool:
        return self.state is State.CONNECTED and self._incoming

    @property
    def _sends(self) -> bool:
        return self.state is State.CONNECTED and not self._incoming

    @property
    def _deaf(self) -> bool:
        return self._sends

    def _sent(self, quoted: bytes, _to: Ip | None) -> bool:
        association = self._association
        if association is None or len(quoted) < HEADER.size:
            return False
        return bool(HEADER.unpack_from(quoted)[0] == association.index)

    def _text(self, packet: Packet) -> bytes | None:
        association = self._association
        if association is None or packet.remote.ip != self._remote.ip:
            return None
        data = raw.unheaded(packet.data, binding.family_of(packet.remote.ip))
        if len(data) >= HEADER.size and HEADER.unpack_from(data)[0] != association.index:
            return None
        opened = association.open(data)
        if opened is None:
            self._tally["errors"] += 1
            return None
        self._tally["in"] += 1
        head = bytes([opened.next_header, 0, 0, 0]) if self._header else b""
        return head + opened.payload

    def _send(self, sock: socket.socket, data: bytes) -> bool:
        association = self._association
        if association is None or association.used_up:
            raise refusal("HUNGUP")
        next_header = 0
        if self._header:
            if len(data) < _HEADER_SIZE:
                return False
            next_header, data = data[0], data[_HEADER_SIZE:]
        sock.send(association.seal(data, next_header), socket.MSG_NOSIGNAL)
        return True


def _program(family: socket.AddressFamily, index: int) -> list[raw.Step]:
    """Lets through what has that index."""
    return [
        raw.behind_ip(family),
        (raw.WORD, 0, 0, 0),
        (raw.IF_EQUAL, 0, 1, index),
        raw.ALL,
        raw.NOTHING,
    ]
